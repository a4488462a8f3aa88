//! Blocks: those of the selected track are handed out frame by frame, all others are skipped.

use std::ops::Range;

use super::super::schema::Element;
use super::super::vint::{self, Read};
use super::super::{Block, TrackKind, lacing, limits};
use super::walk::Header;
use super::{Parser, QueuedEvent, Step};

/// The header of a block whose payload is pinned in the buffer.
#[derive(Debug, Clone, Copy, Default)]
struct BlockHead {
    track: u64,
    offset: i16,
    flags: u8,
    discard_padding: i64,
}

/// The block at hand. Its payload is what the buffer has pinned.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    head: BlockHead,
    /// Its frames in the payload; those from `next` on are still to be handed out.
    frames: Vec<Range<usize>>,
    next: usize,
    /// The frame before `next` may be asked for again.
    in_use: bool,
    /// The block of the current BlockGroup: it waits for the group's DiscardPadding.
    waiting: Option<BlockHead>,
    /// DiscardPadding of the current BlockGroup, which may come before the block, ns.
    padding: i64,
}

impl Blocks {
    /// Returns whether the payload is still needed.
    pub(super) fn need_payload(&self) -> bool {
        self.in_use || self.waiting.is_some() || self.next < self.frames.len()
    }

    /// Returns the index of the next frame to hand out.
    pub(super) fn next_frame(&mut self) -> Option<usize> {
        let index = self.next;
        self.in_use = index < self.frames.len();
        self.next += usize::from(self.in_use);
        self.in_use.then_some(index)
    }

    /// Releases the frame that was handed out last.
    pub(super) fn release_frame(&mut self) {
        self.in_use = false;
    }

    /// Returns the index of the frame that was handed out last, until it is released.
    pub(super) fn frame_in_use(&self) -> Option<usize> {
        self.in_use.then(|| self.next - 1)
    }

    /// Returns whether a block waits for the end of its group.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    pub(super) fn begin_group(&mut self) {
        (self.waiting, self.padding) = (None, 0);
    }

    pub(super) fn drop_group(&mut self) {
        self.waiting = None;
    }

    pub(super) fn set_padding(&mut self, padding: i64) {
        self.padding = padding;
    }

    /// Forgets everything but the allocations.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        *self = Self { frames: std::mem::take(&mut self.frames), ..Self::default() };
    }
}

impl Parser {
    /// Enters a SimpleBlock, or the Block of a BlockGroup.
    pub(super) fn enter_block(&mut self, header: Header, size: u64) -> Step {
        let here = self.buffer.unread().get(header.len..).unwrap_or_default();
        let here = &here[..usize::try_from(size).map_or(here.len(), |size| size.min(here.len()))];
        let whole = here.len() as u64 == size;
        let (track, track_len) = match vint::read_number(here) {
            Read::Done(track, len) => (track, len),
            Read::More if !whole => return Step::NeedsBytes,
            _ => return self.refuse_block(header, size),
        };
        // A BlockGroup has one Block; one that precedes another is handed out as it is.
        if let Some(head) = self.blocks.waiting.take() {
            self.hand_out(head);
            return Step::Taken;
        }
        let selected = self.selected.is_some_and(|selected| selected.number == track);
        if !selected {
            return self.skip_block(track, header, size);
        }
        if size > self.longest_block() {
            // No audio frame is that long, so its size is damaged. Of a track that is not listed
            // (yet) nothing else is known.
            let listed = self.tracks.by_number(track);
            return if listed.is_none_or(|track| track.kind == TrackKind::Audio) {
                self.damaged()
            } else {
                self.skip_block(track, header, size)
            };
        }
        if !whole {
            return Step::NeedsBytes;
        }
        let &[time_high, time_low, flags, ..] = &here[track_len..] else {
            return self.refuse_block(header, size);
        };
        let offset = i16::from_be_bytes([time_high, time_low]);
        let head = BlockHead { track, offset, flags, discard_padding: 0 };
        let end = header.len + here.len();
        self.buffer.pin(header.len + track_len + 3..end);
        self.buffer.consume(end);
        if header.element == Element::Block {
            self.blocks.waiting = Some(head);
        } else {
            self.hand_out(head);
        }
        Step::Taken
    }

    /// Ends a BlockGroup: hands out its block.
    pub(super) fn end_group(&mut self) {
        if let Some(head) = self.blocks.waiting.take() {
            self.hand_out(BlockHead { discard_padding: self.blocks.padding, ..head });
        }
    }

    fn hand_out(&mut self, head: BlockHead) {
        let blocks = &mut self.blocks;
        (blocks.head, blocks.next) = (head, 0);
        if lacing::split(head.flags, self.buffer.pinned(), &mut blocks.frames).is_none() {
            blocks.frames.clear();
            self.events.push_back(QueuedEvent::BadBlock);
        }
    }

    /// Returns a frame of the block at hand.
    pub(super) fn frame(&self, index: usize) -> Block<'_> {
        let Blocks { head, frames, .. } = &self.blocks;
        let last = index + 1 == frames.len();
        Block {
            track: head.track,
            ticks: self.document.cluster_ticks.saturating_add(i64::from(head.offset)),
            scale: self.document.scale,
            flags: head.flags,
            // A lace has at most 256 frames.
            lace: index as u8,
            discard_padding: if last { head.discard_padding } else { 0 },
            data: &self.buffer.pinned()[frames[index].clone()],
        }
    }

    /// Skips a block of a track that is not selected, or a video frame too long to be held.
    fn skip_block(&mut self, track: u64, header: Header, size: u64) -> Step {
        // The number of a track that the document does not have may be damaged, and so may the
        // size.
        let excluded = self.tracks.excludes(track);
        let longest = if excluded { limits::MAX_BLOCK } else { limits::MAX_SKIPPED };
        if size <= longest {
            self.events.push_back(QueuedEvent::OtherBlock { track, bytes: size });
        }
        self.skip_element(header, size, longest, false)
    }

    fn refuse_block(&mut self, header: Header, size: u64) -> Step {
        if size <= limits::MAX_BLOCK {
            self.events.push_back(QueuedEvent::BadBlock);
        }
        self.skip_element(header, size, limits::MAX_BLOCK, false)
    }
}
