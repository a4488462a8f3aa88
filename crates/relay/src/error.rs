//! Errors of a run. Lambda retries the event of a run that fails.

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
