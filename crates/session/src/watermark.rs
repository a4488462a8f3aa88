//! How far a session has been accepted, and the one conditional step that moves it.

use std::future::Future;

use crate::{PortError, SessionId};

/// How far a session has been accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watermark {
    /// The first sample that has not been accepted.
    pub next: u64,
    /// The newest lease that has delivered.
    pub epoch: u64,
}

/// One attempt to move a watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The sender's lease; a watermark with a newer one stays.
    pub epoch: u64,
    /// The least position that the watermark may have: the chunk's start less its declared gap.
    pub floor: u64,
    /// Where it moves; a watermark that has got there stays.
    pub end: u64,
    /// When the item may be forgotten, in seconds since the Unix epoch.
    pub expires_at: u64,
}

impl Step {
    /// Whether a watermark moves: the condition of the write, in one place.
    #[must_use]
    pub const fn applies_to(&self, at: Watermark) -> bool {
        at.epoch <= self.epoch && self.floor <= at.next && at.next < self.end
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The watermark moved to [`Step::end`]; it stood here before.
    From(Watermark),
    /// It stays here: [`Step::applies_to`] says no.
    Not(Watermark),
}

/// The store of the watermarks. A session without one stands at [`Watermark::default`].
pub trait Watermarks: Send + Sync {
    /// Moves a session's watermark if the step applies, atomically, in one call.
    ///
    /// # Errors
    /// [`PortError`]: whether it moved is then unknown. The same step may be tried again.
    fn advance(
        &self,
        session: &SessionId,
        step: Step,
    ) -> impl Future<Output = Result<Moved, PortError>> + Send;

    /// Raises a session's epoch, so that older senders are refused from now on; leaves a newer one.
    /// Returns the watermark as it then is.
    ///
    /// # Errors
    /// [`PortError`]: as for [`Watermarks::advance`].
    fn fence(
        &self,
        session: &SessionId,
        epoch: u64,
    ) -> impl Future<Output = Result<Watermark, PortError>> + Send;
}
