//! The store of one stream: its fragments, its connections, and its recent calls.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::aws_error::AwsError;
use crate::rate_limit::RateLimit;

use super::errors;
use super::fragment::{Fragment, FragmentNumber};
use super::fragmenter::ProducerFragment;
use super::ingest_error::IngestError;

/// GetMedia connections at once (hard quota).
const READERS: usize = 3;
/// PutMedia connections at once (hard quota).
const WRITERS: usize = 1;
/// Calls of one media API each second of the cloud (hard quota).
const CALLS_PER_SECOND: usize = 5;
/// The buffer of a stream without retention: five minutes or 200 MB (CreateStream's page).
const BUFFER_MS: i64 = 300_000;
const BUFFER_BYTES: u64 = 200_000_000;
/// A limit of this fake, because everything is kept in memory: a day of speech takes a third of it.
const STREAM_BYTES: u64 = 1 << 30;
const HOUR_MS: i64 = 3_600_000;

/// The store of one stream. It outlives the stream's registry entry while connections use it.
#[derive(Debug)]
pub(super) struct FragmentStore {
    name: String,
    held: Mutex<Held>,
    /// Counts changes, so that readers can wait for the next change.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Held {
    fragments: VecDeque<Arc<Fragment>>,
    bytes: u64,
    sequence: u64,
    retention_hours: i64,
    closed: bool,
    readers: usize,
    writers: usize,
    get_calls: RateLimit<CALLS_PER_SECOND>,
    put_calls: RateLimit<CALLS_PER_SECOND>,
}

/// Which media API a connection uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    fn operation(self) -> &'static str {
        match self {
            Self::Read => "GetMedia",
            Self::Write => "PutMedia",
        }
    }
}

/// A connection that counts against a stream's limit until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    store: Arc<FragmentStore>,
    access: Access,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut held = self.store.held();
        match self.access {
            Access::Read => held.readers -= 1,
            Access::Write => held.writers -= 1,
        }
    }
}

/// The number and the time that a fragment gets when its ingestion begins.
#[derive(Debug, Clone)]
pub(super) struct FragmentId {
    pub(super) sequence: u64,
    pub(super) number: FragmentNumber,
    pub(super) server_ms: i64,
}

impl FragmentStore {
    /// Creates an empty store of a stream.
    pub(super) fn new(name: &str, retention_hours: i64) -> Self {
        Self {
            name: name.to_owned(),
            held: Mutex::new(Held { retention_hours, ..Held::default() }),
            changes: watch::Sender::new(0),
        }
    }

    /// Returns the stream's name.
    pub(super) fn name(&self) -> &str {
        &self.name
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

    /// Counts a call and returns a permit for a connection.
    ///
    /// # Errors
    /// `ClientLimitExceededException` beyond five calls a second,
    /// `ConnectionLimitExceededException` beyond the limit of connections.
    pub(super) fn acquire(
        self: &Arc<Self>,
        access: Access,
        now_ms: i64,
    ) -> Result<ConnectionPermit, AwsError> {
        let mut held = self.held();
        let calls = match access {
            Access::Read => &mut held.get_calls,
            Access::Write => &mut held.put_calls,
        };
        if !calls.admit(now_ms) {
            return Err(errors::too_many_calls(access.operation()));
        }
        let (taken, most) = match access {
            Access::Read => (&mut held.readers, READERS),
            Access::Write => (&mut held.writers, WRITERS),
        };
        if *taken >= most {
            return Err(errors::too_many_connections(access.operation(), most));
        }
        *taken += 1;
        drop(held);
        Ok(ConnectionPermit { store: Arc::clone(self), access })
    }

    /// Begins a fragment: it has its number and server timestamp from here on.
    pub(super) fn begin(&self, server_ms: i64) -> FragmentId {
        let mut held = self.held();
        held.sequence += 1;
        let number = FragmentNumber::new(held.sequence, rand::random());
        FragmentId { sequence: held.sequence, number, server_ms }
    }

    /// Stores a complete fragment. Returns whether it is kept for the retention period (PERSISTED).
    ///
    /// # Errors
    /// [`IngestError::StreamNotActive`] when the stream was deleted, [`IngestError::Archival`] when
    /// it holds as much as this fake keeps.
    pub(super) fn keep(
        &self,
        fragment_id: FragmentId,
        whole: ProducerFragment,
        producer_ms: i64,
        now_ms: i64,
    ) -> Result<bool, IngestError> {
        let mut held = self.held();
        if held.closed {
            return Err(IngestError::StreamNotActive);
        }
        held.trim(now_ms);
        let fragment = Fragment {
            sequence: fragment_id.sequence,
            number: fragment_id.number,
            server_ms: fragment_id.server_ms,
            stored_ms: now_ms,
            producer_ms,
            duration_ms: whole.duration_ms,
            preamble: whole.preamble,
            cluster: whole.cluster,
            trailing: whole.trailing,
        };
        if held.bytes + fragment.bytes() > STREAM_BYTES {
            return Err(IngestError::Archival);
        }
        held.bytes += fragment.bytes();
        held.fragments.push_back(Arc::new(fragment));
        let persisted = held.retention_hours > 0;
        drop(held);
        self.changed();
        Ok(persisted)
    }

    /// Returns the oldest fragment after `sequence`.
    pub(super) fn after(&self, sequence: u64, now_ms: i64) -> Option<Arc<Fragment>> {
        let mut held = self.held();
        held.trim(now_ms);
        let at = held.fragments.partition_point(|fragment| fragment.sequence <= sequence);
        held.fragments.get(at).cloned()
    }

    /// Returns the sequence of the fragment with this number, if the stream still has it.
    pub(super) fn sequence_of(&self, number: &str, now_ms: i64) -> Option<u64> {
        let mut held = self.held();
        held.trim(now_ms);
        held.fragments
            .binary_search_by(|fragment| fragment.number.as_str().cmp(number))
            .ok()
            .and_then(|at| held.fragments.get(at))
            .map(|fragment| fragment.sequence)
    }

    /// Returns the sequence before the first fragment that `wanted` selects. If it selects none,
    /// returns that of the newest, so that the next fragment is read.
    pub(super) fn before_first(&self, now_ms: i64, wanted: impl Fn(&Fragment) -> bool) -> u64 {
        let mut held = self.held();
        held.trim(now_ms);
        match held.fragments.iter().find(|fragment| wanted(fragment)) {
            Some(fragment) => fragment.sequence - 1,
            None => held.fragments.back().map_or(0, |fragment| fragment.sequence),
        }
    }

    /// Changes how long fragments are kept.
    pub(super) fn keep_for(&self, hours: i64) {
        self.held().retention_hours = hours;
    }

    /// Closes the store of a deleted stream: no fragment can be read and connections end.
    pub(super) fn close(&self) {
        let mut held = self.held();
        held.closed = true;
        held.fragments.clear();
        held.bytes = 0;
        drop(held);
        self.changed();
    }

    /// Returns whether the stream is deleted.
    pub(super) fn is_closed(&self) -> bool {
        self.held().closed
    }

    /// Returns the producer's time of the end of the newest fragment, ms since the epoch.
    pub(super) fn producer_end_ms(&self) -> Option<i64> {
        let held = self.held();
        held.fragments.back().map(|fragment| fragment.producer_ms + fragment.duration_ms)
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
            "firstFragment": held.fragments.front().map(|fragment| fragment.number.to_string()),
            "lastFragment": held.fragments.back().map(|fragment| fragment.number.to_string()),
        })
    }
}

