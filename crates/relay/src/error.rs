//! Errors of a run, and whether they are retryable.

use session::{PortError, SessionId};

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The table that stores lease and checkpoint timed out or rejected the call.
    #[error("session {session_id}: the lease table is unavailable: {source}")]
    Store {
        /// The session concerned.
        session_id: SessionId,
        /// The table's error.
        source: PortError,
    },
    /// The checkpoint was written by an unsupported build or is malformed. Nothing is read, because
    /// resuming could repeat or lose samples.
    #[error("session {session_id}: the checkpoint cannot be read: {source}")]
    Checkpoint {
        /// The session concerned.
        session_id: SessionId,
        /// The cause.
        source: crate::CheckpointError,
    },
    /// No event and no stored item names the session's stream.
    #[error(
        "session {session_id}: no KVS stream is known for it; start it again once the stream exists"
    )]
    StreamUnknown {
        /// The session concerned.
        session_id: SessionId,
    },
}

impl RelayError {
    /// Returns whether the platform should retry the event.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Store { source, .. } => source.is_retryable(),
            // A rolled-back deployment can be rolled forward while the platform retries for some
            // minutes.
            Self::Checkpoint { .. } | Self::StreamUnknown { .. } => true,
        }
    }
}
