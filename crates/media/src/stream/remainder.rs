//! The packets of a block after its first: each is decoded only when the samples of the one before
//! it were taken, so that however long a block is, its output is held packet by packet. The block
//! itself stays where it is, with the parser.

use crate::codec::Decoder;
use crate::mkv::Block;

/// Most packets taken from one block: as many as a lace can hold. What lies beyond is damage or
/// worse: the shortest of frames would make hours of silence out of a few KB.
pub(super) const MAX_PACKETS: u32 = 256;

/// What is left of the block that was taken last.
#[derive(Debug, Default)]
pub(super) struct Remainder {
    /// Bytes at its end that were not taken yet.
    left: usize,
    taken: u32,
}

impl Remainder {
    /// Takes the first packet off `block` and remembers that something follows it.
    pub(super) fn first<'a>(&mut self, decoder: Option<&Decoder>, block: Block<'a>) -> Block<'a> {
        *self = Self { left: block.data.len(), taken: 0 };
        self.take(decoder, block)
    }

    /// Nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next packet of `block`, as a block of its own in the same lace; `None` when there were
    /// too many, which ends the block.
    pub(super) fn next<'a>(
        &mut self,
        decoder: Option<&Decoder>,
        block: Block<'a>,
    ) -> Option<Block<'a>> {
        if self.taken == MAX_PACKETS {
            self.clear();
            return None;
        }
        Some(self.take(decoder, block))
    }

    fn take<'a>(&mut self, decoder: Option<&Decoder>, block: Block<'a>) -> Block<'a> {
        let from = block.data.len().saturating_sub(self.left);
        let left = &block.data[from..];
        let (data, rest) = decoder.map_or((left, &[][..]), |decoder| decoder.split(left));
        self.left = rest.len();
        self.taken += 1;
        // The padding lies at the block's end.
        let discard_padding = if rest.is_empty() { block.discard_padding } else { 0 };
        Block { data, discard_padding, ..block }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
