//! When each fragment of a stream, or each part of one that was still being received, was first
//! sent on a GetMedia connection: the start of the delivery latency in a run's report.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::real_now_us;

use super::fragment::FragmentHead;
use ebml::id;

/// Maximum number of recorded parts: seven minutes of blocks of 20 ms that were sent one by one,
/// eleven hours of whole fragments of two seconds. The oldest are dropped first.
const PARTS: usize = 20_000;

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

/// The parts of one stream that were sent.
#[derive(Debug, Default)]
pub(super) struct SentLog(Mutex<Sent>);

#[derive(Debug, Default)]
struct Sent {
    /// In stream order.
    fragments: VecDeque<SentFragment>,
    parts: usize,
}

#[derive(Debug)]
struct SentFragment {
    head: Arc<FragmentHead>,
    /// The producer's time of each part's end, ms, and when it was sent, us.
    parts: Vec<(i64, u64)>,
}

impl SentLog {
    /// Records that a fragment was sent up to `end_ms` of the producer's time. Only the first time
    /// counts: a consumer that reads it again after a hand-off has waited since then.
    pub(super) fn record(&self, head: &Arc<FragmentHead>, end_ms: i64) {
        let sent_us = real_now_us();
        let mut sent = self.lock();
        let at = sent.fragments.partition_point(|known| known.head.sequence < head.sequence);
        if sent.fragments.get(at).is_none_or(|known| known.head.sequence > head.sequence) {
            sent.fragments.insert(at, SentFragment { head: Arc::clone(head), parts: Vec::new() });
        }
        let Some(fragment) = sent.fragments.get_mut(at) else { return };
        if fragment.parts.last().is_some_and(|(known_ms, _)| *known_ms >= end_ms) {
            return;
        }
        fragment.parts.push((end_ms, sent_us));
        sent.parts += 1;
        sent.trim();
    }

    /// Returns the sent parts, in stream order.
    pub(super) fn parts(&self) -> Vec<SentPart> {
        self.lock().fragments.iter().flat_map(SentFragment::parts).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sent {
    fn trim(&mut self) {
        while self.parts > PARTS
            && let Some(oldest) = self.fragments.pop_front()
        {
            self.parts -= oldest.parts.len();
        }
    }
}

impl SentFragment {
    fn parts(&self) -> impl Iterator<Item = SentPart> {
        let codec_delay_us = codec_delay_us(&self.head.preamble);
        self.parts.iter().map(move |(producer_end_ms, sent_us)| SentPart {
            sequence: self.head.sequence,
            producer_start_ms: self.head.producer_ms,
            producer_end_ms: *producer_end_ms,
            codec_delay_us,
            sent_us: *sent_us,
        })
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
