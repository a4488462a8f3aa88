//! `local-cloud speak`: sends a recorded file to a session's stream as a live producer does.
//!
//! It takes the place of the speaker's browser and of WebRTC ingestion, with one difference:
//! ingestion stores AAC, and this sends the file's Opus packets unchanged.

use std::path::{Path, PathBuf};

use tokio::sync::watch;

use crate::error::Error;
use crate::progress::{self, Step};
use local_aws::clock::real_now_ms;

mod file_kind;
mod fix_sizes;
mod media_file;
mod muxer;
mod opus;
mod producer;
mod recording;

pub use producer::{Producer, SpeakError, Spoken};
pub use recording::{Packet, Recording, RecordingError};

/// The default length of a fragment, in ms: that of AWS's producer SDK.
const FRAGMENT_MS: u64 = 2000;
/// The length of a fragment, in ms. KVS refuses more than 20 s, and less than 1 s means more
/// fragments in a second than producers are advised to send.
const FRAGMENTS_MS: std::ops::RangeInclusive<u64> = 1_000..=20_000;
/// The allowed speeds, relative to real time.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=1000.0;

/// Arguments of `local-cloud speak`.
#[derive(Debug, clap::Args)]
pub struct SpeakArgs {
    /// The session whose stream receives the recording, for example blessed-shepherd-123.
    pub session: String,
    /// An Opus .mkv, .mka or .webm file.
    pub file: PathBuf,
    /// Speed and fragments.
    #[command(flatten)]
    pub pace: Pace,
    /// Persisted fragments that a reconnect sends again, as AWS's producer SDKs do, 0 to 30.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=30))]
    pub rollback: u8,
}

/// Speed and fragment length: arguments of `speak` and `run`.
#[derive(Debug, Clone, Copy, PartialEq, clap::Args)]
pub struct Pace {
    /// The speed of the recording, relative to real time, 0.1 to 1000.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// The length of a fragment in milliseconds, 1000 to 20000. WebRTC ingestion makes about 10000.
    #[arg(
        long,
        default_value_t = FRAGMENT_MS,
        value_parser = clap::value_parser!(u64).range(FRAGMENTS_MS)
    )]
    pub fragment_ms: u64,
}

fn speed(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|speed| SPEEDS.contains(speed))
        .ok_or_else(|| format!("{text:?} is not a number from 0.1 to 1000"))
}

/// Sends the whole file to the session's stream at the local cloud at `url`.
///
/// # Errors
/// The file cannot be read, or the stream does not accept it.
pub async fn speak(args: SpeakArgs, url: &str) -> Result<(), Error> {
    crate::inspect::session_id::check(&args.session)?;
    let recording = open(&args.file)?;
    crate::discovery::check(url).await?;
    let producer = Producer {
        url: url.to_owned(),
        stream: format!("session-{}", args.session),
        pace: args.pace,
        start_ms: real_now_ms(),
        rollback: args.rollback.into(),
    };
    eprintln!(
        "speaking {} ({:.1} s) in {} at {}x, in fragments of {} ms",
        args.file.display(),
        recording.duration_ms() as f64 / 1000.0,
        producer.stream,
        args.pace.speed,
        args.pace.fragment_ms
    );
    let (progress, spoken) = watch::channel(Spoken::default());
    let speaking = producer.speak(&recording, &progress);
    let step = async || spoken.borrow().step(&recording, String::new());
    let spoken = progress::during(speaking, step).await?;
    eprintln!(
        "spoken: {} packets, {} samples at 16 kHz, {} fragments persisted",
        spoken.packets,
        recording.samples_16k(),
        spoken.persisted
    );
    Ok(())
}

impl Spoken {
    /// Returns the progress, with a note.
    pub(crate) fn step(&self, recording: &Recording, note: String) -> Step {
        let last = self.packets.checked_sub(1).and_then(|last| recording.packets.get(last));
        let end_ms = last.map_or(0, |packet| packet.at_ms + u64::from(packet.samples_48k) / 48);
        let total_s = recording.duration_ms() as f64 / 1000.0;
        Step { name: "speaking", done_s: end_ms as f64 / 1000.0, total_s, note }
    }
}

/// Reads a recording. Prints a warning when the end of the file is not usable; the rest is sent.
pub(crate) fn open(path: &Path) -> Result<Recording, RecordingError> {
    let recording = Recording::open(path)?;
    if let Some(warning) = recording.warning(path) {
        eprintln!("warning: {warning}");
    }
    Ok(recording)
}

impl From<RecordingError> for Error {
    fn from(error: RecordingError) -> Self {
        Self::Client(error.to_string())
    }
}

impl From<SpeakError> for Error {
    fn from(error: SpeakError) -> Self {
        Self::Client(error.to_string())
    }
}
