//! Division of a block into packets. A packet is decoded after the samples of the previous one were
//! polled, so the output buffer holds one packet even for a long block. The parser keeps the block.

use crate::codec::Decoder;
use crate::mkv::Block;

/// Most packets of one block: as many as a lace can hold. More are damage or an attack: a few KB of
/// the shortest frames would become hours of silence.
pub(super) const MAX_PACKETS: u32 = 256;

/// The rest of the last block.
#[derive(Debug, Default)]
pub(super) struct PacketSplitter {
    /// Bytes at its end that are not processed yet.
    left: usize,
    taken: u32,
}

impl PacketSplitter {
    /// Returns the first packet of `block`.
    pub(super) fn first<'a>(&mut self, decoder: Option<&Decoder>, block: Block<'a>) -> Block<'a> {
        *self = Self { left: block.data.len(), taken: 0 };
        self.take(decoder, block)
    }

    /// Whether the block has no more packets.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Returns the next packet of `block`, as a block in the same lace. Returns `None`, and ends
    /// the block, after [`MAX_PACKETS`].
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
        // The padding is at the end of the block.
        let discard_padding = if rest.is_empty() { block.discard_padding } else { 0 };
        Block { data, discard_padding, ..block }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
