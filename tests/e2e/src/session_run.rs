//! One session from POST to the drain, with the sent and the delivered audio.

use std::time::Duration;

use serde_json::Value;

use crate::{Cloud, Error, Options, Packets, Session};

/// Maximum real time of a drain. Recovery from a killed consumer takes up to 75 s of the cloud's
/// time, recovery by the health check six minutes.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The sent and the delivered audio of a session, and its figures.
#[derive(Debug)]
pub struct SessionRun {
    /// The samples that libopus decodes from the sent packets.
    pub spoken: Vec<i16>,
    /// The samples in the processor's WAV.
    pub wav: Vec<i16>,
    /// The cloud's record of the processor's invocations.
    pub figures: Value,
    /// The Streams item after the drain, in DynamoDB's JSON.
    pub streams_item: Value,
}

impl SessionRun {
    /// Runs one session with the bundled recording on a new cloud, with `faults` injected before
    /// it.
    ///
    /// # Errors
    /// The first failed step.
    pub async fn with_faults(options: Options, faults: &[Value]) -> Result<Self, Error> {
        let cloud = Cloud::start(options).await?;
        for fault in faults {
            cloud.inject_fault(fault.clone()).await?;
        }
        let session = cloud.open("ana").await?;
        let recording = testkit::recording();
        session.say(&recording).await?;
        session.end().await?;
        let run = Self::drained(&session, &Packets::of(&recording)).await?;
        cloud.all_faults_triggered().await?;
        Ok(run)
    }

    /// Waits for the drain of an ended session to which `packets` were sent.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if the session is not drained in time.
    pub async fn drained(session: &Session<'_>, packets: &Packets) -> Result<Self, Error> {
        Self::drained_within(session, packets, TIMEOUT).await
    }

    /// As [`SessionRun::drained`], with this timeout.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if the session is not drained in time.
    pub async fn drained_within(
        session: &Session<'_>,
        packets: &Packets,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let streams_item = session.drained(timeout).await?;
        let (figures, wav) = (session.figures().await?, session.wav().await?);
        Ok(Self { spoken: packets.samples(), wav, figures, streams_item })
    }

    /// Returns the number of consumers: the epoch of the last one.
    pub fn consumers(&self) -> u64 {
        self.streams_item["epoch"]["N"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Asserts that each sample was accepted once, and that the SNR is at least 40 dB: a successor
    /// warms up its decoder on only three seconds of the stream, so its first samples are not
    /// exact.
    ///
    /// # Panics
    /// If an assertion fails, with the figures.
    #[track_caller]
    pub fn assert_whole(&self) {
        let figures = &self.figures;
        assert_eq!(figures["samplesDelivered"], self.spoken.len(), "{figures}");
        assert_eq!(figures["samplesDuplicated"], 0, "{figures}");
        assert_eq!(figures["filledSamples"], 0, "{figures}");
        assert_eq!(self.wav.len(), self.spoken.len(), "samples in the WAV");
        let ratio = testkit::snr::decibels(&self.spoken, &self.wav);
        assert!(ratio >= 40.0, "the SNR of the audio is only {ratio:.1} dB");
    }
}
