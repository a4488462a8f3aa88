//! What the parser holds of the body: as little as it can, and never more than
//! [`limits::MAX_HELD`].

use super::limits;
use super::parser::{Parser, Selected};

/// Up to here the buffer grows step by step, bytes: more than what speech needs.
const SMALL: usize = 8 * 1024;

impl Parser {
    /// Takes the next bytes of the body and returns those that it did not take: at most
    /// [`limits::PIECE`] are held of one push. Bytes that are only passed over are not even copied.
    #[must_use = "what was not taken has to be pushed again after a drain"]
    pub fn push<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        let frames_wait = self.next_frame < self.frames.len();
        if !frames_wait && !self.in_use {
            self.let_go();
            self.compact();
            if self.at == self.buffer.len() && self.kept == 0 {
                let passed = self.passes_uncopied(bytes);
                self.skip -= passed as u64;
                self.offset += passed as u64;
                bytes = &bytes[passed..];
            }
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(limits::PIECE));
        self.make_room(piece.len());
        self.buffer.extend_from_slice(piece);
        rest
    }

    /// Chooses the track whose blocks come out as [`Event::Block`](super::Event::Block); call it on
    /// [`Event::Tracks`](super::Event::Tracks). The choice holds until the next one, or the end of
    /// the body: a document whose Tracks come late, or never, is read by those of the document
    /// before.
    pub fn select(&mut self, track: Option<Selected>) {
        if self.selected != track {
            self.selected = track;
            // Less may be held of one track than of another; what is needed grows again.
            self.buffer.shrink_to(SMALL);
        }
    }

    /// Longest block that is read of the selected track.
    pub(super) fn longest_block(&self) -> u64 {
        self.selected.map_or(0, |selected| selected.longest_block.min(limits::MAX_BLOCK))
    }

    /// Bytes held right now: what was pushed and not yet walked over, a BlockGroup's block, and
    /// what was walked over but may be the beginning of a document.
    pub fn held(&self) -> usize {
        self.buffer.len() - self.first_held()
    }

    /// Index in `buffer` of the first byte that is still needed.
    fn first_held(&self) -> usize {
        let first = self.at - self.kept;
        self.group_block.map_or(first, |head| first.min(head.payload))
    }

    /// Drops bytes that are not needed any more once they are the greater part, so that moving the
    /// rest costs at most one copy per byte.
    fn compact(&mut self) {
        let first = self.first_held();
        let full = self.buffer.len() + limits::PIECE > limits::most_held(self.longest_block());
        if first * 2 >= self.buffer.len() || full {
            self.buffer.drain(..first);
            self.at -= first;
            if let Some(head) = &mut self.group_block {
                head.payload -= first;
                head.end -= first;
            }
        }
        self.close_up(full);
    }

    /// Drops what was walked over behind a BlockGroup's block, which waits for the group's end
    /// however far that is.
    fn close_up(&mut self, full: bool) {
        let Some(head) = self.group_block else { return };
        let (from, to) = (head.end, self.at - self.kept);
        if to > from && (full || (to - from) * 2 >= self.buffer.len() - from) {
            self.buffer.drain(from..to);
            self.at -= to - from;
        }
    }

    /// Grows the buffer: by doubling as long as it is small, then at once to all that may be held,
    /// so that what it leaves behind is little beside what it gets.
    fn make_room(&mut self, more: usize) {
        let (len, capacity) = (self.buffer.len(), self.buffer.capacity());
        if len + more > capacity {
            let most = limits::most_held(self.longest_block());
            let wanted = if capacity < SMALL { (capacity * 2).max(limits::PIECE) } else { most };
            self.buffer.reserve_exact(wanted.max(len + more) - len);
        }
    }
}
