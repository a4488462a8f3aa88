//! A block whose time would move the timeline far, until the block after it bears that out.

use crate::mkv::Block;
use crate::timeline::{Length, MediaTime};

/// Most bytes of a block that are held: 120 ms of 48 kHz stereo PCM have 23 KB, of Opus at its highest bit rate 7.7 KB.
/// A longer one is believed.
const MAX_BYTES: usize = 24 * 1024;

/// Longest block that is held, ns; a longer one is believed.
const MAX_NANOS: i64 = 120_000_000;

/// Most packets that are held: the shortest of Opus last 2.5 ms. Of more, a block is believed: those of a sample each
/// would take more memory to remember than to hear.
const MAX_PACKETS: usize = 48;

/// The packets of at most one block, kept with their times. Its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Held {
    data: Vec<u8>,
    packets: Vec<About>,
    /// Time of all of them together, ns.
    nanos: i64,
}

/// What a held packet is besides its data.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    /// Its bytes.
    pub(super) len: usize,
    /// Producer clock at its first sample.
    pub(super) time: MediaTime,
    /// DiscardPadding, ns.
    pub(super) discard_padding: i64,
}

impl Held {
    /// Whether a packet can be held, after those that are.
    pub(super) fn takes(&self, packet: &Block<'_>, length: Length) -> bool {
        self.packets.len() < MAX_PACKETS
            && self.data.len() + packet.data.len() <= MAX_BYTES
            && self.nanos + length.nanos() <= MAX_NANOS
    }

    pub(super) fn keep(&mut self, packet: &Block<'_>, length: Length, time: MediaTime) {
        self.data.extend_from_slice(packet.data);
        self.nanos += length.nanos();
        let (len, discard_padding) = (packet.data.len(), packet.discard_padding);
        self.packets.push(About { len, time, discard_padding });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Time of all that is held, ns.
    pub(super) fn nanos(&self) -> i64 {
        self.nanos
    }

    /// The packets' data and what else they are; give both back with [`Held::reuse`]. Nothing is held any longer.
    pub(super) fn release(&mut self) -> (Vec<u8>, Vec<About>) {
        self.nanos = 0;
        (std::mem::take(&mut self.data), std::mem::take(&mut self.packets))
    }

    pub(super) fn reuse(&mut self, (mut data, mut packets): (Vec<u8>, Vec<About>)) {
        data.clear();
        packets.clear();
        (self.data, self.packets) = (data, packets);
    }

    pub(super) fn forget(&mut self) {
        let held = self.release();
        self.reuse(held);
    }
}
