//! Blocks: those of the selected track are handed out frame by frame, all others pass by.

use super::parser::{BlockHead, Parser, Step};
use super::vint::{self, Read};
use super::walk::Header;
use super::{ids, lacing, limits};

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
        if self.selected != Some(track) || size > limits::MAX_BLOCK {
            self.steps.push_back(Step::OtherBlock { track, bytes: size });
            return self.skip_leaf(parent, header, size);
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
            in_group: parent == ids::BLOCK_GROUP,
        };
        let end = start + here.len();
        self.consume(header.len + size as usize);
        if head.in_group {
            self.group.clear();
            self.group.extend_from_slice(&self.buffer[head.payload..end]);
            self.group_block = Some(head);
        } else {
            self.block_end(head, end);
        }
        true
    }

    fn block_end(&mut self, head: BlockHead, end: usize) {
        self.block = head;
        self.next_frame = 0;
        let payload = &self.buffer[head.payload..end];
        if lacing::split(head.flags, payload, &mut self.frames).is_none() {
            self.frames.clear();
            self.steps.push_back(Step::BadBlock);
        }
    }

    /// The BlockGroup around a block ended.
    pub(super) fn hand_out(&mut self, head: BlockHead) {
        self.block = head;
        self.next_frame = 0;
        if lacing::split(head.flags, &self.group, &mut self.frames).is_none() {
            self.frames.clear();
            self.steps.push_back(Step::BadBlock);
        }
    }

    fn refuse_block(&mut self, header: Header, size: u64) -> bool {
        self.steps.push_back(Step::BadBlock);
        self.skip_leaf(ids::CLUSTER, header, size)
    }
}
