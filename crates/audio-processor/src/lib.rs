//! The reference audio processor: checks the payload contract and accepts each sample once.
//!
//! Last step of the data flow: request → session → event → stream → PCM → processor. A production
//! processor transcribes and translates; this one shows how a processor avoids loss and
//! duplication of samples, and records the received audio.
//!
//! - [`Chunk::check`] converts a payload to samples, or rejects it with a typed reason.
//! - [`Processor`] advances the session's watermark with one conditional write
//!   ([`session::Watermarks`]) and responds, or rejects the payload with `StaleEpoch` or
//!   `OutOfOrder`.
//! - [`Recording`] writes one WAV file per session if `AUDIO_OUT_DIR` is set.
//!
//! **Invariant.** For each session the accepted samples are 0, 1, 2, … without repetition, under
//! retries, duplicates, overlaps and payloads of old lease holders. Positions are missing only
//! where the sender declared a gap.

mod chunk;
mod config;
mod error;
mod levels;
mod processor;
mod recording;

pub use chunk::{Chunk, MAX_POSITION, MAX_SAMPLES};
pub use config::Config;
pub use error::{ProcessError, RecordingError};
pub use levels::Levels;
pub use processor::Processor;
pub use recording::Recording;
