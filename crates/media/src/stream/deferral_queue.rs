//! Packets whose stamps indicate lost time, until the packets after them confirm or refute it.

use std::collections::VecDeque;

use crate::mkv::Block;
use crate::timeline::{DeferredStamp, Length, MediaTime, Timeline};

/// Most bytes that are deferred: 120 ms of 48 kHz stereo PCM and one packet have 27 KB, of Opus at
/// its highest bit rate 9 KB.
const MAX_BYTES: usize = 28 * 1024;

/// Capacity that an empty queue keeps, in bytes: 120 ms of Opus at 64 kb/s.
const KEPT_BYTES: usize = 1024;

/// Media that is deferred before the deciding packet, ns: 120 ms.
const MAX_NANOS: i64 = 120_000_000;

/// Most packets that are deferred: 120 ms of the shortest of Opus, 2.5 ms.
const MAX_PACKETS: usize = 48;

/// Deferred packets in order. The memory is reused.
#[derive(Debug, Default)]
pub(super) struct DeferralQueue {
    data: Vec<u8>,
    /// Bytes at the front of `data` whose packets were removed.
    gone: usize,
    packets: VecDeque<DeferredBlock>,
    waiting: Vec<DeferredStamp>,
    /// Number of packets at the front whose fragment has ended.
    ended: Option<usize>,
}

/// A deferred packet without its data.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeferredBlock {
    len: usize,
    /// Time that it covers.
    pub(super) length: Length,
    /// Producer's clock at its first sample.
    pub(super) time: MediaTime,
    /// DiscardPadding, ns.
    pub(super) discard_padding: i64,
    /// It is the first of its Cluster.
    pub(super) head: bool,
    /// It is the first of its block.
    begins_block: bool,
}

impl DeferralQueue {
    /// Whether there is room for another packet.
    pub(super) fn accepts(&self, data: &[u8], length: Length) -> bool {
        self.packets.len() < MAX_PACKETS
            && self.data.len() - self.gone + data.len() <= MAX_BYTES
            && self.nanos() <= MAX_NANOS + length.nanos()
    }

    pub(super) fn push(
        &mut self,
        block: &Block<'_>,
        length: Length,
        time: MediaTime,
        head: bool,
        begins_block: bool,
    ) {
        // Without this, a queue that is never empty would grow without limit.
        self.data.drain(..self.gone);
        self.gone = 0;
        // Exact: the capacity counts toward the memory limit of a stream.
        self.data.reserve_exact(block.data.len());
        self.data.extend_from_slice(block.data);
        let (len, discard_padding) = (block.data.len(), block.discard_padding);
        let packet = DeferredBlock { len, length, time, discard_padding, head, begins_block };
        self.packets.push_back(packet);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Returns the deferred media, in samples at 16 kHz.
    pub(super) fn samples(&self) -> i64 {
        self.packets.iter().map(|packet| packet.length.in_samples()).sum()
    }

    fn nanos(&self) -> i64 {
        self.packets.iter().map(|packet| packet.length.nanos()).sum()
    }

    /// Returns the input for [`Timeline::judge`]: the packets' lateness, and whether the first
    /// packet is the first of its Cluster.
    pub(super) fn waiting(&mut self, timeline: &Timeline) -> (&[DeferredStamp], bool) {
        self.waiting.clear();
        let mut before = 0;
        for packet in &self.packets {
            let lateness = timeline.lateness(packet.time, before);
            let DeferredBlock { length, begins_block, .. } = *packet;
            self.waiting.push(DeferredStamp { lateness, length, begins_block });
            before += packet.length.in_samples();
        }
        (&self.waiting, self.packets.front().is_some_and(|packet| packet.head))
    }

    /// Removes the first packet and returns it with the buffer that contains its data. The caller
    /// returns the buffer with [`DeferralQueue::reuse`].
    pub(super) fn pop(&mut self) -> Option<(DeferredBlock, Vec<u8>, std::ops::Range<usize>)> {
        let packet = self.packets.pop_front()?;
        let range = self.gone..self.gone + packet.len;
        self.gone = range.end;
        if let Some(ended) = &mut self.ended {
            *ended = ended.saturating_sub(1);
        }
        Some((packet, std::mem::take(&mut self.data), range))
    }

    pub(super) fn reuse(&mut self, data: Vec<u8>) {
        self.data = data;
        if self.packets.is_empty() {
            self.data.clear();
            self.data.shrink_to(KEPT_BYTES);
            self.gone = 0;
        }
    }

    /// Marks the fragment of all deferred packets as ended.
    pub(super) fn end_fragment(&mut self) {
        self.ended = Some(self.packets.len());
    }

    /// Whether the fragment of the first packet has ended.
    pub(super) fn front_has_ended(&self) -> bool {
        self.ended.is_some_and(|ended| ended > 0)
    }

    /// Clears the mark of [`DeferralQueue::end_fragment`], when no packet before it is left.
    pub(super) fn clear_ended(&mut self) {
        self.ended = None;
    }

    /// Discards the packets of the fragment that has not ended: it is sent again.
    pub(super) fn discard_open(&mut self) {
        self.packets.truncate(self.ended.unwrap_or(0));
        let kept: usize = self.packets.iter().map(|packet| packet.len).sum();
        self.data.truncate(self.gone + kept);
        if self.packets.is_empty() {
            self.discard();
        }
    }

    /// Discards all packets.
    pub(super) fn discard(&mut self) {
        self.packets.clear();
        self.data.clear();
        (self.gone, self.ended) = (0, None);
    }
}
