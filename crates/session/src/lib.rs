//! Domain model and use cases of a session.
//!
//! A speaker opens a *session*, speaks, and closes it. This crate defines what the three Lambda
//! functions share: the session's id and states, its record in the Sessions table, the `Session
//! Status Change` event, the audio payload for the processor, and the names of the metrics. It also
//! contains the use cases, [`SessionService`] and [`reconcile`], written against [`ports`]. The
//! crate performs no I/O and reads neither a clock nor a random source; the ports provide all
//! three.
//!
//! Data flow: request → **`Session`** → **`StatusChange`** → rule → consumer → bytes → packets →
//! PCM → **`AudioPayload`** → processor.

mod arn;
pub use arn::{ArnError, ChannelArn, StreamArn};

pub mod audio;

mod backoff;
pub use backoff::Backoff;

mod change;
pub use change::{Changes, NewStatus};

mod create;
pub use create::NewSession;

mod delete;
pub use delete::Deleted;

mod emit;
pub use emit::emit;

mod error;
pub use error::Error;

pub mod event;

mod port_error;
pub use port_error::{ErrorKind, PortError, PortFuture};

mod post_response;
pub use post_response::{Completed, PostResponse};

mod id;
pub use id::{InvalidSessionId, SessionId};

mod telemetry;
pub use telemetry::{DomainEvent, Severity};

mod language;
pub use language::{Language, UnknownLanguage};

mod limits;
pub use limits::Limits;

pub mod listeners;

pub mod metrics;

pub mod ports;

pub mod reconcile;

mod record;
pub use record::{EndedReason, PendingEvent, Session, Settings, SignalingEndpoints};

mod idempotency;
pub use idempotency::{IdempotencyClaim, IdempotencyKey, IdempotencyRecord, InvalidKey, RequestId};

mod service;
pub use service::{Call, SessionService};

mod status;
pub use status::{QualityTier, SessionStatus};

mod stream_item;
pub use stream_item::{Desired, StreamItem, StreamStatus};

mod tags;
pub use tags::{Ownership, Tags};

mod compensate;

mod warm_pair;
pub use warm_pair::{PairMedia, PairRules, PairState, PairUse, WarmPair};

mod watermark;
pub use watermark::{Advance, Moved, Watermark, Watermarks};

mod id_generator;

#[cfg(test)]
mod fakes;
