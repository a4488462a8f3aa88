//! What a stream holds.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Part;
use crate::kvs::fragment::{Fragment, FragmentHead};
use crate::rate_limit::RateLimit;

/// Calls of one media API each second of the cloud (hard quota).
const CALLS_PER_SECOND: usize = 5;
/// The buffer of a stream without retention: five minutes or 200 MB (CreateStream's page).
pub(super) const BUFFER_MS: i64 = 300_000;
const BUFFER_BYTES: u64 = 200_000_000;
pub(super) const HOUR_MS: i64 = 3_600_000;

/// The fragments and counters of a stream.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) fragments: VecDeque<Arc<Fragment>>,
    pub(super) open: Option<OpenFragment>,
    /// Of the complete fragments. An open one has at most 50 MB.
    pub(super) bytes: u64,
    pub(super) sequence: u64,
    pub(super) retention_hours: i64,
    pub(super) readers: usize,
    pub(super) writers: usize,
    pub(super) get_calls: RateLimit<CALLS_PER_SECOND>,
    pub(super) put_calls: RateLimit<CALLS_PER_SECOND>,
}

/// The fragment that the stream's producer is sending.
#[derive(Debug)]
pub(super) struct OpenFragment {
    pub(super) head: Arc<FragmentHead>,
    pub(super) parts: Vec<Part>,
}

impl Held {
    /// Returns the oldest complete fragment after `sequence`.
    pub(super) fn after(&self, sequence: u64) -> Option<&Arc<Fragment>> {
        let at = self.fragments.partition_point(|fragment| fragment.head.sequence <= sequence);
        self.fragments.get(at)
    }

    /// Returns the open fragment, if it is after `sequence` and has a block.
    pub(super) fn open_after(&self, sequence: u64) -> Option<Arc<FragmentHead>> {
        let open = self.open.as_ref()?;
        let is_next = open.head.sequence > sequence && !open.parts.is_empty();
        is_next.then(|| Arc::clone(&open.head))
    }

    /// Drops fragments beyond the retention, or beyond the buffer of a stream without one.
    pub(super) fn trim(&mut self, now_ms: i64) {
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
