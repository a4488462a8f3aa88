//! When each fragment, or each part of one that was still being received, was first sent on a
//! GetMedia connection: the start of the delivery latency in a run's report. Records outlive their
//! streams, up to a limit.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::clock::real_now_us;

use super::fragment::FragmentHead;
use ebml::id;

/// Maximum number of recorded parts per stream: seven minutes of blocks of 20 ms that were sent one
/// by one, eleven hours of whole fragments of two seconds.
const PARTS: usize = 20_000;
/// The most streams that are recorded; the oldest is dropped first.
const STREAMS: usize = 64;

/// A part of a fragment that was sent, from the part before it on; or all of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPart {
    /// The fragment's place in the stream.
    pub sequence: u64,
    /// The producer's time of the fragment's start, ms since the epoch.
    pub producer_start_ms: i64,
    /// The producer's time of the end of the part's last block, ms since the epoch.
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
    by_name: BTreeMap<String, VecDeque<SentPart>>,
    order: VecDeque<String>,
}

impl DeliveryLog {
    /// Records that a fragment was sent up to `end_ms` of the producer's time. Only the first time
    /// counts: a consumer that reads it again after a hand-off has waited since then.
    pub(super) fn record(&self, stream: &str, head: &FragmentHead, end_ms: i64) {
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
        let place = |known: &SentPart| (known.sequence, known.producer_end_ms);
        let at = sent.partition_point(|known| place(known) < (head.sequence, end_ms));
        if sent.get(at).is_some_and(|known| known.sequence == head.sequence) {
            return;
        }
        sent.insert(
            at,
            SentPart {
                sequence: head.sequence,
                producer_start_ms: head.producer_ms,
                producer_end_ms: end_ms,
                codec_delay_us: codec_delay_us(&head.preamble),
                sent_us: real_now_us(),
            },
        );
        if sent.len() > PARTS {
            sent.pop_front();
        }
    }

    /// Returns the sent parts of a stream, in stream order.
    pub(super) fn of(&self, stream: &str) -> Vec<SentPart> {
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
