//! Errors of the use cases.

use std::time::Duration;

use crate::{ErrorKind, PortError, SessionId};

/// Why a session could not be created, read, changed or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The session does not exist.
    #[error("session {session_id} does not exist")]
    NotFound {
        /// The requested session.
        session_id: SessionId,
    },
    /// The session belongs to another speaker.
    #[error("session {session_id} belongs to another speaker")]
    NotOwner {
        /// The requested session.
        session_id: SessionId,
    },
    /// The session is still being created.
    #[error("session {session_id} is still being created")]
    NotReady {
        /// The requested session.
        session_id: SessionId,
    },
    /// The session has ended and can no longer be changed.
    #[error("session {session_id} has ended")]
    Over {
        /// The requested session.
        session_id: SessionId,
    },
    /// The speaker has reached the session limit.
    #[error("the speaker has reached the limit of {max_sessions} sessions; end one first")]
    TooManySessions {
        /// The limit.
        max_sessions: u32,
    },
    /// The `Idempotency-Key` was used with a different request.
    #[error("Idempotency-Key was already used with a different request body")]
    KeyReused,
    /// The same request is in progress, or the invocation that ran it has failed.
    #[error("a request with this Idempotency-Key is in progress")]
    InProgress {
        /// Time after which the request no longer counts as in progress.
        retry_after: Duration,
    },
    /// Every id that was tried is taken.
    #[error("no unused session id found in {attempts} attempts")]
    NoFreeId {
        /// Number of ids tried.
        attempts: u32,
    },
    /// A step of the creation failed. The resources created before are removed, now or by the
    /// health check.
    #[error("session {session_id} could not be created: {cause}")]
    Creation {
        /// The reserved id.
        session_id: SessionId,
        /// The error of the step.
        cause: PortError,
    },
    /// The Sessions table returned an error or no response.
    #[error("sessions table unavailable: {0}")]
    Store(#[from] PortError),
}

impl Error {
    /// Creates the error of a write that was overtaken by another one in every attempt.
    pub(crate) fn always_changing(operation: &'static str) -> Self {
        let message = "the session changed during every attempt";
        Self::Store(PortError::new(operation, ErrorKind::InUse, message))
    }

    /// Returns whether the error is caused by this system or by AWS rather than by the client.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::NoFreeId { .. } | Self::Creation { .. } | Self::Store(_))
    }

    /// Returns the time after which a retry may succeed, or `None` if a retry cannot succeed.
    ///
    /// An account limit is retried after a minute, because another session must end first.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        let cause = match self {
            Self::NoFreeId { .. } => return Some(Duration::from_secs(1)),
            Self::Creation { cause, .. } | Self::Store(cause) => cause,
            Self::NotReady { .. } => return Some(Duration::from_secs(5)),
            Self::InProgress { retry_after } => return Some(*retry_after),
            Self::TooManySessions { .. } => return Some(Duration::from_secs(60)),
            Self::NotFound { .. } | Self::NotOwner { .. } | Self::Over { .. } | Self::KeyReused => {
                return None;
            }
        };
        match cause.kind {
            ErrorKind::Throttled => Some(Duration::from_secs(2)),
            ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::InUse => {
                Some(Duration::from_secs(5))
            }
            ErrorKind::LimitExceeded => Some(Duration::from_secs(60)),
            ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Invalid => None,
        }
    }
}
