//! Carries one stream to one processor.
//!
//! Where it stands on the way: bytes → `media` → **PCM → chunk → payload** → processor. Everything
//! that waits, retries or fails is decided here, over the small [`ports`]; nothing here knows AWS.
//!
//! # Who does what
//! | module | job |
//! |---|---|
//! | [`run`] | one invocation's stay: take the lease, carry, hand on or end |
//! | [`lease`] | who may deliver: conditional writes, epochs, waiting out a dead holder |
//! | [`checkpoint`] | what the next run needs to go on exactly here |
//! | [`ledger`] | the running account it is drawn from, and how to read on |
//! | `reader` | GetMedia again and again → media path → chunks |
//! | `intake` | what the media path says → chunks, ledger, drain |
//! | [`chunker`] | cuts the line of samples where every run cuts it |
//! | [`queue`] | the bounded buffer between reading and delivering |
//! | `delivery` | in order, one in flight, retries, dead letters, going back |
//! | [`answer`] | what the processor's answer means |
//! | [`breaker`] | stops hammering a processor that is down |
//! | `keeper` | renews the lease, hears orders, reads the session's state and languages |
//! | `handoff` | from one invocation to the next |
//! | `farewell` | the listeners of a stopped session learn that it has ended |
//! | `drain` | when a stopped stream has nothing more to give |
//!
//! # Invariants
//! - Everything before a checkpoint's `next` is accepted by the processor, or skipped and counted.
//! - Two runs from the same checkpoint give every sample the same position and cut the same chunks.
//! - A run delivers only while it holds an unexpired lease by its own monotonic clock.
//! - The audio of anything that fails is still in KVS: nothing is dropped to get on, except what the
//!   processor refuses for good, and that lies in the dead-letter queue.
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
