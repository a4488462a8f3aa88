//! Elements without children: small ones are read whole, all others are skipped.

use super::super::schema::{Element, Kind};
use super::super::{limits, vint};
use super::document::Phase;
use super::recovery::{self, Search};
use super::walk::Header;
use super::{Mode, Parser, QueuedEvent, Step};

/// Longest integer or float (RFC 8794 §7), bytes.
const MAX_NUMBER: u64 = 8;

/// An element whose content is being skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skip {
    /// Offset at which the element began.
    pub(super) start: u64,
    /// Bytes still to skip.
    pub(super) left: u64,
    /// It may not be an element at all, so a document is searched for in it.
    pub(super) suspect: bool,
}

impl Parser {
    /// Enters an element of known size that is no master, or a master that is skipped.
    pub(super) fn enter_leaf(&mut self, parent: Element, header: Header, size: u64) -> Step {
        match header.element {
            Element::SimpleBlock | Element::Block => return self.enter_block(header, size),
            Element::ContentEncodings => self.mark_encoded(),
            element if element.kind() == Kind::Number && size > MAX_NUMBER => {
                return self.damaged();
            }
            _ => {}
        }
        match longest_value(header.element) {
            Some(longest) if size <= longest => self.read_value(header, size as usize),
            _ => self.skip_unread(parent, header, size),
        }
    }

    pub(super) fn mark_encoded(&mut self) {
        if let Some(track) = self.tracks.current() {
            track.encoded = true;
        }
    }

    fn read_value(&mut self, header: Header, size: usize) -> Step {
        let total = header.len + size;
        let Some(value) = self.buffer.unread().get(header.len..total) else {
            return Step::NeedsBytes;
        };
        match header.element {
            Element::TimestampScale => {
                let scale = vint::unsigned(value);
                self.document.scale = if scale == 0 { 1_000_000 } else { scale };
            }
            Element::Timestamp => {
                let ticks = vint::unsigned(value).min(i64::MAX.unsigned_abs());
                self.document.cluster_ticks = ticks as i64;
                self.events.push_back(QueuedEvent::Cluster);
            }
            Element::DiscardPadding => self.blocks.set_padding(vint::signed(value)),
            Element::TagName | Element::TagString => {
                let is_name = header.element == Element::TagName;
                self.tag_reader.take(is_name, value, &mut self.tags);
                // Two fragment numbers in one document: the first fragment was cut, and the header
                // of the second one is lost.
                if std::mem::take(&mut self.tags.renamed) {
                    return self.damaged();
                }
                // Tags of unknown size may be the last bytes of the body.
                if self.tags.is_complete() {
                    self.report_tags();
                }
            }
            element => {
                if let Some(track) = self.tracks.current() {
                    track.set(element, value);
                }
            }
        }
        self.buffer.consume(total);
        Step::Taken
    }

    /// Skips an element of which nothing is read.
    fn skip_unread(&mut self, parent: Element, header: Header, size: u64) -> Step {
        // Behind the trailing tags of a fragment only the next document is expected.
        let complete = parent == Element::Segment && self.document.phase() == Phase::Complete;
        let bounded = matches!(parent, Element::Segment | Element::Cluster | Element::BlockGroup);
        let (longest, suspect) = match header.element {
            Element::Unknown if complete => return self.damaged(),
            Element::Unknown if bounded => (limits::MAX_UNKNOWN, true),
            Element::Unknown => (limits::MAX_SKIPPED, true),
            Element::Void | Element::Crc32 if complete => (limits::MAX_UNKNOWN, true),
            _ => (limits::MAX_SKIPPED, false),
        };
        self.skip_element(header, size, longest, suspect)
    }

    /// Skips an element; one longer than `longest` is damage.
    pub(super) fn skip_element(
        &mut self,
        header: Header,
        size: u64,
        longest: u64,
        suspect: bool,
    ) -> Step {
        if size > longest {
            return self.damaged();
        }
        self.mode = Mode::Skip(Skip { start: self.buffer.offset(), left: size, suspect });
        self.buffer.consume(header.len);
        Step::Taken
    }

    /// Skips what is here of the current element.
    pub(super) fn skip(&mut self, mut skip: Skip) -> Step {
        let unread = self.buffer.unread();
        let here = usize::try_from(skip.left).map_or(unread.len(), |left| left.min(unread.len()));
        let search = if skip.suspect {
            recovery::find_document(unread, here)
        } else {
            Search::Undecided(here)
        };
        let (Search::Found(passed) | Search::Undecided(passed)) = search;
        self.buffer.consume(passed);
        skip.left -= passed as u64;
        if search == Search::Found(passed) {
            return self.damaged();
        }
        if skip.left == 0 {
            self.mode = Mode::Walk;
            return Step::Taken;
        }
        self.mode = Mode::Skip(skip);
        Step::NeedsBytes
    }
}

/// Returns the longest value that is read of an element, bytes; `None` if it is not read.
fn longest_value(element: Element) -> Option<u64> {
    match element {
        Element::TimestampScale
        | Element::Timestamp
        | Element::DiscardPadding
        | Element::TrackNumber
        | Element::TrackType
        | Element::CodecDelay
        | Element::SamplingFrequency
        | Element::OutputSamplingFrequency
        | Element::Channels
        | Element::BitDepth => Some(MAX_NUMBER),
        Element::CodecId | Element::Name => Some(limits::MAX_TRACK_STRING),
        Element::CodecPrivate => Some(limits::MAX_CODEC_PRIVATE),
        Element::TagName | Element::TagString => Some(limits::MAX_STRING),
        _ => None,
    }
}
