//! Relays one session's audio from its KVS stream to its processor.
//!
//! Position in the pipeline: bytes → `media` → **PCM → chunk → payload** → processor. All
//! waiting, retrying and error handling happens here, on top of the small interfaces in
//! [`ports`]; nothing in this crate depends on AWS.
//!
//! # Modules
//! | module | responsibility |
//! |---|---|
//! | `run` | one invocation: acquire the lease, then deliver; `report`: its parameters and result |
//! | `leased_run` | delivery and the tasks that accompany it while the lease is held |
//! | [`lease`], [`lease_table`] | which run may deliver: conditional writes, epochs, expiry |
//! | `lease_view`, `lease_renewer` | the run's own view of its lease; the writes of the holder |
//! | `desired_state` | the desired state read from the table |
//! | [`checkpoint`] | the state from which the next run resumes |
//! | `progress` | progress of a run: creates checkpoints, computes the resume point |
//! | `reader`, `reader_status` | repeated GetMedia calls → media path → chunks; what it observed |
//! | `output_handler` | media path output → chunks, progress, drain |
//! | [`chunker`] | splits samples into chunks with the same boundaries in every run |
//! | [`queue`] | the bounded buffer between reader and deliverer |
//! | `delivery`, `payload` | ordered delivery, one in flight; retries, dead letters, rewinds |
//! | [`answer`] | interprets the processor's responses |
//! | [`breaker`] | stops sending to a processor that is down |
//! | `polling` | reads the session's status and its listeners' languages |
//! | `handoff` | hands off to the next invocation |
//! | `end_notice` | notifies the listeners of a stopped session |
//! | `drain` | detects that a stopped stream has no more audio |
//! | `metrics`, `run_metrics` | reports totals and observations |
//!
//! A run's state has one owner each (`run_state`): the lease's view, the progress, the queue, the
//! reader's status, the languages and the metrics. A module receives the owners that it uses.
//!
//! # Invariants
//! - Everything before a checkpoint's `next` is accepted by the processor, or skipped and counted.
//! - Two runs from the same checkpoint assign the same positions and produce the same chunks.
//! - A run delivers only while it holds an unexpired lease by its own monotonic clock.
//! - After a failure the audio is still in KVS. A chunk that the processor rejects permanently is
//!   skipped only after it is stored in the dead-letter queue. Audio of a paused session, long gaps
//!   and audio that KVS no longer has are skipped and counted.
//! - Dropping a run at any await point is safe.

pub mod answer;
pub mod breaker;
pub mod checkpoint;
pub mod chunker;
pub mod lease;
pub mod lease_table;
pub mod ports;
pub mod queue;

mod config;
mod context;
mod deadline;
mod delivery;
mod desired_state;
mod drain;
mod end_notice;
mod error;
mod handoff;
mod kvs_clock;
mod lease_renewer;
mod lease_view;
mod leased_run;
mod metrics;
mod output_handler;
mod payload;
mod polling;
mod progress;
mod reader;
mod reader_status;
mod report;
mod retry;
mod run;
mod run_metrics;
mod run_state;
mod shared;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use config::{Config, SAMPLES_PER_MS};
pub use deadline::HandOver;
pub use error::RelayError;
pub use metrics::{Observations, Snapshot};
pub use ports::Relay;
pub use report::{Outcome, Report, RunRequest};
