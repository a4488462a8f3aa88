//! The packets of a block after its first: each is decoded only when the samples of the one before it were
//! taken, so that however long a block is, its output is held packet by packet.

use crate::decoder::Decoder;
use crate::mkv::Block;

/// Most packets taken from one block: as many as a lace can hold. What lies beyond is damage or worse: the
/// shortest of frames would make hours of silence out of a few KB.
pub(super) const MAX_PACKETS: u32 = 256;

/// What is left of a block.
#[derive(Debug, Default)]
pub(super) struct Remainder {
    data: Vec<u8>,
    /// Index in `data` of what was not taken yet.
    at: usize,
    taken: u32,
    /// Time of the block, ticks.
    ticks: i64,
    scale: u64,
    discard_padding: i64,
}

impl Remainder {
    /// Takes the first packet off `block` and keeps what follows it.
    pub(super) fn first<'a>(&mut self, decoder: Option<&Decoder>, block: Block<'a>) -> Block<'a> {
        let (data, rest) =
            decoder.map_or((block.data, &[][..]), |decoder| decoder.split(block.data));
        if rest.is_empty() {
            return block;
        }
        self.data.clear();
        self.data.extend_from_slice(rest);
        *self = Self {
            data: std::mem::take(&mut self.data),
            at: 0,
            taken: 1,
            ticks: block.ticks,
            scale: block.scale,
            discard_padding: block.discard_padding,
        };
        // The padding lies at the block's end.
        Block { data, discard_padding: 0, ..block }
    }

    /// The block's time, ticks of so many nanoseconds.
    pub(super) fn time(&self) -> (i64, u64) {
        (self.ticks, self.scale)
    }

    /// Nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.data.len()
    }

    /// The next packet, as a block of its own in the same lace; `None` when there were too many, which ends
    /// the block.
    pub(super) fn next(&mut self, decoder: Option<&Decoder>) -> Option<Block<'_>> {
        if self.taken == MAX_PACKETS {
            self.clear();
            return None;
        }
        self.taken += 1;
        let left = &self.data[self.at..];
        let (data, rest) = decoder.map_or((left, &[][..]), |decoder| decoder.split(left));
        self.at = self.data.len() - rest.len();
        Some(Block {
            track: 0,
            ticks: self.ticks,
            scale: self.scale,
            flags: 0,
            // Not the first.
            lace: 1,
            discard_padding: if rest.is_empty() { self.discard_padding } else { 0 },
            data,
        })
    }

    /// Forgets the rest, and its memory: blocks that have one are rare.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
