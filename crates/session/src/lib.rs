//! What a session is.
//!
//! A speaker opens a *session*, talks, and closes it. This crate holds everything the three Lambdas
//! must agree on about that: the id and the states of a session, its record in the Sessions table,
//! the `Session Status Change` event, the audio payload handed to the processor, and the names of
//! the metrics. It does no I/O and reads no clock.
//!
//! Where it stands on the way: request → **`Session`** → **`StatusChange`** → rule → consumer →
//! bytes → packets → PCM → **`AudioPayload`** → processor.

mod arn;
pub use arn::{ArnError, ChannelArn, StreamArn};

pub mod audio;

pub mod event;

mod id;
pub use id::{InvalidSessionId, SessionId};

mod language;
pub use language::{Language, UnknownLanguage};

pub mod metrics;

mod record;
pub use record::{EndedReason, PendingEvent, Session, Settings, SignalingEndpoints};

mod status;
pub use status::{QualityTier, SessionStatus, UnknownQualityTier};
