//! The store of one stream: its fragments, its connections, and its recent calls.
//!
//! The fragment that a producer is sending is open: it has its number and its timestamps, and its
//! blocks can be read as they arrive. If the producer's connection ends first, it is dropped.

mod held;
mod permit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::fragment::{Fragment, FragmentHead, FragmentNumber, ServerTime};
use super::fragmenter::ProducerFragment;
use super::ingest_error::IngestError;
use super::sent_log::SentLog;
use held::{Held, OpenFragment};
pub(super) use permit::{Access, ConnectionPermit};

/// A limit of this fake, because everything is kept in memory: a day of speech takes a third of it.
const STREAM_BYTES: u64 = 1 << 30;

/// The store of one stream. It outlives the stream's registry entry while connections use it.
#[derive(Debug)]
pub(super) struct FragmentStore {
    name: String,
    held: Mutex<Held>,
    sent_log: Arc<SentLog>,
    /// Cancelled when the stream is deleted.
    closed: CancellationToken,
    /// Counts changes, so that readers can wait for the next change.
    changes: watch::Sender<u64>,
}

/// Blocks of an open fragment that arrived together.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Children of its Cluster.
    pub(super) children: Bytes,
    /// The producer's time of the end of the last block, ms since the epoch.
    pub(super) end_ms: i64,
}

/// The fragment that a reader sends next.
#[derive(Debug)]
pub(super) enum Next {
    Complete(Arc<Fragment>),
    /// It is open and has a block.
    Open(Arc<FragmentHead>),
}

/// What became of a fragment that was open.
#[derive(Debug)]
pub(super) enum Growth {
    /// It is still open: the parts that have arrived since.
    Open(Vec<Part>),
    Complete(Arc<Fragment>),
    /// Its producer's connection ended before it was complete, or it is past the retention.
    Dropped,
}

impl FragmentStore {
    /// Creates an empty store of a stream.
    pub(super) fn new(name: &str, retention_hours: i64) -> Self {
        Self {
            name: name.to_owned(),
            held: Mutex::new(Held { retention_hours, ..Held::default() }),
            sent_log: Arc::default(),
            closed: CancellationToken::new(),
            changes: watch::Sender::new(0),
        }
    }

    /// Returns the stream's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns what was sent of the stream, and when.
    pub(super) fn sent_log(&self) -> Arc<SentLog> {
        Arc::clone(&self.sent_log)
    }

