//! What can go wrong, decided once: retryable or not.

use session::{PortError, SessionId};

/// Why a run could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The table that keeps lease and checkpoint did not answer in time or refused.
    #[error("session {session_id}: the lease table is unavailable: {source}")]
    Store {
        /// The session concerned.
        session_id: SessionId,
        /// What the table said.
        source: PortError,
    },
    /// The checkpoint was written by a newer build (or is damaged): reading on could repeat or lose
    /// samples, so nothing is read.
    #[error("session {session_id}: the checkpoint cannot be read: {source}")]
    Checkpoint {
        /// The session concerned.
        session_id: SessionId,
        /// What is wrong with it.
        source: crate::CheckpointError,
    },
    /// Nobody could say which stream carries the session.
    #[error(
        "session {session_id}: no KVS stream is known for it; start it again once the stream exists"
    )]
    StreamUnknown {
        /// The session concerned.
        session_id: SessionId,
    },
}

impl RelayError {
    /// Whether the platform should run the same event again.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Store { source, .. } => source.is_retryable(),
            // A roll-back of a deploy can be rolled forward; the platform's retries bridge minutes.
            Self::Checkpoint { .. } | Self::StreamUnknown { .. } => true,
        }
    }
}
