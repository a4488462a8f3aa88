//! A block whose time would move the timeline far, until the block after it bears that out.

use crate::mkv::Block;
use crate::timeline::MediaTime;

/// At most one block, kept with its time. Its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Held {
    data: Vec<u8>,
    about: Option<About>,
}

/// What a held block is besides its data.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    /// Producer clock at its first sample.
    pub(super) time: MediaTime,
    /// DiscardPadding, ns.
    pub(super) discard_padding: i64,
}

/// Longest packet that is held: 120 ms of Opus at its highest bit rate have 7.7 KB. A longer one is believed.
const MAX_PACKET: usize = 16 * 1024;

impl Held {
    /// Whether the packet is short enough.
    pub(super) fn takes(packet: &Block<'_>) -> bool {
        packet.data.len() <= MAX_PACKET
    }

    pub(super) fn keep(&mut self, block: &Block<'_>, time: MediaTime) {
        self.data.clear();
        self.data.extend_from_slice(block.data);
        self.about = Some(About { time, discard_padding: block.discard_padding });
    }

    /// The block, which is held no longer; give the data back with [`Held::reuse`].
    pub(super) fn release(&mut self) -> Option<(About, Vec<u8>)> {
        let about = self.about.take()?;
        Some((about, std::mem::take(&mut self.data)))
    }

    pub(super) fn reuse(&mut self, data: Vec<u8>) {
        self.data = data;
    }

    pub(super) fn forget(&mut self) {
        self.about = None;
    }
}
