//! When each fragment first left on a GetMedia connection: the moment from which the delivery
//! latency of a run is counted. It outlives the streams, within a bound.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::fragment::Fragment;

/// Fragments remembered of each stream: eleven hours of two-second ones.
const FRAGMENTS: usize = 20_000;
/// Streams remembered; the one that came first goes first.
const STREAMS: usize = 256;

/// A fragment that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentFragment {
    /// Its place in the stream.
    pub sequence: u64,
    /// The producer's time of its first block, ms since the epoch.
    pub producer_start_ms: i64,
    /// The producer's time of the end of its last block, ms since the epoch.
    pub producer_end_ms: i64,
    /// When its last byte was first handed to a connection: real microseconds since the epoch.
    pub sent_us: u64,
}

/// The memory of all streams.
#[derive(Debug, Default)]
pub(super) struct SentLog {
    streams: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    by_name: BTreeMap<String, VecDeque<SentFragment>>,
    order: VecDeque<String>,
}

impl SentLog {
    /// Notes that the whole of a fragment is out. Only the first time counts: who reads it again
    /// after a hand-off has waited since then.
    pub(super) fn note(&self, stream: &str, fragment: &Fragment) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if !streams.by_name.contains_key(stream) {
            streams.order.push_back(stream.to_owned());
            if streams.order.len() > STREAMS
                && let Some(oldest) = streams.order.pop_front()
            {
                streams.by_name.remove(&oldest);
            }
        }
        let sent = streams.by_name.entry(stream.to_owned()).or_default();
        let at = sent.partition_point(|known| known.sequence < fragment.sequence);
        if sent.get(at).is_some_and(|known| known.sequence == fragment.sequence) {
            return;
        }
        sent.insert(
            at,
            SentFragment {
                sequence: fragment.sequence,
                producer_start_ms: fragment.producer_ms,
                producer_end_ms: fragment.producer_ms + fragment.duration_ms,
                sent_us: now_us(),
            },
        );
        if sent.len() > FRAGMENTS {
            sent.pop_front();
        }
    }

    /// What was sent of a stream, in its order.
    pub(super) fn of(&self, stream: &str) -> Vec<SentFragment> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.by_name.get(stream).map(|sent| sent.iter().copied().collect()).unwrap_or_default()
    }
}

/// Real microseconds since the epoch.
pub fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
