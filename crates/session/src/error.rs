//! What a use case answers when it cannot do what was asked.

use std::time::Duration;

use crate::{ErrorKind, PortError, SessionId};

/// Why a session could not be created, read, changed or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such session.
    #[error("session {session_id} does not exist")]
    NotFound {
        /// The session asked for.
        session_id: SessionId,
    },
    /// The session belongs to another speaker.
    #[error("session {session_id} belongs to another speaker")]
    NotOwner {
        /// The session asked for.
        session_id: SessionId,
    },
    /// The session is in a state in which this cannot be done.
    #[error("session {session_id} is still being created")]
    NotReady {
        /// The session asked for.
        session_id: SessionId,
    },
    /// The session has ended, and an ended session is not changed.
    #[error("session {session_id} has ended")]
    Over {
        /// The session asked for.
        session_id: SessionId,
    },
    /// The speaker has as many sessions as one may have at a time.
    #[error("this speaker has {most} sessions already; end one of them first")]
    TooManySessions {
        /// How many one may have.
        most: u32,
    },
    /// The `Idempotency-Key` is that of another request.
    #[error("this Idempotency-Key came with another body before; take a new one")]
    KeyReused,
    /// The same request is under way, or whoever carried it out has died.
    #[error("the request with this Idempotency-Key is still being carried out")]
    InProgress {
        /// After which it is not under way any more.
        retry_after: Duration,
    },
    /// Every id tried was taken.
    #[error("no free session id in {attempts} attempts")]
    NoFreeId {
        /// How many ids were tried.
        attempts: u32,
    },
    /// A step of the creation failed; what was made before it is removed, now or by the health
    /// check.
    #[error("session {session_id} could not be created: {fault}")]
    Creation {
        /// The id that was reserved.
        session_id: SessionId,
        /// The step and its fault.
        fault: PortError,
    },
    /// The Sessions table did not answer as it should.
    #[error("the sessions cannot be reached: {0}")]
    Store(PortError),
}

impl Error {
    /// Whether it is ours, or a service's, rather than the client's.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::NoFreeId { .. } | Self::Creation { .. } | Self::Store(_))
    }

    /// After how long the same request may succeed; `None` when trying again is of no use.
    ///
    /// A reached account limit is given a minute: it takes another session's end to lift it.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        let fault = match self {
            Self::NoFreeId { .. } => return Some(Duration::from_secs(1)),
            Self::Creation { fault, .. } | Self::Store(fault) => fault,
            Self::NotReady { .. } => return Some(Duration::from_secs(5)),
            Self::InProgress { retry_after } => return Some(*retry_after),
            Self::TooManySessions { .. } => return Some(Duration::from_secs(60)),
            Self::NotFound { .. } | Self::NotOwner { .. } | Self::Over { .. } | Self::KeyReused => {
                return None;
            }
        };
        match fault.kind {
            ErrorKind::Throttled => Some(Duration::from_secs(2)),
            ErrorKind::Unavailable | ErrorKind::TimedOut | ErrorKind::InUse => {
                Some(Duration::from_secs(5))
            }
            ErrorKind::LimitExceeded => Some(Duration::from_secs(60)),
            ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Invalid => None,
        }
    }
}
