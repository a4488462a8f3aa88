//! A slot: one speaker whose sessions follow each other, each with a random length, until the time
//! is over.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use e2e::{Cloud, Error, Packets};
use serde_json::Value;
use testkit::pcm::Random;

/// How often the bundled recording of 37 s can be repeated in one session.
const MOST_TIMES: u64 = 6;
/// Longest pause before a session, in ms of AWS's time.
const LONGEST_PAUSE_MS: u64 = 60_000;
/// Maximum real time from the end of a session to its drain.
const DRAIN: Duration = Duration::from_secs(180);

/// The speech of sessions by length: repetitions of the bundled recording, with what they decode
/// to.
#[derive(Debug)]
pub(crate) struct Recordings(Vec<(std::path::PathBuf, Vec<i16>)>);

impl Recordings {
    /// Writes the recordings to a temporary folder.
    pub(crate) fn create() -> Self {
        let folder = std::env::temp_dir().join(format!("load-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let recording = Packets::of(&testkit::recording());
        let of = |times: u64| {
            let path = folder.join(format!("{times}.mka"));
            let packets = recording.repeated(usize::try_from(times).expect("a small number"));
            std::fs::write(&path, packets.file()).expect("write a recording");
            (path, packets.samples())
        };
        Self((1..=MOST_TIMES).map(of).collect())
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        if let Some(folder) = self.0.first().and_then(|(path, _)| path.parent()) {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// What one session took, in ms of real time, and what it delivered.
#[derive(Debug, Default)]
pub(crate) struct SessionResult {
    pub(crate) failure: Option<String>,
    pub(crate) lost: u64,
    pub(crate) twice: u64,
    /// The session's speech, in seconds.
    pub(crate) seconds: f64,
    pub(crate) post_ms: f64,
    pub(crate) first_chunk_ms: f64,
    pub(crate) delivery_p50_ms: f64,
    pub(crate) delivery_p99_ms: f64,
    pub(crate) stop_ms: f64,
}

/// One speaker.
pub(crate) struct Slot {
    speaker: String,
    random: Random,
    cloud: Arc<Cloud>,
    recordings: Arc<Recordings>,
}

impl Slot {
    pub(crate) fn new(
        number: u64,
        seed: u64,
        cloud: Arc<Cloud>,
        recordings: Arc<Recordings>,
    ) -> Self {
        let random = Random::new(seed * 1_000_003 + number);
        Self { speaker: format!("speaker-{number}"), random, cloud, recordings }
    }

    /// Runs sessions until `end`. One that fails is a result, too.
    pub(crate) async fn run(mut self, end: Instant) -> Vec<SessionResult> {
        let mut results = Vec::new();
        loop {
            let pause = self.random.below(LONGEST_PAUSE_MS);
            let scale = self.cloud.time_scale();
            tokio::time::sleep(Duration::from_millis(pause) / scale).await;
            if Instant::now() >= end {
                return results;
            }
            let chosen = self.random.below(MOST_TIMES);
            let result = self.session(usize::try_from(chosen).expect("a small number")).await;
            results.push(result.unwrap_or_else(|error| SessionResult {
                failure: Some(error.to_string()),
                ..SessionResult::default()
            }));
        }
    }

    async fn session(&self, chosen: usize) -> Result<SessionResult, Error> {
        let (file, spoken) = &self.recordings.0[chosen];
        let begun = Instant::now();
        let session = self.cloud.open(&self.speaker).await?;
        let post_ms = millis(begun.elapsed());
        let spoken_from = now_us();
        session.say(file).await?;
        session.end().await?;
        let ended = now_us();
        session.drained(DRAIN).await?;
        let (figures, wav) = (session.figures().await?, session.wav().await?);
        let since = |name: &str, from: u64| {
            figures[name].as_u64().unwrap_or_default().saturating_sub(from) as f64 / 1000.0
        };
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        let delivered = figures["samplesDelivered"].as_u64().unwrap_or_default();
        Ok(SessionResult {
            failure: (!is_same(spoken, &wav)).then(|| format!("{}: other audio", session.id())),
            lost: (spoken.len() as u64).saturating_sub(delivered),
            twice: number(&figures["samplesDuplicated"]) as u64,
            seconds: spoken.len() as f64 / 16_000.0,
            post_ms,
            first_chunk_ms: since("firstAcceptedUs", spoken_from),
            delivery_p50_ms: number(&figures["deliveryLatencyMs"]["p50"]),
            delivery_p99_ms: number(&figures["deliveryLatencyMs"]["p99"]),
            stop_ms: since("finalAcceptedUs", ended),
        })
    }
}

/// Whether `wav` is what was spoken: exactly, or with the seams of hand-offs, whose decoder begins
/// three seconds before.
fn is_same(spoken: &[i16], wav: &[i16]) -> bool {
    spoken == wav || spoken.len() == wav.len() && testkit::snr::decibels(spoken, wav) >= 40.0
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
