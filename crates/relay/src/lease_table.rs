//! The table that stores lease, checkpoint and desired state of each session.

use session::{PortFuture, SessionId, Settings, StreamArn, StreamItem};

use crate::checkpoint::Checkpoint;

/// Conditional writes on the Streams table. Each returns `Ok(None)` if its condition failed and an
/// error for any other failure.
pub trait LeaseTable: Send + Sync {
    /// Reads the item with a consistent read.
    ///
    /// # Errors
    /// The table timed out or rejected the call.
    fn load(&self, session: &SessionId) -> impl PortFuture<Option<StreamItem>>;

    /// Takes the lease: sets owner, `epoch + 1` and expiry and removes the successor, if owner,
    /// epoch and expiry still match `seen`. Returns the updated item.
    ///
    /// # Errors
    /// The table timed out or rejected the call.
    fn take(
        &self,
        session: &SessionId,
        seen: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> impl PortFuture<Option<StreamItem>>;

    /// Renews the lease and stores the checkpoint, if owner and epoch match and the stored revision
    /// is older. If owner and epoch match but the stored revision is not older, the write was
    /// already applied or superseded: it changes nothing and counts as success. Returns the stored
    /// item.
    ///
    /// # Errors
    /// The table timed out or rejected the call.
    fn renew(
        &self,
        session: &SessionId,
        renewal: Renewal<'_>,
    ) -> impl PortFuture<Option<StreamItem>>;

    /// Stores the checkpoint, clears the owner and, with `ended`, sets the status in one write, if
    /// owner and epoch match.
    ///
    /// # Errors
    /// The table timed out or rejected the call.
    fn release(
        &self,
        session: &SessionId,
        renewal: Renewal<'_>,
        ended: bool,
    ) -> impl PortFuture<Option<()>>;

    /// Records that `successor` is ready to take over, if the epoch is still `epoch`.
    ///
    /// # Errors
    /// The table timed out or rejected the call.
    fn announce(
        &self,
        session: &SessionId,
        epoch: u64,
        successor: &str,
    ) -> impl PortFuture<Option<()>>;

    /// Creates the item if it does not exist, and sets stream and settings where absent. Keeps a
    /// stop that was already requested. Returns the updated item.
    ///
    /// # Errors
    /// The table timed out or rejected the call.
    fn request_run(
        &self,
        session: &SessionId,
        stream: Option<&StreamArn>,
        settings: Option<&Settings>,
    ) -> impl PortFuture<StreamItem>;

    /// Sets the desired state to STOP and `stop_at` if not set, creating the item if it does not
    /// exist. Returns the updated item.
    ///
    /// # Errors
    /// The table timed out or rejected the call.
    fn request_stop(&self, session: &SessionId, stop_at: u64) -> impl PortFuture<StreamItem>;
}

/// One write of the lease holder.
#[derive(Debug, Clone, Copy)]
pub struct Renewal<'a> {
    /// The holder.
    pub owner: &'a str,
    /// Its epoch.
    pub epoch: u64,
    /// Increases with each write of this holder.
    pub revision: u64,
    /// Expiry of the lease, wall clock, ms.
    pub expires_at: u64,
    /// The current checkpoint.
    pub checkpoint: &'a Checkpoint,
    /// Last activity, wall clock, ms: the last fragment, or now while the processor blocks reading.
    pub last_activity_at: Option<u64>,
}
