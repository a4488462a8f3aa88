//! The desired state of a session, as last read from its item in the Streams table.

use session::{Desired, Settings, StreamItem};

/// The part of the Streams item that may change while a run holds the lease.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DesiredState {
    pub(crate) desired: Desired,
    /// Whether delivery is paused: audio is skipped and counted.
    pub(crate) paused: bool,
    /// Time of the stop request, wall clock, ms.
    pub(crate) stop_at: Option<u64>,
    pub(crate) settings: Option<Settings>,
    /// The next run, whose GetMedia connection is open.
    pub(crate) successor: Option<String>,
}

impl From<&StreamItem> for DesiredState {
    fn from(item: &StreamItem) -> Self {
        Self {
            desired: item.desired,
            paused: item.is_paused(),
            stop_at: item.stop_at,
            settings: item.settings.clone(),
            successor: item.successor.clone(),
        }
    }
}

impl DesiredState {
    pub(crate) fn is_stop(&self) -> bool {
        self.desired == Desired::Stop
    }

    /// Returns the state that follows when `read` is read from the table. A stop is never undone,
    /// whichever source reported it first.
    pub(crate) fn updated(&self, read: Self) -> Self {
        if self.is_stop() && !read.is_stop() {
            return Self {
                desired: Desired::Stop,
                paused: self.paused,
                stop_at: self.stop_at,
                ..read
            };
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_never_undone_and_everything_else_follows_the_table() {
        let stopped =
            DesiredState { desired: Desired::Stop, stop_at: Some(7), ..Default::default() };
        let read = DesiredState { successor: Some("b".to_owned()), ..Default::default() };
        let updated = stopped.updated(read.clone());
        assert_eq!((updated.desired, updated.stop_at), (Desired::Stop, Some(7)));
        assert_eq!(updated.successor, read.successor);
        assert_eq!(DesiredState::default().updated(stopped.clone()), stopped);
    }
}
