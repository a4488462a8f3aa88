//! The position up to which a session's samples are accepted, and the conditional step that
//! advances it.

use crate::{PortFuture, SessionId};

/// The position up to which a session's samples are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watermark {
    /// The first sample that has not been accepted.
    pub next: u64,
    /// The newest lease epoch that has delivered.
    pub epoch: u64,
}

/// An attempt to advance a watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// The epoch of the sender's lease. A watermark with a newer epoch does not move.
    pub epoch: u64,
    /// The lowest position from which the watermark may advance: the chunk's start minus its
    /// declared gap.
    pub floor: u64,
    /// The new position. A watermark at or beyond it does not move.
    pub end: u64,
    /// Time at which the item may expire, in seconds since the Unix epoch.
    pub expires_at: u64,
}

impl Advance {
    /// Returns whether the step applies to a watermark. This is the condition of the write.
    #[must_use]
    pub const fn applies_to(&self, at: Watermark) -> bool {
        at.epoch <= self.epoch && self.floor <= at.next && at.next < self.end
    }
}

/// Outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The watermark moved to [`Advance::end`]; contains its previous value.
    From(Watermark),
    /// The watermark did not move, because [`Advance::applies_to`] returns `false`; contains its
    /// value.
    Not(Watermark),
}

/// The store of the watermarks. A session without a stored watermark has [`Watermark::default`].
pub trait Watermarks: Send + Sync {
    /// Advances a session's watermark if the step applies, atomically, in one call.
    ///
    /// # Errors
    /// [`crate::PortError`]: the outcome is unknown. The same step can be retried.
    fn advance(&self, session: &SessionId, step: Advance) -> impl PortFuture<Moved>;

    /// Raises a session's epoch, so that older senders are rejected from now on; keeps a newer
    /// epoch. Returns the resulting watermark.
    ///
    /// # Errors
    /// [`crate::PortError`]: as for [`Watermarks::advance`].
    fn fence(&self, session: &SessionId, epoch: u64) -> impl PortFuture<Watermark>;
}
