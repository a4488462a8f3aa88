//! What the reader has observed of the stream, for the renewer and the hand-off.

use std::sync::MutexGuard;

use tokio::sync::SetOnce;

use crate::shared::Shared;

/// Observations of the reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Wall clock of the session's last activity, ms: when KVS received the newest fragment, or
    /// the last time at which the stream could not be read.
    pub(crate) active_at: Option<u64>,
    /// Longest fragment, ms.
    pub(crate) longest_fragment_ms: Option<u64>,
    /// When KVS began to receive the fragment being read, ms; `None` between fragments.
    pub(crate) open_fragment_since: Option<u64>,
}

/// The observations, shared by the parts of a run.
#[derive(Debug, Default)]
pub(crate) struct ReaderStatus {
    connected: SetOnce<()>,
    observed: Shared<Observed>,
}

impl ReaderStatus {
    /// Returns the observations. The guard must not be held across an await.
    pub(crate) fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock()
    }

    /// Records activity at `at_ms`, wall clock.
    pub(crate) fn observe_activity(&self, at_ms: u64) {
        let mut observed = self.observed();
        observed.active_at = observed.active_at.max(Some(at_ms));
    }

    /// Records the lengths of fragments, ms. A fragment without audio has none.
    pub(crate) fn observe_lengths(&self, lengths: impl IntoIterator<Item = u64>) {
        let mut observed = self.observed();
        let lengths = lengths.into_iter().filter(|length| *length > 0);
        observed.longest_fragment_ms = lengths.chain(observed.longest_fragment_ms).max();
    }

    /// Records that a GetMedia connection was opened.
    pub(crate) fn set_connected(&self) {
        self.connected.set(()).ok();
    }

    /// Resolves once a GetMedia connection was opened.
    pub(crate) async fn connected(&self) {
        self.connected.wait().await;
    }
}