    /// Records that a fragment was sent up to `end_ms` of the producer's time.
    pub(super) fn record_sent(&self, head: &Arc<FragmentHead>, end_ms: i64) {
        self.sent_log.record(head, end_ms);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the connections that wait for a change.
    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Returns a receiver that is notified of changes.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Opens a fragment: it has its number and timestamps from here on. It can be read once it has
    /// grown.
    pub(super) fn open(
        &self,
        server_time: ServerTime,
        producer_ms: i64,
        preamble: Bytes,
    ) -> Arc<FragmentHead> {
        let mut held = self.held();
        held.sequence += 1;
        let (sequence, number) =
            (held.sequence, FragmentNumber::new(held.sequence, rand::random()));
        let head = FragmentHead { sequence, number, server_time, producer_ms, preamble };
        let head = Arc::new(head);
        held.open = Some(OpenFragment { head: Arc::clone(&head), parts: Vec::new() });
        head
    }

    /// Adds blocks to the open fragment, which then lasts `duration_ms`.
    pub(super) fn grow(&self, children: Bytes, duration_ms: i64) {
        let mut held = self.held();
        let Some(open) = &mut held.open else { return };
        let end_ms = open.head.producer_ms.saturating_add(duration_ms);
        open.parts.push(Part { children, end_ms });
        drop(held);
        self.changed();
    }

    /// Stores the fragment that was opened, which is complete. Returns whether it is kept for the
    /// retention period (PERSISTED).
    ///
    /// # Errors
    /// [`IngestError::StreamNotActive`] when the stream was deleted, [`IngestError::Archival`] when
    /// it holds as much as this fake keeps.
    pub(super) fn keep(
        &self,
        head: Arc<FragmentHead>,
        whole: ProducerFragment,
        now_ms: i64,
    ) -> Result<bool, IngestError> {
        let mut held = self.held();
        if self.is_closed() {
            return Err(IngestError::StreamNotActive);
        }
        held.trim(now_ms);
        let fragment = Fragment {
            head,
            stored_ms: now_ms,
            duration_ms: whole.duration_ms,
            cluster: whole.cluster,
            trailing: whole.trailing,
        };
        if held.bytes + fragment.bytes() > STREAM_BYTES {
            return Err(IngestError::Archival);
        }
        held.open = None;
        held.bytes += fragment.bytes();
        held.fragments.push_back(Arc::new(fragment));
        let persisted = held.retention_hours > 0;
        drop(held);
        self.changed();
        Ok(persisted)
    }

    /// Returns the oldest complete fragment after `sequence`.
    pub(super) fn after(&self, sequence: u64, now_ms: i64) -> Option<Arc<Fragment>> {
        let mut held = self.held();
        held.trim(now_ms);
        held.after(sequence).cloned()
    }

    /// Returns the first fragment after `sequence`, in one step: the open fragment may be complete,
    /// and the one after it open, at any time.
    pub(super) fn next(&self, sequence: u64, now_ms: i64) -> Option<Next> {
        let mut held = self.held();
        held.trim(now_ms);
        let complete = held.after(sequence).cloned().map(Next::Complete);
        complete.or_else(|| held.open_after(sequence).map(Next::Open))
    }

    /// Returns the open fragment, if it is after `sequence` and has a block.
    #[cfg(test)]
    pub(super) fn open_after(&self, sequence: u64) -> Option<Arc<FragmentHead>> {
        self.held().open_after(sequence)
    }

    /// Returns what became of the fragment that was open and had `known` parts.
    pub(super) fn growth(&self, sequence: u64, known: usize) -> Growth {
        let held = self.held();
        if let Some(open) = held.open.as_ref().filter(|open| open.head.sequence == sequence) {
            return Growth::Open(open.parts.get(known..).unwrap_or_default().to_vec());
        }
        match held.after(sequence - 1).filter(|fragment| fragment.head.sequence == sequence) {
            Some(fragment) => Growth::Complete(Arc::clone(fragment)),
            None => Growth::Dropped,
        }
    }

    /// Returns the sequence of the fragment with this number, if the stream still has it.
    pub(super) fn sequence_of(&self, number: &str, now_ms: i64) -> Option<u64> {
        let mut held = self.held();
        held.trim(now_ms);
        let complete = held
            .fragments
            .binary_search_by(|fragment| fragment.head.number.as_str().cmp(number))
            .ok()
            .and_then(|at| held.fragments.get(at))
            .map(|fragment| &fragment.head);
        let open = held.open.as_ref().map(|open| &open.head);
        let found = complete.or(open.filter(|head| head.number.as_str() == number));
        found.map(|head| head.sequence)
    }

    /// Returns the sequence before the first complete fragment that `wanted` selects. If it selects
    /// none, returns that of the newest, so that the open or the next fragment is read.
    pub(super) fn before_first(&self, now_ms: i64, wanted: impl Fn(&Fragment) -> bool) -> u64 {
        let mut held = self.held();
        held.trim(now_ms);
        match held.fragments.iter().find(|fragment| wanted(fragment)) {
            Some(fragment) => fragment.head.sequence - 1,
            None => held.fragments.back().map_or(0, |fragment| fragment.head.sequence),
        }
    }

    /// Changes how long fragments are kept.
    pub(super) fn keep_for(&self, hours: i64) {
        self.held().retention_hours = hours;
    }

    /// Closes the store of a deleted stream: no fragment can be read and connections end.
    pub(super) fn close(&self) {
        let mut held = self.held();
        self.closed.cancel();
        held.fragments.clear();
        held.open = None;
        held.bytes = 0;
        drop(held);
        self.changed();
    }

    /// Returns whether the stream is deleted.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Waits until the stream is deleted.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Returns the producer's time of the end of the newest block, ms since the epoch.
    pub(super) fn producer_end_ms(&self) -> Option<i64> {
        let held = self.held();
        let open = held.open.as_ref().and_then(|open| open.parts.last());
        let newest = || held.fragments.back().map(|fragment| fragment.end_ms());
        open.map(|part| part.end_ms).or_else(newest)
    }

    /// Returns its part of `/_local/state`.
    pub(super) fn state(&self, now_ms: i64) -> Value {
        let mut held = self.held();
        held.trim(now_ms);
        json!({
            "fragments": held.fragments.len(),
            "bytes": held.bytes,
            "readers": held.readers,
            "writers": held.writers,
            "firstFragment": held.fragments.front().map(|it| it.head.number.to_string()),
            "lastFragment": held.fragments.back().map(|it| it.head.number.to_string()),
            "openFragment": held.open.as_ref().map(|it| it.head.number.to_string()),
        })
    }
}

#[cfg(test)]
mod tests;
