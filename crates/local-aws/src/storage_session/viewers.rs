//! The slots of a channel's viewers.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Viewers of a channel at once (API reference of JoinStorageSessionAsViewer).
pub(super) const MAX_VIEWERS: usize = 3;
/// A viewer that has left keeps its slot for a minute, in which it may join again.
const SLOT_HOLD_MS: i64 = 60_000;

/// The slots of a channel's viewers, by client id.
#[derive(Debug, Default)]
pub(super) struct Viewers(BTreeMap<String, ViewerSlot>);

#[derive(Debug)]
struct ViewerSlot {
    stop: CancellationToken,
    /// When its session ended, ms of the cloud's clock.
    ended_ms: Arc<OnceLock<i64>>,
}

/// A slot that a viewer has taken.
#[derive(Debug)]
pub(super) struct TakenSlot {
    /// Cancelled when the viewer joins again.
    pub(super) stop: CancellationToken,
    /// To be set when the session ends.
    pub(super) ended_ms: Arc<OnceLock<i64>>,
}

impl Viewers {
    /// Takes a slot for a viewer. Its session before ends. `None`: there is no slot.
    pub(super) fn take(
        &mut self,
        client_id: &str,
        stop: CancellationToken,
        now_ms: i64,
    ) -> Option<TakenSlot> {
        self.0.retain(|_, slot| slot.ended_ms.get().is_none_or(|at| now_ms - at < SLOT_HOLD_MS));
        if self.0.len() >= MAX_VIEWERS && !self.0.contains_key(client_id) {
            return None;
        }
        let taken = TakenSlot { stop: stop.clone(), ended_ms: Arc::default() };
        let slot = ViewerSlot { stop, ended_ms: Arc::clone(&taken.ended_ms) };
        if let Some(before) = self.0.insert(client_id.to_owned(), slot) {
            before.stop.cancel();
        }
        Some(taken)
    }

    /// Returns the number of viewers whose session runs.
    pub(super) fn running(&self) -> usize {
        self.0.values().filter(|slot| slot.ended_ms.get().is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_for_a_minute_for_the_viewer_that_left() {
        let mut viewers = Viewers::default();
        let mut take = |id: &str, now_ms| viewers.take(id, CancellationToken::new(), now_ms);
        let first = take("a", 0).unwrap();
        assert!(take("b", 0).is_some() && take("c", 0).is_some());
        assert!(take("d", 0).is_none());
        let again = take("a", 0).unwrap();
        assert!(first.stop.is_cancelled() && !again.stop.is_cancelled());
        again.ended_ms.set(1000).unwrap();
        assert!(take("d", 60_999).is_none());
        assert!(take("d", 61_000).is_some());
        assert!(take("a", 61_000).is_none());
        assert_eq!(viewers.running(), 3);
    }
}
