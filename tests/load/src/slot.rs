//! A slot: one speaker whose sessions follow each other, each with a random length, until the time
//! is over.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use e2e::{Cloud, Error, Session};
use producer::{Pace, Producer, PutMedia, Sdk, Spoken, TRIES};
use serde_json::Value;
use testkit::pcm::Random;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::recordings::{Recordings, Speech};

/// Longest pause before a session in AWS's time.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The sessions that begin, and those that end, in a second: an account opens and closes five.
const CHANGED_A_SECOND: f64 = 4.0;
/// Longest real time for POST or DELETE with their retries, and from the end of a session to its
/// drain.
const LIMIT: Duration = Duration::from_secs(480);
const RETRY: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(500);

/// What all slots share.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) cloud: Cloud,
    pub(crate) recordings: Recordings,
    pub(crate) sessions: u64,
    /// As in [`Pace::whole_fragments`].
    pub(crate) whole_fragments: bool,
    pub(crate) begun: Instant,
    /// When sessions begin no more.
    pub(crate) end: Instant,
}

impl Load {
    /// Returns a duration of AWS's time as real time.
    pub(crate) fn real(&self, aws: Duration) -> Duration {
        aws / self.cloud.time_scale()
    }

    /// Returns the time in which the account opens or closes every slot's session.
    fn spread(&self) -> Duration {
        Duration::from_secs_f64(self.sessions as f64 / CHANGED_A_SECOND)
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
    /// When POST was answered, in seconds of real time since the load began.
    pub(crate) opened_at: f64,
    /// From then to the drain, in seconds of real time.
    pub(crate) open_seconds: f64,
    pub(crate) post_ms: f64,
    pub(crate) first_chunk_ms: f64,
    /// Of each chunk.
    pub(crate) delivery_ms: Vec<f64>,
    pub(crate) longest_pause_ms: f64,
    pub(crate) stop_ms: f64,
}

/// One speaker.
pub(crate) struct Slot {
    speaker: String,
    random: Random,
    load: Arc<Load>,
}

impl Slot {
    pub(crate) fn new(number: u64, seed: u64, load: Arc<Load>) -> Self {
        let random = Random::new(seed * 1_000_003 + number);
        Self { speaker: format!("speaker-{number}"), random, load }
    }

    /// Runs sessions until its end, which is up to [`Load::spread`] before that of the load, at
    /// most half of the time. A session that fails is a result, too.
    pub(crate) async fn run(mut self) -> Vec<SessionResult> {
        let load = Arc::clone(&self.load);
        let mut results = Vec::new();
        let mut longest = LONGEST_PAUSE.max(load.spread());
        let early = load.real(load.spread()).min((load.end - load.begun) / 2);
        let end = load.end - Duration::from_millis(self.random.below(early.as_millis() as u64));
        loop {
            let pause =
                load.real(Duration::from_millis(self.random.below(longest.as_millis() as u64)));
            sleep(pause.min(end.saturating_duration_since(Instant::now()))).await;
            longest = LONGEST_PAUSE;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return results;
            }
            let left = left * load.cloud.time_scale();
            let speech = load.recordings.choose(&mut self.random, left);
            let result = session(&load, &self.speaker, speech).await;
            results.push(result.unwrap_or_else(|failure| SessionResult {
                failure: Some(failure),
                lost: speech.samples.len() as u64,
                ..SessionResult::default()
            }));
        }
    }
}

async fn session(load: &Load, speaker: &str, speech: &Speech) -> Result<SessionResult, String> {
    let begun = Instant::now();
    let session = until("POST", || load.cloud.open(speaker)).await?;
    let opened = Instant::now();
    let spoken_from = now_us();
    speak(load, &session, speech).await.map_err(|error| format!("{}: {error}", session.id()))?;
    until("DELETE", || session.end()).await?;
    let ended = now_us();
    until("the drain", || drained(&session)).await?;
    let open_seconds = opened.elapsed().as_secs_f64();
    let compared = async {
        let (figures, wav) = (session.latencies().await?, session.wav().await?);
        Ok::<_, Error>((figures, wav))
    };
    let (figures, wav) = compared.await.map_err(|error| format!("{}: {error}", session.id()))?;
    let since = |name: &str, from: u64| {
        figures[name].as_u64().unwrap_or_default().saturating_sub(from) as f64 / 1000.0
    };
    let delivered = figures["samplesDelivered"].as_u64().unwrap_or_default();
    let latencies = figures["latenciesMs"].as_array().into_iter().flatten();
    Ok(SessionResult {
        failure: (!is_same(&speech.samples, &wav))
            .then(|| format!("{}: other audio", session.id())),
        lost: (speech.samples.len() as u64).saturating_sub(delivered),
        twice: figures["samplesDuplicated"].as_u64().unwrap_or_default(),
        seconds: speech.seconds(),
        opened_at: (opened - load.begun).as_secs_f64(),
        open_seconds,
        post_ms: (opened - begun).as_secs_f64() * 1000.0,
        first_chunk_ms: since("firstAcceptedUs", spoken_from),
        delivery_ms: latencies.filter_map(Value::as_f64).collect(),
        longest_pause_ms: figures["longestPauseMs"].as_f64().unwrap_or_default(),
        stop_ms: since("finalAcceptedUs", ended),
    })
}

/// Sends the speech as a live producer does.
async fn speak(load: &Load, session: &Session<'_>, speech: &Speech) -> Result<(), String> {
    let url = load.cloud.url();
    let speed = f64::from(load.cloud.time_scale());
    let producer = Producer {
        put_media: PutMedia::at(&Sdk::local(url), url),
        stream: format!("session-{}", session.id()),
        pace: Pace { speed, fragment_ms: 2_000, whole_fragments: load.whole_fragments },
        start_ms: i64::try_from(now_us() / 1000).unwrap_or(i64::MAX),
        rollback: 0,
        tries: TRIES,
    };
    let (progress, _) = watch::channel(Spoken::default());
    let spoken = producer.speak(&speech.recording, &progress, |_| {}).await;
    spoken.map(drop).map_err(|error| error.to_string())
}

/// Repeats a step until it succeeds, as clients do while a service is unavailable.
async fn until<T, F>(what: &str, mut step: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, Error>>,
{
    let begun = Instant::now();
    loop {
        match step().await {
            Ok(done) => return Ok(done),
            Err(error) if begun.elapsed() > LIMIT => return Err(format!("{what}: {error}")),
            Err(_) => sleep(RETRY).await,
        }
    }
}

/// Waits until the session is drained; fails after a minute or if its table cannot be read.
async fn drained(session: &Session<'_>) -> Result<(), Error> {
    session
        .streams_item_each(POLL, "the drain", Duration::from_secs(60), |item| {
            item["status"]["S"] == "ENDED"
        })
        .await
        .map(drop)
}

/// Whether `wav` is what was spoken: exactly, or with the seams of hand-offs, whose decoder begins
/// three seconds before.
fn is_same(spoken: &[i16], wav: &[i16]) -> bool {
    spoken == wav || spoken.len() == wav.len() && testkit::snr::decibels(spoken, wav) >= 40.0
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
