//! Accounts for every byte: where documents end, and whether they are complete.

use super::super::End;
use super::document::Phase;
use super::{Mode, Parser, QueuedEvent};

impl Parser {
    /// Ends the body. Call it after a last drain; afterwards the parser stands at the start of a
    /// new body.
    pub fn finish(&mut self) -> End {
        let end = self.end();
        self.reset();
        end
    }

    fn end(&mut self) -> End {
        let (offset, unread) = (self.buffer.offset(), self.buffer.unread().len() as u64);
        let tail = |tail| End { tail, ..End::default() };
        let whole_until = match self.mode {
            Mode::Search(recovery) => return tail(recovery.skipped + unread),
            _ if !self.document.is_open() => return tail(unread),
            // An element that is cut is no part of its document.
            Mode::Skip(skip) if skip.left > unread => skip.start,
            Mode::Skip(skip) => offset + skip.left,
            Mode::Walk => offset,
        };
        let bytes = whole_until - self.document.start();
        let behind = offset + unread - whole_until;
        let complete = if self.is_fragment() {
            self.document.phase() == Phase::Complete
        } else {
            self.segment_is_over() || (behind == 0 && self.may_end())
        };
        if complete {
            return End { document: Some(bytes), tail: behind, unnamed: None };
        }
        let unnamed = self.document.phase() < Phase::Named;
        let number = self.tags.fragment_number.take().filter(|_| unnamed);
        End { document: None, tail: bytes + behind, unnamed: number }
    }

    /// Ends the document, if one is open. `between_elements`: not by damage.
    pub(super) fn end_document(&mut self, between_elements: bool) {
        if !self.document.is_open() {
            return;
        }
        let unnamed_whole = !self.is_fragment() && self.document.has_segment() && between_elements;
        let complete = self.document.phase() == Phase::Complete || unnamed_whole;
        if !complete {
            self.name_fragment();
        }
        self.document.close();
        let bytes = self.buffer.offset() - self.document.start();
        self.events.push_back(QueuedEvent::DocumentEnd { complete, bytes });
    }

    /// Returns whether the Segment reached the end that its size declared.
    pub(super) fn segment_is_over(&self) -> bool {
        self.document.has_segment() && self.masters.is_empty()
    }

    /// Returns whether no master is cut if the body ends here.
    fn may_end(&self) -> bool {
        self.document.has_segment() && !self.blocks.is_waiting() && self.masters.may_end()
    }
}
