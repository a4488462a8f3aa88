//! One GetMedia connection: the next bytes of its body, and when the body ends.
//!
//! The body ends cleanly when nothing was sent for 3 s of the cloud's time, after 45 minutes, and
//! when the stream is deleted; also inside a fragment that is open. An open fragment is sent block
//! by block as it arrives: AWS's staff report some 25 ms a frame (producer-sdk-cpp issues 54 and
//! 625, parser library issue 57). If it is never completed, its document ends without AWS's last
//! Tags, and the next fragment's document follows (an assumption, docs/limits.md).

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
use super::fragment::FragmentHead;
use super::fragment_store::{ConnectionPermit, FragmentStore, Growth, Next};
use super::get_media::RUNNING;
use super::selector::Selector;
use super::traffic::StreamBytes;

/// The body ends after this long without media (API_dataplane_GetMedia).
const IDLE: Duration = Duration::from_secs(3);
/// The longest connection (producer limits page; parser library issues 16, 108, 120).
const LONGEST: Duration = Duration::from_secs(45 * 60);

/// Bytes of the body.
struct Piece {
    bytes: Bytes,
    /// The fragment, and up to which producer's time it is sent with these bytes.
    sent: Option<(Arc<FragmentHead>, i64)>,
}

/// An open fragment whose document was started.
struct Following {
    head: Arc<FragmentHead>,
    /// Its parts that were taken from the store, and their bytes.
    parts: usize,
    bytes: usize,
}

/// One open GetMedia connection.
pub(super) struct Reader {
    kvs: Arc<Kvs>,
    store: Arc<FragmentStore>,
    _permit: ConnectionPermit,
    traffic: Arc<StreamBytes>,
    changes: watch::Receiver<u64>,
    /// The sequence of the last fragment that was taken from the store.
    cursor: u64,
    /// What was taken from the store and is not sent yet.
    pieces: VecDeque<Piece>,
    following: Option<Following>,
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
            traffic: kvs.traffic.of(store.name()),
            kvs,
            store,
            _permit: permit,
            changes,
            cursor: start.unwrap_or_default(),
            pieces: VecDeque::new(),
            following: None,
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
            if let Some(Piece { bytes, sent }) = self.pieces.pop_front() {
                if let Some((head, end_ms)) = sent {
                    self.store.record_sent(&head, end_ms);
                }
                self.idle_from = Instant::now();
                return Some(bytes);
            }
            self.changes.borrow_and_update();
            if self.store.is_closed() || Instant::now() >= self.ends_at {
                self.ended = true;
                return None;
            }
            self.take();
            if !self.pieces.is_empty() {
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

    /// Counts bytes that are sent on the connection.
    pub(super) fn count(&self, bytes: usize) {
        self.traffic.sent(bytes);
    }

    /// Takes what there is to send from the store.
    fn take(&mut self) {
        if let Some(mut following) = self.following.take() {
            match self.store.growth(following.head.sequence, following.parts) {
                Growth::Open(parts) => {
                    for part in parts {
                        following.parts += 1;
                        following.bytes += part.children.len();
                        self.push(document::split(part.children), &following.head, part.end_ms);
                    }
                    self.following = Some(following);
                    return;
                }
                Growth::Complete(fragment) => {
                    let rest = document::rest(
                        &fragment,
                        following.bytes,
                        fragment.head.server_time.age_ms(self.clock()),
                    );
                    return self.push(rest, &fragment.head, fragment.end_ms());
                }
                Growth::Dropped => {}
            }
        }
        match self.store.next(self.cursor, self.clock().now_ms()) {
            Some(Next::Complete(fragment)) => {
                self.cursor = fragment.head.sequence;
                let age_ms = fragment.head.server_time.age_ms(self.clock());
                let pieces = document::pieces(&fragment, age_ms);
                self.push(pieces, &fragment.head, fragment.end_ms());
            }
            Some(Next::Open(head)) => {
                self.cursor = head.sequence;
                self.pieces.push_back(Piece { bytes: document::open(&head), sent: None });
                self.following = Some(Following { head, parts: 0, bytes: 0 });
            }
            None => {}
        }
    }

    /// Adds pieces, the last of which ends at `end_ms` of the producer's time.
    fn push(
        &mut self,
        pieces: impl IntoIterator<Item = Bytes>,
        head: &Arc<FragmentHead>,
        end_ms: i64,
    ) {
        self.pieces.extend(pieces.into_iter().map(|bytes| Piece { bytes, sent: None }));
        if let Some(last) = self.pieces.back_mut() {
            last.sent = Some((Arc::clone(head), end_ms));
        }
    }

    /// Returns whether the current fragment is sent completely.
    pub(super) fn is_between_fragments(&self) -> bool {
        self.pieces.is_empty() && self.following.is_none()
    }

    /// Returns the fault that applies to the running body, and counts this piece of it.
    pub(super) fn running_fault(&self) -> Option<Fault> {
        self.kvs.faults.take("kinesisvideo", RUNNING, self.store.name())
    }

    /// Returns the fragment number for an injected error: that of the last fragment sent.
    pub(super) fn last_number(&self) -> String {
        self.store
            .after(self.cursor.saturating_sub(1), self.clock().now_ms())
            .map(|fragment| fragment.head.number.to_string())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
