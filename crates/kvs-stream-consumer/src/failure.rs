//! Errors of an event.

use relay::RelayError;
use session::{InvalidSessionId, PortError, SessionId, event::EventError};

use crate::authority::Contradiction;

/// An error of an event. Lambda, or the queue of a worker, sends the event again, and then to the
/// dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The event is of no kind that this host handles. Retries do not help.
    #[error("unknown event: {0}")]
    UnknownEvent(String),
    /// The status change violates its schema.
    #[error(transparent)]
    InvalidEvent(#[from] EventError),
    /// The status change contradicts its session's record.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// The direct event has no valid session ID.
    #[error("malformed `sessionId`: {0}")]
    InvalidSession(#[from] InvalidSessionId),
    /// The continuation was sent by an unsupported build.
    #[error(
        "continuation of version {found}; this build supports version {known} and the previous one"
    )]
    Version {
        /// The version found.
        found: u64,
        /// The version of this build.
        known: u32,
    },
    /// The direct event names a session that is not in the Sessions table.
    #[error("session {0} does not exist")]
    SessionUnknown(SessionId),
    /// The run failed.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The event could not be forwarded to what runs the sessions.
    #[error("forwarding to what runs the sessions: {0}")]
    Forward(#[source] PortError),
    /// A duty of the health check failed.
    #[error("health check: {0}")]
    HealthCheck(#[from] PortError),
}

impl Failure {
    /// Returns the kind of the error, by which operators filter.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::UnknownEvent(_) | Self::InvalidEvent(_) | Self::InvalidSession(_) => {
                "InvalidEvent"
            }
            Self::Contradiction(_) => "EventContradictsRecord",
            Self::Version { .. } => "UnsupportedVersion",
            Self::SessionUnknown(_) => "SessionUnknown",
            Self::Relay(RelayError::StreamUnknown { .. }) => "StreamUnknown",
            Self::Relay(RelayError::Checkpoint { .. }) => "CheckpointUnreadable",
            Self::Forward(_) => "QueueUnavailable",
            Self::Relay(RelayError::Store { .. }) | Self::HealthCheck(_) => "TableUnavailable",
        }
    }

    /// Returns whether the event itself is invalid, which the metric `InvalidEvent` counts.
    pub(crate) fn is_invalid_event(&self) -> bool {
        matches!(
            self,
            Self::UnknownEvent(_)
                | Self::InvalidEvent(_)
                | Self::Contradiction(_)
                | Self::InvalidSession(_)
        )
    }
}
