//! Relays one session's audio from its KVS stream to its processor.
//!
//! Position in the pipeline: bytes → `media` → **PCM → chunk → payload** → processor. All
//! waiting, retrying and error handling happens here, on top of the small interfaces in
//! [`ports`]; nothing in this crate depends on AWS.
//!
//! # Modules
//! | module | responsibility |
//! |---|---|
//! | [`run`] | one invocation: take the lease, deliver, hand off or end |
//! | [`lease`] | which run may deliver: conditional writes, epochs, expiry of a crashed holder |
//! | [`checkpoint`] | the state from which the next run resumes |
//! | [`ledger`] | progress of a run: creates checkpoints, computes the resume point |
//! | `reader` | repeated GetMedia calls → media path → chunks |
//! | `intake` | media path output → chunks, ledger, drain |
//! | [`chunker`] | splits samples into chunks with the same boundaries in every run |
//! | [`queue`] | the bounded buffer between reader and deliverer |
//! | `delivery` | ordered delivery, one in flight; retries, dead letters, rewinds |
//! | [`answer`] | interprets the processor's responses |
//! | [`breaker`] | stops sending to a processor that is down |
//! | `keeper` | renews the lease, reads the desired state, session status and languages |
//! | `handoff` | hands off to the next invocation |
//! | `farewell` | notifies the listeners of a stopped session |
//! | `drain` | detects that a stopped stream has no more audio |
//!
//! # Invariants
//! - Everything before a checkpoint's `next` is accepted by the processor, or skipped and counted.
//! - Two runs from the same checkpoint assign the same positions and produce the same chunks.
//! - A run delivers only while it holds an unexpired lease by its own monotonic clock.
//! - After a failure the audio is still in KVS. Audio is skipped only if the processor rejects it
//!   permanently, and then it is stored in the dead-letter queue.
//! - Dropping a run at any await point is safe.

pub mod answer;
pub mod breaker;
pub mod checkpoint;
pub mod chunker;
pub mod lease;
pub mod ledger;
pub mod ports;
pub mod queue;
pub mod run;

mod backoff;
mod clock;
mod config;
mod delivery;
mod drain;
mod error;
mod farewell;
mod handoff;
mod intake;
mod keeper;
mod line;
mod metrics;
mod reader;
mod retry;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use clock::{Clock, SystemClock};
pub use config::{Config, SAMPLES_PER_MS};
pub use error::RelayError;
pub use metrics::Snapshot;
pub use run::{Order, Outcome, Report, go_on, start, stop};
