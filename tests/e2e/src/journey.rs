//! One session from POST to the drain, with what was spoken and what arrived.

use std::time::Duration;

use serde_json::Value;

use crate::{Cloud, Error, Options, Packets, Session};

/// How long a drain may take, real time. Recovery from a killed consumer takes up to 75 s of the
/// cloud's time, the health check six minutes.
const PATIENCE: Duration = Duration::from_secs(90);

/// What was spoken and what arrived.
#[derive(Debug)]
pub struct Journey {
    /// The samples that libopus makes of the packets.
    pub spoken: Vec<i16>,
    /// The samples in the processor's WAV.
    pub wav: Vec<i16>,
    /// What the cloud saw at the processor's door.
    pub figures: Value,
    /// The Streams item after the drain, in DynamoDB's JSON.
    pub streams_item: Value,
}

impl Journey {
    /// Speaks the bundled recording through a cloud of its own, at the cloud's pace, with `faults`
    /// waiting from the start.
    ///
    /// # Errors
    /// The first step that failed.
    pub async fn with_faults(options: Options, faults: &[Value]) -> Result<Self, Error> {
        let cloud = Cloud::start(options).await?;
        for fault in faults {
            cloud.fault(fault.clone()).await?;
        }
        let session = cloud.open("ana").await?;
        let recording = testkit::recording();
        session.say(&recording).await?;
        session.end().await?;
        let journey = Self::drained(&session, &Packets::of(&recording)).await?;
        cloud.every_fault_struck().await?;
        Ok(journey)
    }

    /// Waits for the drain of an ended session into which `packets` were spoken.
    ///
    /// # Errors
    /// [`Error::Waited`] when it does not come.
    pub async fn drained(session: &Session<'_>, packets: &Packets) -> Result<Self, Error> {
        Self::drained_within(session, packets, PATIENCE).await
    }

    /// As [`Journey::drained`], with a patience of one's own.
    ///
    /// # Errors
    /// [`Error::Waited`] when it does not come.
    pub async fn drained_within(
        session: &Session<'_>,
        packets: &Packets,
        patience: Duration,
    ) -> Result<Self, Error> {
        let streams_item = session.drained(patience).await?;
        let (figures, wav) = (session.figures().await?, session.wav().await?);
        Ok(Self { spoken: packets.samples(), wav, figures, streams_item })
    }

    /// How many consumers it took: the epoch of the last.
    pub fn consumers(&self) -> u64 {
        self.streams_item["epoch"]["N"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Every sample arrived and none was accepted twice; the audio is at least 40 dB from the
    /// spoken one, since a consumer that goes on warms its decoder up on three seconds of the
    /// stream only.
    ///
    /// # Panics
    /// When it is not so, with the figures.
    #[track_caller]
    pub fn assert_whole(&self) {
        let figures = &self.figures;
        assert_eq!(figures["samplesDelivered"], self.spoken.len(), "{figures}");
        assert_eq!(figures["samplesDuplicated"], 0, "{figures}");
        assert_eq!(figures["filledSamples"], 0, "{figures}");
        assert_eq!(self.wav.len(), self.spoken.len(), "samples in the WAV");
        let ratio = testkit::snr::decibels(&self.spoken, &self.wav);
        assert!(ratio >= 40.0, "the audio is only {ratio:.1} dB from what was spoken");
    }
}
