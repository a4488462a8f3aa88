//! One GetMedia connection: the next bytes of its body, and when the body ends.
//!
//! The body ends cleanly when no fragment came for 3 s of the cloud's time, after 45 minutes, and
//! when the stream is deleted. A fragment is sent when it is complete (documentation and recorded
//! output do not show whether AWS sends parts of one).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::faults::Fault;

use super::Kvs;
use super::document;
use super::fragment::Fragment;
use super::fragment_store::{ConnectionPermit, FragmentStore};
use super::get_media::RUNNING;
use super::selector::Selector;

/// The body ends after this long without a new fragment (API_dataplane_GetMedia).
const IDLE: Duration = Duration::from_secs(3);
/// The longest connection (producer limits page; parser library issues 16, 108, 120).
const LONGEST: Duration = Duration::from_secs(45 * 60);

/// One open GetMedia connection.
pub(super) struct Reader {
    kvs: Arc<Kvs>,
    store: Arc<FragmentStore>,
    _permit: ConnectionPermit,
    changes: watch::Receiver<u64>,
    /// The sequence of the last fragment that was taken from the store.
    cursor: u64,
    /// The rest of the fragment that is being sent.
    pieces: VecDeque<Bytes>,
    going_out: Option<Arc<Fragment>>,
    /// The requested fragment, if the stream does not have it.
    not_found: Option<String>,
    idle_from: Instant,
    ends_at: Instant,
    ended: bool,
}

impl Reader {
    pub(super) fn start(
        kvs: Arc<Kvs>,
        store: Arc<FragmentStore>,
        permit: ConnectionPermit,
        selector: &Selector,
        now_ms: i64,
    ) -> Self {
        let changes = store.watch();
        let start = selector.resolve(&store, now_ms);
        let not_found = match (start, selector) {
            (None, Selector::After(number)) => Some(number.clone()),
            _ => None,
        };
        let now = Instant::now();
        Self {
            ends_at: now + kvs.clock.real(LONGEST),
            kvs,
            store,
            _permit: permit,
            changes,
            cursor: start.unwrap_or_default(),
            pieces: VecDeque::new(),
            going_out: None,
            not_found,
            idle_from: now,
            ended: false,
        }
    }

    fn clock(&self) -> &Clock {
        &self.kvs.clock
    }

    /// Returns the next bytes of the body, or `None` at its clean end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if let Some(number) = self.not_found.take() {
            self.ended = true;
            return Some(document::error(4000, document::error_code(4000), &number));
        }
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                if self.pieces.is_empty()
                    && let Some(sent) = self.going_out.take()
                {
                    self.kvs.delivery_log.record(self.store.name(), &sent);
                    self.idle_from = Instant::now();
                }
                return Some(piece);
            }
            self.changes.borrow_and_update();
            if self.store.is_closed() || Instant::now() >= self.ends_at {
                self.ended = true;
                return None;
            }
            let now_ms = self.clock().now_ms();
            if let Some(fragment) = self.store.after(self.cursor, now_ms) {
                self.cursor = fragment.sequence;
                self.pieces = document::pieces(&fragment, fragment.age_ms()).into();
                self.going_out = Some(fragment);
                continue;
            }
            let until = (self.idle_from + self.clock().real(IDLE)).min(self.ends_at);
            tokio::select! {
                changed = self.changes.changed() => self.ended = changed.is_err(),
                () = tokio::time::sleep_until(until) => self.ended = true,
            }
            if self.ended {
                return None;
            }
        }
    }

    /// Returns whether the current fragment is sent completely.
    pub(super) fn is_between_fragments(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the fault that applies to the running body, and counts this piece of it.
    pub(super) fn running_fault(&self) -> Option<Fault> {
        self.kvs.faults.take("kinesisvideo", RUNNING, self.store.name())
    }

    /// Returns the fragment number for an injected error: that of the last fragment sent.
    pub(super) fn last_number(&self) -> String {
        self.store
            .after(self.cursor.saturating_sub(1), self.clock().now_ms())
            .map(|fragment| fragment.number.to_string())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use crate::faults::Faults;
    use sam_template::Account;

    use super::super::fragment_store::Access;
    use super::super::fragmenter::ProducerFragment;
    use super::*;

    fn keep(store: &FragmentStore, now_ms: i64) {
        let whole = ProducerFragment {
            timecode_ms: 0,
            duration_ms: 1000,
            preamble: Bytes::new(),
            cluster: Bytes::from_static(b"cluster"),
            trailing: Bytes::new(),
        };
        let fragment_id = store.begin(now_ms);
        store.keep(fragment_id, whole, now_ms, now_ms).unwrap();
    }

    #[tokio::test]
    async fn the_longest_connection_ends_although_fragments_come() {
        let clock = Clock::new(1.0);
        let kvs = Kvs::new(clock.clone(), Faults::default(), Account::default(), String::new());
        let store = Arc::new(FragmentStore::new("s", 24));
        let permit = store.acquire(Access::Read, 0).unwrap();
        let earliest = Selector::Earliest;
        let mut reader = Reader::start(kvs, Arc::clone(&store), permit, &earliest, clock.now_ms());
        let left = reader.ends_at - Instant::now();
        assert!(left <= LONGEST && left > LONGEST - Duration::from_secs(60));
        keep(&store, clock.now_ms());
        assert!(reader.next().await.is_some());
        keep(&store, clock.now_ms());
        reader.ends_at = Instant::now();
        assert_eq!(reader.next().await, None);
    }
}
