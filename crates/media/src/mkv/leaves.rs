//! Elements without children that are walked: small ones are read whole, all others pass by.

use super::parser::{Parser, Step};
use super::place::{self, Place};
use super::walk::Header;
use super::{ids, limits, resync, vint};

impl Parser {
    pub(super) fn enter_leaf(&mut self, parent: u32, header: Header, size: u64) -> bool {
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
                if size <= limits::MAX_TRACK_STRING =>
            {
                self.read_leaf(header, size as usize)
            }
            (ids::SIMPLE_TAG, ids::TAG_NAME | ids::TAG_STRING) if size <= limits::MAX_STRING => {
                self.read_leaf(header, size as usize)
            }
            (ids::TRACK_ENTRY, ids::CODEC_PRIVATE) if size <= limits::MAX_CODEC_PRIVATE => {
                self.read_leaf(header, size as usize)
            }
            // Numbers of which nothing is read. A longer one is damage, and would pass over what
            // follows.
            (ids::CLUSTER, ids::POSITION | ids::PREV_SIZE)
            | (
                ids::BLOCK_GROUP,
                ids::BLOCK_DURATION
                | ids::REFERENCE_PRIORITY
                | ids::REFERENCE_BLOCK
                | ids::REFERENCE_VIRTUAL,
            ) if size > 8 => {
                self.lose();
                true
            }
            (ids::TRACK_ENTRY, ids::CONTENT_ENCODINGS) => {
                self.encode_track();
                self.pass(parent, header, size)
            }
            _ => self.pass(parent, header, size),
        }
    }

    pub(super) fn encode_track(&mut self) {
        if let Some(track) = self.current_track() {
            track.encoded = true;
        }
    }

    /// An element of which nothing is read.
    fn pass(&mut self, parent: u32, header: Header, size: u64) -> bool {
        // Behind a fragment's trailing tags the next document is expected.
        let finished = parent == ids::SEGMENT && self.document.ended;
        let (longest, doubtful) = match place::of(header.id) {
            Place::Unknown if finished => {
                self.lose();
                return true;
            }
            Place::Unknown if matches!(parent, ids::SEGMENT | ids::CLUSTER | ids::BLOCK_GROUP) => {
                (limits::MAX_UNKNOWN, true)
            }
            Place::Anywhere if finished => (limits::MAX_UNKNOWN, true),
            Place::Unknown => (limits::MAX_SKIPPED, true),
            _ => (limits::MAX_SKIPPED, false),
        };
        self.skip_leaf(header, size, longest, doubtful)
    }

    /// Passes over an element; in a `doubtful` one a document may begin. A short one is held if one
    /// does, and what follows it decides.
    pub(super) fn skip_leaf(
        &mut self,
        header: Header,
        size: u64,
        longest: u64,
        doubtful: bool,
    ) -> bool {
        if size > longest {
            self.lose();
            return true;
        }
        self.skip_start = self.offset;
        self.consume(header.len);
        self.skip = size;
        self.doubtful = doubtful && size > limits::MAX_UNKNOWN;
        true
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
                self.group_padding = vint::signed(body);
            }
            ids::TAG_NAME | ids::TAG_STRING => {
                let is_name = header.id == ids::TAG_NAME;
                self.tag_reader.take(is_name, body, &mut self.tags);
                // Of two fragments in one document, the first was cut, and the header of the other
                // is lost.
                if std::mem::take(&mut self.tags.renamed) {
                    self.lose();
                    return true;
                }
                // Tags of unknown size may be the body's last.
                if self.tags.is_complete() {
                    self.report_tags();
                }
            }
            id => {
                if let Some(track) = self.current.and_then(|current| self.tracks.get_mut(current)) {
                    track.set(id, body);
                }
            }
        }
        self.consume(header.len + size);
        true
    }

    /// Goes on passing over the current element.
    pub(super) fn pass_over(&mut self) -> bool {
        let unread = self.unread();
        let here = usize::try_from(self.skip).map_or(unread.len(), |skip| skip.min(unread.len()));
        let (passed, found) = match resync::search(unread, here) {
            resync::Search::Found(at) if self.doubtful => (at, true),
            resync::Search::Undecided(at) if self.doubtful => (at, false),
            _ => (here, false),
        };
        self.consume(passed);
        self.skip -= passed as u64;
        if found {
            self.lose();
            return true;
        }
        self.skip == 0
    }
}
