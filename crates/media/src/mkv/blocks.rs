//! Blocks: those of the selected track are handed out frame by frame, all others pass by.

use super::parser::{BlockHead, Parser, Step};
use super::vint::{self, Read};
use super::walk::Header;
use super::{TrackKind, ids, lacing, limits};

impl Parser {
    /// A SimpleBlock or Block of `size` bytes; `false` when more of it is needed.
    pub(super) fn enter_block(&mut self, parent: u32, header: Header, size: u64) -> bool {
        let start = self.at + header.len;
        let here = &self.buffer[start.min(self.buffer.len())..];
        let here = &here[..here.len().min(usize::try_from(size).unwrap_or(usize::MAX))];
        let (track, track_len) = match vint::read_number(here) {
            Read::Done(track, len) => (track, len),
            Read::More if (here.len() as u64) < size => return false,
            _ => return self.refuse_block(header, size),
        };
        // A BlockGroup has one Block; what comes before another is handed out as it is.
        if let Some(head) = self.group_block.take() {
            self.hand_out(head);
            return true;
        }
        let too_long = size > self.longest_block();
        if too_long && self.selects(track) && self.is_audio(track) {
            // No frame is that long: its size is damaged, or the stream is made as none is.
            self.lose();
            return true;
        }
        if too_long || !self.selects(track) {
            return self.pass_block(track, header, size);
        }
        if (here.len() as u64) < size {
            return false;
        }
        let &[time_high, time_low, flags, ..] = &here[track_len..] else {
            return self.refuse_block(header, size);
        };
        let head = BlockHead {
            track,
            offset: i16::from_be_bytes([time_high, time_low]),
            flags,
            discard_padding: 0,
            payload: start + track_len + 3,
            end: start + here.len(),
        };
        self.consume(header.len + size as usize);
        if parent == ids::BLOCK_GROUP {
            self.group_block = Some(head);
        } else {
            self.hand_out(head);
        }
        true
    }

    fn selects(&self, track: u64) -> bool {
        self.selected.is_some_and(|selected| selected.number == track)
    }

    /// A block is whole, and so is the BlockGroup around it if there is one.
    pub(super) fn hand_out(&mut self, head: BlockHead) {
        self.block = head;
        self.next_frame = 0;
        let payload = &self.buffer[head.payload..head.end];
        if lacing::split(head.flags, payload, &mut self.frames).is_none() {
            self.frames.clear();
            self.steps.push_back(Step::BadBlock);
        }
    }

    /// Of a track that is not listed (yet) nothing else is known.
    fn is_audio(&self, number: u64) -> bool {
        let mut listed = self.tracks().iter();
        listed
            .find(|track| track.number == number)
            .is_none_or(|track| track.kind == TrackKind::Audio)
    }

    /// A block of a track that is not selected, or a video frame too long to be held.
    fn pass_block(&mut self, track: u64, header: Header, size: u64) -> bool {
        // A track that the document does not have may be a broken number, but may be no block as
        // well.
        let listed = self.tracks().iter().any(|listed| listed.number == track);
        let unlisted = self.track_count > 0 && !self.more_tracks && !listed;
        if unlisted && self.another_began() {
            self.lose();
            return true;
        }
        let longest = if unlisted { limits::MAX_BLOCK } else { limits::MAX_SKIPPED };
        if size <= longest {
            self.steps.push_back(Step::OtherBlock { track, bytes: size });
        }
        self.skip_leaf(header, size, longest, false)
    }

    fn refuse_block(&mut self, header: Header, size: u64) -> bool {
        if size <= limits::MAX_BLOCK {
            self.steps.push_back(Step::BadBlock);
        }
        self.skip_leaf(header, size, limits::MAX_BLOCK, false)
    }
}
