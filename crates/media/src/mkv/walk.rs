//! The walk through the elements: one header, one small element or one block a step.

use super::parser::{Document, Master, Parser, Step};
use super::place::{self, Place};
use super::vint::{self, Read, Widths};
use super::{AwsTags, header, ids, limits, resync};

/// An element header whose first byte stands at the parser's place.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) id: u32,
    pub(super) size: Option<u64>,
    /// Bytes of the header itself.
    pub(super) len: usize,
}

impl Parser {
    /// Goes one step further; `false` when that needs more bytes.
    pub(super) fn walk(&mut self) -> bool {
        if self.damaged {
            return self.look_back();
        }
        if self.skip > 0 {
            return self.pass_over();
        }
        if let Some(lost) = self.lost {
            return self.search(lost);
        }
        if self.masters.last().is_some_and(|master| master.limit == self.offset) {
            self.close_master();
            return true;
        }
        match self.read_header() {
            Read::Done(header, _) => match self.search_header(header) {
                resync::Search::Found(_) => {
                    self.lose();
                    true
                }
                resync::Search::Undecided(at) => at == header.len && self.enter(header),
            },
            Read::More => false,
            Read::Bad => {
                self.lose();
                true
            }
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    fn search(&mut self, lost: u64) -> bool {
        let (passed, found) = match resync::search(self.unread(), self.unread().len()) {
            resync::Search::Found(at) => (at, true),
            resync::Search::Undecided(at) => (at, false),
        };
        self.consume(passed);
        self.kept = 0;
        let bytes = lost + passed as u64;
        self.lost = (!found).then_some(bytes);
        if found {
            self.steps.push_back(Step::Skipped { bytes });
        }
        found
    }

    fn read_header(&self) -> Read<Header> {
        let bytes = self.unread();
        // Between documents the default holds: a header is read before it can say otherwise, and
        // the document before has no say in it.
        let mut widths =
            if self.masters.is_empty() { Widths::DEFAULT } else { self.document.widths };
        let (id, id_len) = match vint::read_id(bytes, widths) {
            Read::Done(id, len) => (id, len),
            Read::More => return Read::More,
            Read::Bad => return Read::Bad,
        };
        if id == ids::EBML {
            widths = Widths::DEFAULT;
        }
        match vint::read_size(&bytes[id_len..], widths) {
            Read::Done(size, len) => Read::Done(Header { id, size, len: id_len + len }, len),
            Read::More => Read::More,
            Read::Bad => Read::Bad,
        }
    }

    /// A document that begins in the id or size of an element cuts it short.
    fn search_header(&self, header: Header) -> resync::Search {
        let bytes = &self.unread()[1..];
        if !bytes[..header.len - 1].contains(&ids::EBML.to_be_bytes()[0]) {
            return resync::Search::Undecided(header.len);
        }
        match resync::search(bytes, header.len - 1) {
            resync::Search::Found(at) => resync::Search::Found(at + 1),
            resync::Search::Undecided(at) => resync::Search::Undecided(at + 1),
        }
    }

    /// Decides what an element is by its id and where it stands.
    fn enter(&mut self, header: Header) -> bool {
        if header.id == ids::EBML {
            return self.enter_document(header);
        }
        let Some(parent) = self.masters.last().copied() else {
            return self.enter_top(header);
        };
        match place::of(header.id) {
            Place::In(master) if stands_in(master, parent) => {}
            Place::In(master) if self.masters.iter().any(|open| open.id == master) => {
                return self.leave_or_lose(parent);
            }
            Place::Top => return self.leave_or_lose(parent),
            Place::In(_) => {
                self.lose();
                return true;
            }
            Place::Anywhere | Place::Unknown => {}
        }
        let body = self.offset + header.len as u64;
        let end = header.size.map(|size| body.saturating_add(size));
        if end.is_some_and(|end| end > parent.limit) {
            self.lose();
            return true;
        }
        if matches!(parent.id, ids::SEGMENT | ids::CLUSTER | ids::BLOCK_GROUP)
            && self.belongs_to_another(header.id, parent)
        {
            self.lose();
            return true;
        }
        if place::is_walked(header.id) {
            return self.open_master(header, end, parent.limit);
        }
        match header.size {
            Some(size) => self.enter_leaf(parent.id, header, size),
            None if place::is_passed(header.id) => self.open_master(header, None, parent.limit),
            // Masters in a master that is passed over end with it.
            None if place::is_passed(parent.id) && place::of(header.id) == Place::In(parent.id) => {
                self.consume(header.len);
                true
            }
            // Only masters may have unknown size.
            None => {
                self.lose();
                true
            }
        }
    }

    /// Whether the element is rather one of a fragment that began in what was just walked over.
    fn belongs_to_another(&mut self, id: u32, parent: Master) -> bool {
        if place::is_rare(id) {
            return self.another_began();
        }
        let [.., last] = self.confirmed;
        // Where more bytes were needed the element comes again, but was asked about already.
        if parent.id == ids::BLOCK_GROUP || last == self.offset {
            return false;
        }
        let another = self.another_goes_on(id);
        if !another {
            self.confirm();
        }
        another
    }

    /// An element that stands in a master further up ends `parent` when its size is unknown.
    fn leave_or_lose(&mut self, parent: Master) -> bool {
        if parent.end.is_none() {
            self.close_master();
        } else {
            self.lose();
        }
        true
    }

    /// An EBML header ends every master of unknown size, one a step so that events come in order.
    fn enter_document(&mut self, header: Header) -> bool {
        if let Some(master) = self.masters.last() {
            if master.limit == u64::MAX {
                self.close_master();
            } else {
                self.lose_here();
            }
            return true;
        }
        let Some(size) = header.size.filter(|&size| size <= limits::MAX_EBML_HEADER) else {
            self.lose();
            return true;
        };
        if self.document.open {
            self.end_document(true);
            return true;
        }
        let start = self.at + header.len;
        let Some(body) = self.buffer.get(start..start + size as usize) else { return false };
        let widths = header::widths(body);
        self.begin_document(widths);
        self.consume(header.len + size as usize);
        true
    }

    /// Before, between and behind Segments. A further Segment without EBML header of its own is a
    /// document like the one before.
    fn enter_top(&mut self, header: Header) -> bool {
        match (header.id, header.size) {
            (ids::SEGMENT, size) if self.document.open => {
                if self.document.has_segment {
                    let widths = self.document.widths;
                    self.end_document(true);
                    self.begin_document(widths);
                    return true;
                }
                let end = size.map(|size| (self.offset + header.len as u64).saturating_add(size));
                self.document.has_segment = true;
                self.open_master(header, end, u64::MAX)
            }
            (ids::VOID | ids::CRC32, Some(size)) if self.document.open => {
                let doubtful = self.document.has_segment;
                let longest = if doubtful { limits::MAX_UNKNOWN } else { limits::MAX_SKIPPED };
                self.skip_leaf(header, size, longest, doubtful)
            }
            _ => {
                self.lose();
                true
            }
        }
    }

    fn begin_document(&mut self, widths: Widths) {
        self.document = Document { open: true, start: self.offset, widths, ..Document::default() };
        self.confirm_all();
        self.tags = AwsTags::default();
        self.tag_reader.clear();
        self.track_count = 0;
        self.steps.push_back(Step::DocumentStart);
    }

    fn open_master(&mut self, header: Header, end: Option<u64>, limit: u64) -> bool {
        if self.masters.len() == limits::MAX_DEPTH {
            self.lose();
            return true;
        }
        self.consume(header.len);
        self.masters.push(Master { id: header.id, end, limit: end.unwrap_or(limit) });
        match header.id {
            ids::TRACKS => {
                self.track_count = 0;
                self.more_tracks = false;
            }
            ids::TRACK_ENTRY => self.begin_track(),
            ids::CLUSTER => {
                self.document.cluster_ticks = 0;
                self.report_tags();
            }
            ids::BLOCK_GROUP => {
                self.group_block = None;
                self.group_padding = 0;
            }
            ids::CONTENT_ENCODINGS => self.encode_track(),
            ids::SIMPLE_TAG => self.tag_reader.open(),
            _ => {}
        }
        true
    }

    fn close_master(&mut self) {
        match self.masters.pop().map(|master| master.id) {
            Some(ids::TRACK_ENTRY) => self.end_track(),
            Some(ids::TRACKS) => self.steps.push_back(Step::Tracks),
            Some(ids::TAGS) => self.report_tags(),
            Some(ids::SIMPLE_TAG) => self.tag_reader.close(),
            Some(ids::BLOCK_GROUP) => {
                if let Some(mut head) = self.group_block.take() {
                    head.discard_padding = self.group_padding;
                    self.hand_out(head);
                }
            }
            _ => {}
        }
    }
}

/// Whether an element whose place is `master` stands right inside `parent`. SimpleTags nest, but
/// one of unknown size ends where the next one begins (RFC 8794 §6.2).
fn stands_in(master: u32, parent: Master) -> bool {
    let nested = master == ids::TAG && parent.id == ids::SIMPLE_TAG && parent.end.is_some();
    master == parent.id || nested
}
