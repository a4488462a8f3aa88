//! The parser: a state machine of three modes, and the events that it hands out.

mod accounting;
mod blocks;
mod buffer;
mod document;
mod elements;
mod masters;
mod recovery;
mod tracks;
mod walk;

use std::collections::VecDeque;

use super::tags::TagReader;
use super::{AwsTags, Block, Event, limits, schema::Element};
use blocks::Blocks;
use buffer::Buffer;
use document::{Document, Phase};
use elements::Skip;
use masters::Masters;
use recovery::Recovery;
use tracks::Tracks;

/// What the parser does with the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// An element begins here, or a master ends.
    #[default]
    Walk,
    /// It is part of an element that is skipped; then back to [`Mode::Walk`].
    Skip(Skip),
    /// Damage was met: the next document is searched for; then back to [`Mode::Walk`].
    Search(Recovery),
}

/// Outcome of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The parser moved on, or queued an event.
    Taken,
    /// The step needs more bytes.
    NeedsBytes,
}

/// An event without what it borrows.
#[derive(Debug, Clone, Copy)]
enum QueuedEvent {
    DocumentStart,
    Tracks,
    FragmentStart,
    Cluster,
    OtherBlock { track: u64, bytes: u64 },
    BadBlock,
    Error,
    FragmentEnd,
    DocumentEnd { complete: bool, bytes: u64 },
    Skipped { bytes: u64 },
}

/// A track whose blocks are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// TrackNumber.
    pub number: u64,
    /// Longest block that is read of it, bytes; a longer one is damage. At most
    /// [`limits::MAX_BLOCK`]; more counts as that.
    pub longest_block: u64,
}

impl Selected {
    /// A track of which every block is read that is not damage in any track.
    pub fn any(number: u64) -> Self {
        Self { number, longest_block: limits::MAX_BLOCK }
    }
}

/// Incremental Matroska parser; see the [module](super) for what it accepts.
///
/// After each [`Parser::push`], call [`Parser::poll`] until it returns `None`, then push what the
/// last push left.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: Buffer,
    mode: Mode,
    masters: Masters,
    document: Document,
    tracks: Tracks,
    tags: AwsTags,
    tag_reader: TagReader,
    blocks: Blocks,
    selected: Option<Selected>,
    events: VecDeque<QueuedEvent>,
}

impl Parser {
    /// Returns a parser at the start of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the body and returns those that it did not take: it holds at most
    /// [`limits::PIECE`] of one push. Bytes that are only skipped are not even copied.
    #[must_use = "push what was not taken again after a drain"]
    pub fn push<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        if !self.blocks.need_payload() {
            self.buffer.unpin();
        }
        let most = limits::most_held(self.longest_block());
        self.buffer.compact(most);
        if let Mode::Skip(skip) = &mut self.mode
            && !skip.suspect
            && self.buffer.unread().is_empty()
        {
            let here = usize::try_from(skip.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            skip.left -= here as u64;
            self.buffer.skip(here);
            bytes = &bytes[here..];
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(limits::PIECE));
        self.buffer.extend(piece, most);
        rest
    }

    /// Returns the next event, or `None` if it needs more bytes.
    pub fn poll(&mut self) -> Option<Event<'_>> {
        self.blocks.release_frame();
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(self.event(event));
            }
            if let Some(index) = self.blocks.next_frame() {
                return Some(Event::Block(self.frame(index)));
            }
            let step = match self.mode {
                Mode::Walk => self.walk(),
                Mode::Skip(skip) => self.skip(skip),
                Mode::Search(recovery) => self.search(recovery),
            };
            if step == Step::NeedsBytes {
                return None;
            }
        }
    }

    /// Returns the frame that came out last as [`Event::Block`]; `None` once anything else did.
    pub fn frame_again(&self) -> Option<Block<'_>> {
        self.blocks.frame_in_use().map(|index| self.frame(index))
    }

    /// Chooses the track whose blocks come out as [`Event::Block`]; call it on [`Event::Tracks`].
    /// The choice holds until the next one, or the end of the body: a document whose Tracks come
    /// late, or never, is read by those of the document before.
    pub fn select(&mut self, track: Option<Selected>) {
        if self.selected != track {
            self.selected = track;
            // Less may be held of one track than of another; the buffer grows again if needed.
            self.buffer.shrink();
        }
    }

    /// Returns how many bytes are held: those pushed and not parsed yet, and the block at hand.
    pub fn held(&self) -> usize {
        self.buffer.held()
    }

    fn search(&mut self, mut recovery: Recovery) -> Step {
        let (passed, found) = recovery.advance(self.buffer.unread());
        self.buffer.consume(passed);
        if found {
            self.mode = Mode::Walk;
            self.events.push_back(QueuedEvent::Skipped { bytes: recovery.skipped });
            return Step::Taken;
        }
        self.mode = Mode::Search(recovery);
        Step::NeedsBytes
    }

    fn event(&self, event: QueuedEvent) -> Event<'_> {
        match event {
            QueuedEvent::DocumentStart => Event::DocumentStart,
            QueuedEvent::Tracks => Event::Tracks {
                tracks: self.tracks.listed(),
                mime_type: self.tags.mime_type.as_deref(),
            },
            QueuedEvent::FragmentStart => Event::FragmentStart(&self.tags),
            QueuedEvent::Cluster => {
                Event::Cluster { ticks: self.document.cluster_ticks, scale: self.document.scale }
            }
            QueuedEvent::OtherBlock { track, bytes } => Event::OtherBlock { track, bytes },
            QueuedEvent::BadBlock => Event::BadBlock,
            QueuedEvent::Error => {
                Event::Error { id: self.tags.error_id, code: self.tags.error_code.as_deref() }
            }
            QueuedEvent::FragmentEnd => Event::FragmentEnd(&self.tags),
            QueuedEvent::DocumentEnd { complete, bytes } => Event::DocumentEnd { complete, bytes },
            QueuedEvent::Skipped { bytes } => Event::Skipped { bytes },
        }
    }

    /// Longest block that is read of the selected track.
    fn longest_block(&self) -> u64 {
        self.selected.map_or(0, |selected| selected.longest_block.min(limits::MAX_BLOCK))
    }

    /// Returns whether the document is a fragment of KVS: it has a number.
    fn is_fragment(&self) -> bool {
        self.tags.fragment_number.is_some()
    }

    /// Queues the events that the AWS tags read so far give rise to.
    fn report_tags(&mut self) {
        let typed = self.tags.mime_type.is_some() && !self.tracks.listed().is_empty();
        if typed && self.document.report_mime_type() {
            self.events.push_back(QueuedEvent::Tracks);
        }
        let (complete, error) = (self.tags.is_complete(), self.tags.is_error());
        if complete || error || self.masters.in_a(Element::Cluster) {
            self.name_fragment();
        }
        if error && self.document.report_error() {
            self.events.push_back(QueuedEvent::Error);
        }
        if self.is_fragment() && complete && self.document.advance(Phase::Complete) {
            self.events.push_back(QueuedEvent::FragmentEnd);
        }
    }

    fn name_fragment(&mut self) {
        if self.is_fragment() && self.document.advance(Phase::Named) {
            self.events.push_back(QueuedEvent::FragmentStart);
        }
    }

    /// Returns to the start of a body; keeps what was allocated.
    fn reset(&mut self) {
        self.buffer.clear();
        self.mode = Mode::Walk;
        self.masters.clear();
        self.document = Document::default();
        self.tracks.clear();
        self.tags = AwsTags::default();
        self.tag_reader.clear();
        self.blocks.clear();
        self.selected = None;
        self.events.clear();
    }
}
