//! The walk through the elements: one header, one small element or one block a step.

use super::parser::{Document, Master, Parser, Step};
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
        if self.skip > 0 {
            return self.pass_over();
        }
        if let Some(lost) = self.lost {
            return self.search(lost);
        }
        if self.masters.last().is_some_and(|master| master.end == Some(self.offset)) {
            self.close_master();
            return true;
        }
        match self.read_header() {
            Read::Done(header, _) => self.enter(header),
            Read::More => false,
            Read::Bad => {
                self.lose();
                true
            }
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        self.offset += bytes as u64;
    }

    fn pass_over(&mut self) -> bool {
        let here = self.skip.min(self.unread().len() as u64);
        self.consume(here as usize);
        self.skip -= here;
        self.skip == 0
    }

    fn search(&mut self, lost: u64) -> bool {
        let (passed, found) = match resync::search(self.unread()) {
            resync::Search::Found(at) => (at, true),
            resync::Search::Undecided(at) => (at, false),
        };
        self.consume(passed);
        let bytes = lost + passed as u64;
        self.lost = (!found).then_some(bytes);
        if found {
            self.steps.push_back(Step::Skipped { bytes });
        }
        found
    }

    fn read_header(&self) -> Read<Header> {
        let bytes = self.unread();
        // Between documents the default holds: a header is read before it can say otherwise.
        let widths = if self.masters.is_empty() { Widths::DEFAULT } else { self.document.widths };
        let (id, id_len) = match vint::read_id(bytes, widths) {
            Read::Done(id, len) => (id, len),
            Read::More => return Read::More,
            Read::Bad => return Read::Bad,
        };
        match vint::read_size(&bytes[id_len..], widths) {
            Read::Done(size, len) => Read::Done(Header { id, size, len: id_len + len }, len),
            Read::More => Read::More,
            Read::Bad => Read::Bad,
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
        let level = ids::level(header.id);
        let fits_inside = level.is_none()
            || level > ids::level(parent.id)
            || ids::is_walked(parent.id, header.id);
        if !fits_inside {
            return self.leave_or_lose(parent);
        }
        let body = self.offset + header.len as u64;
        let end = header.size.map(|size| body.saturating_add(size));
        if end.is_some_and(|end| end > parent.limit) {
            self.lose();
            return true;
        }
        if ids::is_walked(parent.id, header.id) {
            return self.open_master(header, end, parent.limit);
        }
        match header.size {
            Some(size) => self.enter_leaf(parent.id, header, size),
            // Only masters may have unknown size.
            None => {
                self.lose();
                true
            }
        }
    }

    /// An element that cannot stand inside `parent` ends it when its size is unknown.
    fn leave_or_lose(&mut self, parent: Master) -> bool {
        if parent.end.is_none() && self.masters.len() > 1 {
            self.close_master();
        } else {
            self.lose();
        }
        true
    }

    /// An EBML header ends every master of unknown size, one a step so that events come in order.
    fn enter_document(&mut self, header: Header) -> bool {
        if let Some(master) = self.masters.last() {
            if master.limit == u64::MAX && master.end.is_none() {
                self.close_master();
            } else {
                self.lose();
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
        self.document = Document { open: true, start: self.offset, widths, ..Document::default() };
        self.tags = AwsTags::default();
        self.track_count = 0;
        self.consume(header.len + size as usize);
        self.steps.push_back(Step::DocumentStart);
        true
    }

    /// Between EBML header and Segment.
    fn enter_top(&mut self, header: Header) -> bool {
        let in_document = self.document.open && !self.document.has_segment;
        match (header.id, header.size) {
            (ids::SEGMENT, size) if in_document => {
                let end = size.map(|size| (self.offset + header.len as u64).saturating_add(size));
                self.document.has_segment = true;
                self.open_master(header, end, u64::MAX)
            }
            (ids::VOID | ids::CRC32, Some(size))
                if self.document.open && size <= limits::MAX_UNKNOWN =>
            {
                self.consume(header.len);
                self.skip = size;
                true
            }
            _ => {
                self.lose();
                true
            }
        }
    }

    fn open_master(&mut self, header: Header, end: Option<u64>, limit: u64) -> bool {
        if self.masters.len() == limits::MAX_DEPTH {
            self.lose();
            return true;
        }
        self.consume(header.len);
        self.masters.push(Master { id: header.id, end, limit: end.unwrap_or(limit) });
        match header.id {
            ids::TRACKS => self.track_count = 0,
            ids::TRACK_ENTRY => self.begin_track(),
            ids::CLUSTER => {
                self.document.cluster_ticks = 0;
                self.report_tags();
            }
            ids::BLOCK_GROUP => self.group_block = None,
            ids::SIMPLE_TAG => self.tag_reader.open(),
            _ => {}
        }
        true
    }

    fn close_master(&mut self) {
        match self.masters.pop().map(|master| master.id) {
            Some(ids::TRACKS) => self.steps.push_back(Step::Tracks),
            Some(ids::TAGS) => self.report_tags(),
            Some(ids::BLOCK_GROUP) => {
                if let Some(head) = self.group_block.take() {
                    self.hand_out(head);
                }
            }
            _ => {}
        }
    }

    fn enter_leaf(&mut self, parent: u32, header: Header, size: u64) -> bool {
        match (parent, header.id) {
            (ids::CLUSTER, ids::SIMPLE_BLOCK) | (ids::BLOCK_GROUP, ids::BLOCK) => {
                self.enter_block(parent, header, size)
            }
            (ids::INFO, ids::TIMESTAMP_SCALE)
            | (ids::CLUSTER, ids::TIMESTAMP)
            | (ids::BLOCK_GROUP, ids::DISCARD_PADDING)
            | (ids::TRACK_ENTRY, ids::TRACK_NUMBER | ids::TRACK_TYPE | ids::CODEC_DELAY)
            | (
                ids::AUDIO,
                ids::SAMPLING_FREQUENCY
                | ids::OUTPUT_SAMPLING_FREQUENCY
                | ids::CHANNELS
                | ids::BIT_DEPTH,
            ) => {
                if size > 8 {
                    self.lose();
                    return true;
                }
                self.read_leaf(header, size as usize)
            }
            (ids::TRACK_ENTRY, ids::CODEC_ID | ids::TRACK_NAME)
            | (ids::SIMPLE_TAG, ids::TAG_NAME | ids::TAG_STRING)
                if size <= limits::MAX_STRING =>
            {
                self.read_leaf(header, size as usize)
            }
            (ids::TRACK_ENTRY, ids::CODEC_PRIVATE) if size <= limits::MAX_CODEC_PRIVATE => {
                self.read_leaf(header, size as usize)
            }
            (ids::TRACK_ENTRY, ids::CONTENT_ENCODINGS) => {
                if let Some(track) = self.current_track() {
                    track.encoded = true;
                }
                self.skip_leaf(parent, header, size)
            }
            _ => self.skip_leaf(parent, header, size),
        }
    }

    pub(super) fn skip_leaf(&mut self, parent: u32, header: Header, size: u64) -> bool {
        let longest = self.longest_skipped(parent, header.id);
        if size > longest || longest == 0 {
            self.lose();
            return true;
        }
        self.consume(header.len);
        self.skip = size;
        true
    }

    /// How long an element may be that is skipped. In a Segment or Cluster what does not belong there may
    /// be a broken id; and behind a fragment's trailing tags the next document is expected, so that what is
    /// no element of a Segment is that document's damaged beginning.
    fn longest_skipped(&self, parent: u32, id: u32) -> u64 {
        let belongs = match parent {
            ids::SEGMENT => ids::level(id) == Some(1),
            ids::CLUSTER => ids::level(id) == Some(2),
            _ => true,
        };
        let finished = parent == ids::SEGMENT && self.document.ended;
        match id {
            _ if belongs => limits::MAX_SKIPPED,
            ids::VOID | ids::CRC32 if !finished => limits::MAX_SKIPPED,
            ids::VOID | ids::CRC32 => limits::MAX_UNKNOWN,
            _ if finished => 0,
            _ => limits::MAX_UNKNOWN,
        }
    }

    fn read_leaf(&mut self, header: Header, size: usize) -> bool {
        let start = self.at + header.len;
        let Some(body) = self.buffer.get(start..start + size) else { return false };
        match header.id {
            ids::TIMESTAMP_SCALE => {
                let scale = vint::unsigned(body);
                self.document.scale = if scale == 0 { 1_000_000 } else { scale };
            }
            ids::TIMESTAMP => {
                let ticks = vint::unsigned(body).min(i64::MAX.unsigned_abs());
                self.document.cluster_ticks = ticks as i64;
                self.steps.push_back(Step::Cluster);
            }
            ids::DISCARD_PADDING => {
                let padding = vint::signed(body);
                if let Some(head) = &mut self.group_block {
                    head.discard_padding = padding;
                }
            }
            ids::TAG_NAME => self.tag_reader.name(body, &mut self.tags),
            ids::TAG_STRING => self.tag_reader.value(body, &mut self.tags),
            id if self.in_kept_track => {
                if let Some(track) = self.tracks.get_mut(self.track_count.wrapping_sub(1)) {
                    track.set(id, body);
                }
            }
            _ => {}
        }
        self.consume(header.len + size);
        true
    }
}
