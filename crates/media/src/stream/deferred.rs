//! Packets whose stamps say that time is missing, until the packets behind them bear that out.

use std::collections::VecDeque;

use crate::mkv::Block;
use crate::timeline::{Length, MediaTime, Timeline, Waiting};

/// Most bytes that wait: 120 ms of 48 kHz stereo PCM and a packet more have 27 KB, of Opus at its
/// highest bit rate 9 KB.
const MAX_BYTES: usize = 28 * 1024;

/// Bytes of the buffer that are kept when none waits: 120 ms of Opus at 64 kb/s.
const KEPT_BYTES: usize = 1024;

/// Media that waits before the packet that decides about it, ns: 120 ms.
const MAX_NANOS: i64 = 120_000_000;

/// Most packets that wait: 120 ms of Opus's shortest, 2.5 ms.
const MAX_PACKETS: usize = 48;

/// Packets in order, with their stamps. The memory is reused.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    data: Vec<u8>,
    /// Bytes at the front of `data` whose packets are gone.
    gone: usize,
    packets: VecDeque<Packet>,
    waiting: Vec<Waiting>,
    /// So many packets at the front belong to a fragment that has ended.
    ended: Option<usize>,
}

/// What a packet is besides its data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    len: usize,
    /// Time it covers.
    pub(super) length: Length,
    /// Producer clock at its first sample.
    pub(super) time: MediaTime,
    /// DiscardPadding, ns.
    pub(super) discard_padding: i64,
    /// It is the first of its Cluster.
    pub(super) head: bool,
    /// It is the first of its block.
    begins_block: bool,
}

impl Deferred {
    /// Whether a packet can wait behind those that do.
    pub(super) fn takes(&self, data: &[u8], length: Length) -> bool {
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
        // A queue that never empties would grow for ever.
        self.data.drain(..self.gone);
        self.gone = 0;
        // Not twice what is needed: this counts against what a stream may take.
        self.data.reserve_exact(block.data.len());
        self.data.extend_from_slice(block.data);
        let (len, discard_padding) = (block.data.len(), block.discard_padding);
        let packet = Packet { len, length, time, discard_padding, head, begins_block };
        self.packets.push_back(packet);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Media that waits, in samples at 16 kHz.
    pub(super) fn samples(&self) -> i64 {
        self.packets.iter().map(|packet| packet.length.in_samples()).sum()
    }

    fn nanos(&self) -> i64 {
        self.packets.iter().map(|packet| packet.length.nanos()).sum()
    }

    /// What `timeline` has to judge, and whether the first packet is the first of its Cluster.
    pub(super) fn waiting(&mut self, timeline: &Timeline) -> (&[Waiting], bool) {
        self.waiting.clear();
        let mut before = 0;
        for packet in &self.packets {
            let lateness = timeline.lateness(packet.time, before);
            let Packet { length, begins_block, .. } = *packet;
            self.waiting.push(Waiting { lateness, length, begins_block });
            before += packet.length.in_samples();
        }
        (&self.waiting, self.packets.front().is_some_and(|packet| packet.head))
    }

    /// Takes the first packet off, with the buffer its data is in; give that back by
    /// [`Deferred::reuse`].
    pub(super) fn pop(&mut self) -> Option<(Packet, Vec<u8>, std::ops::Range<usize>)> {
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

    /// The fragment of the packets that wait has ended.
    pub(super) fn end_fragment(&mut self) {
        self.ended = Some(self.packets.len());
    }

    /// Whether the first packet belongs to a fragment that has ended.
    pub(super) fn front_has_ended(&self) -> bool {
        self.ended.is_some_and(|ended| ended > 0)
    }

    /// No packet of the fragment that has ended waits any longer.
    pub(super) fn leave_ended(&mut self) {
        self.ended = None;
    }

    /// Drops the packets of the fragment that has not ended: it comes again.
    pub(super) fn forget_open(&mut self) {
        self.packets.truncate(self.ended.unwrap_or(0));
        let kept: usize = self.packets.iter().map(|packet| packet.len).sum();
        self.data.truncate(self.gone + kept);
        if self.packets.is_empty() {
            self.forget();
        }
    }

    /// Drops all of them.
    pub(super) fn forget(&mut self) {
        self.packets.clear();
        self.data.clear();
        (self.gone, self.ended) = (0, None);
    }
}