impl Held {
    /// Drops fragments beyond the retention, or beyond the buffer of a stream without one.
    fn trim(&mut self, now_ms: i64) {
        let (keep_ms, keep_bytes) = match self.retention_hours {
            0 => (BUFFER_MS, BUFFER_BYTES),
            hours => (hours * HOUR_MS, u64::MAX),
        };
        while let Some(oldest) = self.fragments.front() {
            if now_ms - oldest.stored_ms <= keep_ms && self.bytes <= keep_bytes {
                break;
            }
            self.bytes -= oldest.bytes();
            self.fragments.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(store: &FragmentStore, now_ms: i64) -> FragmentNumber {
        keep_begun(store, store.begin(now_ms), now_ms)
    }

    fn keep_begun(store: &FragmentStore, fragment_id: FragmentId, now_ms: i64) -> FragmentNumber {
        let number = fragment_id.number.clone();
        let whole = ProducerFragment {
            timecode_ms: 0,
            duration_ms: 1000,
            preamble: Default::default(),
            cluster: vec![0; 100].into(),
            trailing: Default::default(),
        };
        store.keep(fragment_id, whole, now_ms, now_ms).unwrap();
        number
    }

    #[test]
    fn retention_is_kept_by_the_clock() {
        let store = FragmentStore::new("s", 1);
        let first = keep(&store, 0);
        let second = keep(&store, HOUR_MS);
        assert_eq!(store.sequence_of(first.as_str(), HOUR_MS), Some(1));
        assert_eq!(store.sequence_of(first.as_str(), HOUR_MS + 1), None);
        assert_eq!(store.sequence_of(second.as_str(), 2 * HOUR_MS), Some(2));
        assert_eq!(store.state(2 * HOUR_MS)["bytes"], 100);
        store.keep_for(0);
        assert!(store.after(0, HOUR_MS + BUFFER_MS + 1).is_none());
    }

    #[test]
    fn retention_begins_when_the_fragment_is_stored() {
        let store = FragmentStore::new("s", 1);
        let number = keep_begun(&store, store.begin(0), 30 * HOUR_MS);
        assert_eq!(store.sequence_of(number.as_str(), 31 * HOUR_MS), Some(1));
        assert_eq!(store.sequence_of(number.as_str(), 31 * HOUR_MS + 1), None);
    }

    #[test]
    fn places_and_calls_are_limited() {
        let store = Arc::new(FragmentStore::new("s", 1));
        let permits: Vec<ConnectionPermit> =
            (0..3).map(|_| store.acquire(Access::Read, 0).unwrap()).collect();
        let full = store.acquire(Access::Read, 0).unwrap_err();
        assert_eq!(full.code, "ConnectionLimitExceededException");
        drop(permits);
        let _one = store.acquire(Access::Read, 999).unwrap();
        let often = store.acquire(Access::Read, 999).unwrap_err();
        assert_eq!(often.code, "ClientLimitExceededException");
        assert!(store.acquire(Access::Read, 1000).is_ok());
        let writer = store.acquire(Access::Write, 0).unwrap();
        assert!(store.acquire(Access::Write, 0).is_err());
        drop(writer);
    }
}
