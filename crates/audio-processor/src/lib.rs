//! The reference audio processor: checks the payload contract and accepts each sample once.
//!
//! It stands at the end of the way: request → session → event → stream → PCM → here. A real
//! processor transcribes and translates; this one shows what such a processor must do so that
//! nothing is lost and nothing is heard twice, and writes down what it got.
//!
//! - [`Chunk::check`] turns a payload into samples, or refuses it with a typed reason.
//! - [`Processor`] moves the session's watermark by one conditional write ([`session::Watermarks`]) and
//!   answers, or refuses with `StaleEpoch` or `OutOfOrder`.
//! - [`Recording`] keeps one WAV file per session when `AUDIO_OUT_DIR` is set.
//!
//! **Invariant.** For each session the accepted samples are 0, 1, 2, … without repetition, whatever
//! is retried, repeated, overlapped or sent by an old lease holder; positions are missing only
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
