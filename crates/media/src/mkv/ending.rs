//! The parser's books: where documents end, and whether they are whole.

use super::parser::{Parser, Step};
use crate::FragmentNumber;

/// How a body ended for the parser.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct End {
    /// Bytes of the last document, when the end of the body ended it whole.
    pub document: Option<u64>,
    /// Bytes of a document that was cut, or after damage where no document was found any more.
    pub tail: u64,
    /// The fragment that was cut before its Cluster, which no event has named.
    pub unnamed: Option<FragmentNumber>,
}

impl Parser {
    /// The body is over. Call it after a last drain; afterwards the parser stands at the start of
    /// a new body.
    pub fn finish(&mut self) -> End {
        let unread = (self.buffer.len() - self.at) as u64;
        let mut end = End::default();
        if let Some(lost) = self.lost {
            end.tail = lost + unread;
        } else if self.document.open {
            // What is in the middle of being passed over is cut, and not the document's.
            let cut = self.skip > 0 && self.skip != unread;
            let place = if cut { self.skip_start } else { self.offset + self.skip };
            let behind = self.offset + unread - place;
            let bytes = place - self.document.start;
            let resting = behind == 0 && !self.damaged && self.masters_may_end();
            let named_whole = self.is_fragment() && self.document.ended;
            if named_whole || (!self.is_fragment() && (self.segment_is_over() || resting)) {
                (end.document, end.tail) = (Some(bytes), behind);
            } else {
                end.tail = bytes + behind;
                end.unnamed = self.tags.fragment_number.take().filter(|_| !self.document.named);
            }
        } else {
            end.tail = unread;
        }
        self.reset();
        end
    }

    /// Ends the document in the stream's books; `resting`: between two elements, not by damage.
    pub(super) fn end_document(&mut self, resting: bool) {
        if std::mem::take(&mut self.document.open) {
            let unnamed_whole = !self.is_fragment() && self.document.has_segment && resting;
            let complete = self.document.ended || unnamed_whole;
            let bytes = self.offset - self.document.start;
            if !complete {
                self.name_fragment();
            }
            self.steps.push_back(Step::DocumentEnd { complete, bytes });
        }
    }

    /// The Segment came to the end that its size told.
    pub(super) fn segment_is_over(&self) -> bool {
        self.document.has_segment && self.masters.is_empty()
    }

    /// No master is cut by ending here: those open have unknown size, and no BlockGroup waits.
    fn masters_may_end(&self) -> bool {
        self.document.has_segment
            && self.group_block.is_none()
            && self.masters.iter().all(|master| master.end.is_none())
    }
}
