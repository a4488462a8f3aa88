//! Why an invocation failed, as Lambda reports it: the error type is what operators filter by.

use lambda_runtime::Diagnostic;
use relay::RelayError;
use session::{InvalidSessionId, PortError, SessionId, event::EventError};

use crate::authority::Contradiction;

/// Everything an invocation can fail with. All of them reach Lambda as a function error, so that
/// its retries and then the dead-letter queue get the event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The event is none that this function knows. Retries will not help; the queue keeps it.
    #[error("not an event of this function: {0}")]
    UnknownEvent(String),
    /// A status change that breaks its contract.
    #[error(transparent)]
    InvalidEvent(#[from] EventError),
    /// A status change that disagrees with what is recorded of its session.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// A direct event without a valid session id.
    #[error("malformed `sessionId`: {0}")]
    InvalidSession(#[from] InvalidSessionId),
    /// A continuation of a build this one does not follow.
    #[error("continuation of version {found}; this build goes on from {known} and the one before")]
    Version {
        /// The version found.
        found: u64,
        /// This build's own.
        known: u32,
    },
    /// A direct start of a session that is not in the Sessions table.
    #[error("session {0} does not exist")]
    SessionUnknown(SessionId),
    /// The run could not be done.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The health check could not read what it reconciles.
    #[error("health check: {0}")]
    HealthCheck(#[from] PortError),
}

impl Failure {
    fn error_type(&self) -> &'static str {
        match self {
            Self::UnknownEvent(_) | Self::InvalidEvent(_) | Self::InvalidSession(_) => {
                "InvalidEvent"
            }
            Self::Contradiction(_) => "EventContradictsRecord",
            Self::Version { .. } => "UnsupportedVersion",
            Self::SessionUnknown(_) => "SessionUnknown",
            Self::Relay(RelayError::StreamUnknown { .. }) => "StreamUnknown",
            Self::Relay(RelayError::Checkpoint { .. }) => "CheckpointUnreadable",
            Self::Relay(RelayError::Store { .. }) | Self::HealthCheck(_) => "TableUnavailable",
        }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.error_type().to_owned(), error_message: failure.to_string() }
    }
}
