//! When each fragment was first sent on a GetMedia connection: the start of the delivery latency in
//! a run's report. Records outlive their streams, up to a limit.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::clock::real_now_us;

use super::fragment::Fragment;
use ebml::id;

/// Maximum number of recorded fragments per stream: eleven hours of two-second ones.
const FRAGMENTS: usize = 20_000;
/// The most streams that are recorded; the oldest is dropped first.
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
    /// The decoder's delay that its audio track declares (CodecDelay), in microseconds.
    pub codec_delay_us: i64,
    /// When its last byte was first handed to a connection: real microseconds since the epoch.
    pub sent_us: u64,
}

/// The records of all streams.
#[derive(Debug, Default)]
pub(super) struct DeliveryLog {
    streams: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    by_name: BTreeMap<String, VecDeque<SentFragment>>,
    order: VecDeque<String>,
}

impl DeliveryLog {
    /// Records that a fragment was sent completely. Only the first time counts: a consumer that
    /// reads it again after a hand-off has waited since then.
    pub(super) fn record(&self, stream: &str, fragment: &Fragment) {
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
                codec_delay_us: codec_delay_us(&fragment.preamble),
                sent_us: real_now_us(),
            },
        );
        if sent.len() > FRAGMENTS {
            sent.pop_front();
        }
    }

    /// Returns the sent fragments of a stream, in stream order.
    pub(super) fn of(&self, stream: &str) -> Vec<SentFragment> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.by_name.get(stream).map(|sent| sent.iter().copied().collect()).unwrap_or_default()
    }
}

/// Returns the CodecDelay of the first track that has one; 0, Matroska's default, if none has.
fn codec_delay_us(preamble: &[u8]) -> i64 {
    const CODEC_DELAY: u32 = 0x56AA;
    let found = || -> Option<u64> {
        let mut rest = preamble;
        loop {
            let head = ebml::header(rest).ok()??;
            let size = match head.id {
                id::SEGMENT => 0,
                _ => usize::try_from(head.size?).ok()?,
            };
            let payload = rest.get(head.len..head.len.checked_add(size)?)?;
            rest = rest.get(head.len + size..)?;
            if head.id != id::TRACKS {
                continue;
            }
            let entries = ebml::children(payload).ok()?;
            let fields = entries.into_iter().filter_map(|(_, entry)| ebml::children(entry).ok());
            let delay = fields.flatten().find(|(id, value)| *id == CODEC_DELAY && value.len() <= 8);
            return delay.map(|(_, value)| ebml::number(value));
        }
    };
    found().and_then(|ns| i64::try_from(ns / 1000).ok()).unwrap_or_default()
}
