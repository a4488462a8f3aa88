//! One step of the walk through the elements: a header, a small element, or a block.

use super::super::schema::{Element, Kind};
use super::super::vint::{self, Read, Widths};
use super::super::{header, limits};
use super::document::{Document, Phase};
use super::masters::{Master, Nesting};
use super::{Mode, Parser, QueuedEvent, Step};

/// The header of the element at the first unread byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) element: Element,
    /// Bytes of the content; `None` if unknown.
    pub(super) size: Option<u64>,
    /// Bytes of the header itself.
    pub(super) len: usize,
}

impl Parser {
    /// Parses the next element, or ends a master.
    pub(super) fn walk(&mut self) -> Step {
        let ended = |master: Master| master.limit == self.buffer.offset();
        if self.masters.innermost().is_some_and(ended) {
            return self.close_master();
        }
        match self.read_header() {
            Read::Done(header, _) => self.enter(header),
            Read::More => Step::NeedsBytes,
            Read::Bad => self.damaged(),
        }
    }

    fn read_header(&self) -> Read<Header> {
        let bytes = self.buffer.unread();
        // Outside a Segment the defaults apply: the widths of a document hold for its Segment only.
        let mut widths =
            if self.masters.is_empty() { Widths::DEFAULT } else { self.document.widths() };
        let (element, id_len) = match vint::read_id(bytes, widths) {
            Read::Done(id, len) => (Element::of(id), len),
            Read::More => return Read::More,
            Read::Bad => return Read::Bad,
        };
        if element == Element::Ebml {
            widths = Widths::DEFAULT;
        }
        match vint::read_size(&bytes[id_len..], widths) {
            Read::Done(size, len) => Read::Done(Header { element, size, len: id_len + len }, len),
            Read::More => Read::More,
            Read::Bad => Read::Bad,
        }
    }

    /// Decides by the schema what to do with an element.
    fn enter(&mut self, header: Header) -> Step {
        if header.element == Element::Ebml {
            return self.enter_document(header);
        }
        let Some(parent) = self.masters.innermost() else { return self.enter_root(header) };
        match self.masters.nesting(header.element, parent) {
            Nesting::Inside => {}
            // A master of unknown size ends here; one of known size ends only at its end.
            Nesting::Outside if parent.end.is_none() => return self.close_master(),
            Nesting::Outside | Nesting::Misplaced => return self.damaged(),
        }
        let content = self.buffer.offset() + header.len as u64;
        let end = header.size.map(|size| content.saturating_add(size));
        if end.is_some_and(|end| end > parent.limit) {
            return self.damaged();
        }
        match (header.element.kind(), header.size) {
            (Kind::Master, _) | (Kind::Opaque, None) => self.open_master(header, end),
            (_, Some(size)) => self.enter_leaf(parent.element, header, size),
            // A master in a master of which nothing is read: its children are skipped likewise.
            (Kind::Unknown, None) if parent.is_opaque() => {
                self.buffer.consume(header.len);
                Step::Taken
            }
            // Only masters may have unknown size (RFC 8794 §6.2).
            (_, None) => self.damaged(),
        }
    }

    /// An EBML header ends every master of unknown size, one each step, so that events come in
    /// order.
    fn enter_document(&mut self, header: Header) -> Step {
        if let Some(master) = self.masters.innermost() {
            return if master.limit == u64::MAX { self.close_master() } else { self.damaged() };
        }
        let Some(size) = header.size.filter(|&size| size <= limits::MAX_EBML_HEADER) else {
            return self.damaged();
        };
        if self.document.is_open() {
            self.end_document(true);
            return Step::Taken;
        }
        let total = header.len + size as usize;
        let Some(content) = self.buffer.unread().get(header.len..total) else {
            return Step::NeedsBytes;
        };
        self.begin_document(header::widths(content));
        self.buffer.consume(total);
        Step::Taken
    }

    /// Enters an element outside every master: a Segment, or what may stand around it. A further
    /// Segment without an EBML header of its own is a document like the one before.
    fn enter_root(&mut self, header: Header) -> Step {
        match (header.element, header.size) {
            (Element::Segment, _) if self.document.has_segment() => {
                let widths = self.document.widths();
                self.end_document(true);
                self.begin_document(widths);
                Step::Taken
            }
            (Element::Segment, size) if self.document.is_open() => {
                let content = self.buffer.offset() + header.len as u64;
                self.document.advance(Phase::Segment);
                self.open_master(header, size.map(|size| content.saturating_add(size)))
            }
            (Element::Void | Element::Crc32, Some(size)) if self.document.is_open() => {
                let suspect = self.document.has_segment();
                let longest = if suspect { limits::MAX_UNKNOWN } else { limits::MAX_SKIPPED };
                self.skip_element(header, size, longest, suspect)
            }
            _ => self.damaged(),
        }
    }

    fn begin_document(&mut self, widths: Widths) {
        self.document = Document::begin(self.buffer.offset(), widths);
        self.tags = Default::default();
        self.tag_reader.clear();
        self.tracks.begin();
        self.events.push_back(QueuedEvent::DocumentStart);
    }

    fn open_master(&mut self, header: Header, end: Option<u64>) -> Step {
        if !self.masters.open(header.element, end) {
            return self.damaged();
        }
        self.buffer.consume(header.len);
        match header.element {
            Element::Tracks => self.tracks.begin(),
            Element::TrackEntry => self.tracks.begin_entry(),
            Element::ContentEncodings => self.mark_encoded(),
            Element::Cluster => {
                self.document.cluster_ticks = 0;
                self.report_tags();
            }
            Element::BlockGroup => self.blocks.begin_group(),
            Element::SimpleTag => self.tag_reader.open(),
            _ => {}
        }
        Step::Taken
    }

    fn close_master(&mut self) -> Step {
        match self.masters.close() {
            Some(Element::TrackEntry) => self.tracks.end_entry(),
            Some(Element::Tracks) => self.events.push_back(QueuedEvent::Tracks),
            Some(Element::Tags) => self.report_tags(),
            Some(Element::SimpleTag) => self.tag_reader.close(),
            Some(Element::BlockGroup) => self.end_group(),
            _ => {}
        }
        Step::Taken
    }

    /// Damage: ends the document and searches for the next one from here on.
    pub(super) fn damaged(&mut self) -> Step {
        self.end_document(self.segment_is_over());
        self.masters.clear();
        self.blocks.drop_group();
        self.mode = Mode::Search(Default::default());
        Step::Taken
    }
}
