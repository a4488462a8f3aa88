//! `local-cloud speak`: sends a recorded file to a session's stream as a live producer does.

use std::path::{Path, PathBuf};

use producer::{
    Pace, Producer, PutMedia, Recording, RecordingError, Sdk, SpeakError, Spoken, TRIES,
};
use tokio::sync::watch;

use crate::error::Error;
use crate::progress::{self, Step};
use local_aws::clock::real_now_ms;

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

/// Sends the whole file to the session's stream at the local cloud at `url`.
///
/// # Errors
/// The file cannot be read, or the stream does not accept it.
pub async fn speak(args: SpeakArgs, url: &str) -> Result<(), Error> {
    crate::inspect::session_id::check(&args.session)?;
    let recording = open(&args.file)?;
    crate::inspect::cloud::Cloud::at(url).await?.check_accepts_audio(&args.session).await?;
    let stream = format!("session-{}", args.session);
    let producer = Producer { rollback: args.rollback.into(), ..producer(url, stream, args.pace) };
    eprintln!(
        "speaking {} ({:.1} s) in {} at {}x, in fragments of {} ms",
        args.file.display(),
        recording.duration_ms() as f64 / 1000.0,
        producer.stream,
        args.pace.speed,
        args.pace.fragment_ms
    );
    let (progress, spoken) = watch::channel(Spoken::default());
    let speaking = producer.speak(&recording, &progress, |_| {});
    let step = async || step(&spoken.borrow(), &recording, Vec::new());
    let spoken = match progress::during(speaking, step).await {
        Ok(spoken) => spoken,
        // If the cloud has ended, that error and its hint are returned.
        Err(error) => {
            crate::discovery::check(url).await?;
            return Err(error.into());
        }
    };
    eprintln!(
        "spoken: {} packets, {} samples at 16 kHz, persisted fragments: {}, reconnects: {}",
        spoken.packets,
        recording.samples_16k(),
        spoken.persisted,
        spoken.reconnects
    );
    Ok(())
}

/// Returns a producer that sends to the local cloud at `url` from now on.
pub(crate) fn producer(url: &str, stream: String, pace: Pace) -> Producer {
    let put_media = PutMedia::at(&Sdk::local(url), url);
    Producer { put_media, stream, pace, start_ms: real_now_ms(), rollback: 0, tries: TRIES }
}

/// Returns the progress of a producer, with the notes that are not empty and its reconnects.
pub(crate) fn step(spoken: &Spoken, recording: &Recording, mut notes: Vec<String>) -> Step {
    if spoken.reconnects > 0 {
        notes.push(format!("reconnects: {}", spoken.reconnects));
    }
    notes.retain(|note| !note.is_empty());
    let last = spoken.packets.checked_sub(1).and_then(|last| recording.packets.get(last));
    let end_ms = last.map_or(0, |packet| packet.at_ms + u64::from(packet.samples_48k) / 48);
    let total_s = recording.duration_ms() as f64 / 1000.0;
    Step { name: "speaking", done_s: end_ms as f64 / 1000.0, total_s, note: notes.join(", ") }
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
