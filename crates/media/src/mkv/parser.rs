//! The parser's state and its three calls; the walk through the elements is in `walk`.

use std::collections::VecDeque;
use std::ops::Range;

use super::tags::TagReader;
use super::vint::Widths;
use super::{AwsTags, Block, Event, Track, TrackKind, ids, limits};

/// A master element that is being walked through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Master {
    pub(super) id: u32,
    /// Stream offset at which it ends; `None` for unknown size.
    pub(super) end: Option<u64>,
    /// Stream offset that no child may pass: the nearest known end around it.
    pub(super) limit: u64,
}

/// What is known of the current document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) open: bool,
    /// Stream offset of its EBML header.
    pub(super) start: u64,
    pub(super) has_segment: bool,
    pub(super) widths: Widths,
    /// [`Event::FragmentStart`] went out.
    pub(super) named: bool,
    /// [`Event::FragmentEnd`] went out.
    pub(super) ended: bool,
    /// [`Event::Error`] went out.
    pub(super) failed: bool,
    /// [`Event::Tracks`] went out with the MimeType tag.
    pub(super) typed: bool,
    /// Nanoseconds in a tick.
    pub(super) scale: u64,
    pub(super) cluster_ticks: i64,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            open: false,
            start: 0,
            has_segment: false,
            widths: Widths::DEFAULT,
            named: false,
            ended: false,
            failed: false,
            typed: false,
            scale: 1_000_000,
            cluster_ticks: 0,
        }
    }
}

/// Header of a block whose frames are being handed out, and where its payload lies.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BlockHead {
    pub(super) track: u64,
    pub(super) offset: i16,
    pub(super) flags: u8,
    pub(super) discard_padding: i64,
    /// Where the payload lies in `buffer`, and where it ends.
    pub(super) payload: usize,
    pub(super) end: usize,
}

/// An event without what it borrows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
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
    Frame(usize),
}

/// A track whose blocks are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// TrackNumber.
    pub number: u64,
    /// Longest block read of it, bytes; a longer one is damage. What is above [`limits::MAX_BLOCK`]
    /// counts as that.
    pub longest_block: u64,
}

impl Selected {
    /// A track of which all blocks are read that any may have.
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
    pub(super) buffer: Vec<u8>,
    /// Index in `buffer` of the first byte not walked over.
    pub(super) at: usize,
    /// The same place counted from the start of the body.
    pub(super) offset: u64,
    /// Bytes still to pass over.
    pub(super) skip: u64,
    /// Where the element that is passed over began.
    pub(super) skip_start: u64,
    /// It may be no element at all: a document that begins in it counts.
    pub(super) doubtful: bool,
    /// Bytes passed over since damage, while looking for the next document.
    pub(super) lost: Option<u64>,
    /// Damage was met at this place; where the next document begins is not known yet.
    pub(super) damaged: bool,
    /// Bytes before `at` that are held because a document may begin among them.
    pub(super) kept: usize,
    /// Only walks the beginning of what may be a document, and looks back no further.
    pub(super) probing: bool,
    /// What looked like a document here, and was held, is none that is sound.
    pub(super) refuted: Option<u64>,
    /// Stream offset up to which the body was walked over at least once.
    pub(super) furthest: u64,
    /// Bytes walked over more than once, less what new ones earned since.
    pub(super) spent: u64,
    /// Where the last elements began that stood in their places.
    pub(super) confirmed: [u64; limits::CONFIRMING],
    pub(super) masters: Vec<Master>,
    pub(super) document: Document,
    pub(super) tracks: Vec<Track>,
    pub(super) track_count: usize,
    /// The TrackEntry that is read, or was last.
    pub(super) current: Option<usize>,
    /// There were more tracks than are kept.
    pub(super) more_tracks: bool,
    pub(super) selected: Option<Selected>,
    pub(super) tags: AwsTags,
    pub(super) tag_reader: TagReader,
    pub(super) steps: VecDeque<Step>,
    pub(super) block: BlockHead,
    /// Frames of `block` in its payload; those from `next_frame` on are still to be handed out.
    pub(super) frames: Vec<Range<usize>>,
    pub(super) next_frame: usize,
    /// The frame before `next_frame` may be asked for again.
    pub(super) in_use: bool,
    /// The current BlockGroup's block, held until the group tells its DiscardPadding.
    pub(super) group_block: Option<BlockHead>,
    /// DiscardPadding of the current BlockGroup; it may come before its block.
    pub(super) group_padding: i64,
}

impl Parser {
    /// A parser at the start of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next event, or `None` when more bytes are needed.
    pub fn poll(&mut self) -> Option<Event<'_>> {
        let step = self.next_step()?;
        Some(self.event(step))
    }

    /// The frame that came out last as [`Event::Block`]; `None` once anything else did.
    pub fn frame_again(&self) -> Option<Block<'_>> {
        self.in_use.then(|| self.frame(self.next_frame - 1))
    }

    /// The current document's tracks, as far as they are known.
    pub(super) fn tracks(&self) -> &[Track] {
        &self.tracks[..self.track_count]
    }

    /// The document is a KVS fragment: it has a number.
    pub(super) fn is_fragment(&self) -> bool {
        self.tags.fragment_number.is_some()
    }

    pub(super) fn reset(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        let tracks = std::mem::take(&mut self.tracks);
        *self = Self { buffer, tracks, ..Self::default() };
        self.buffer.clear();
    }

    fn next_step(&mut self) -> Option<Step> {
        self.in_use = false;
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Some(step);
            }
            if self.next_frame < self.frames.len() {
                self.next_frame += 1;
                self.in_use = true;
                return Some(Step::Frame(self.next_frame - 1));
            }
            if !self.walk() {
                return None;
            }
        }
    }

    fn event(&self, step: Step) -> Event<'_> {
        match step {
            Step::DocumentStart => Event::DocumentStart,
            Step::Tracks => {
                Event::Tracks { tracks: self.tracks(), mime_type: self.tags.mime_type.as_deref() }
            }
            Step::FragmentStart => Event::FragmentStart(&self.tags),
            Step::Cluster => {
                Event::Cluster { ticks: self.document.cluster_ticks, scale: self.document.scale }
            }
            Step::OtherBlock { track, bytes } => Event::OtherBlock { track, bytes },
            Step::BadBlock => Event::BadBlock,
            Step::Error => {
                Event::Error { id: self.tags.error_id, code: self.tags.error_code.as_deref() }
            }
            Step::FragmentEnd => Event::FragmentEnd(&self.tags),
            Step::DocumentEnd { complete, bytes } => Event::DocumentEnd { complete, bytes },
            Step::Skipped { bytes } => Event::Skipped { bytes },
            Step::Frame(index) => Event::Block(self.frame(index)),
        }
    }

    fn frame(&self, index: usize) -> Block<'_> {
        let head = self.block;
        let payload = &self.buffer[head.payload..head.end];
        let last = index + 1 == self.frames.len();
        Block {
            track: head.track,
            ticks: self.document.cluster_ticks.saturating_add(i64::from(head.offset)),
            scale: self.document.scale,
            flags: head.flags,
            // A lace has at most 256 frames.
            lace: index as u8,
            discard_padding: if last { head.discard_padding } else { 0 },
            data: &payload[self.frames[index].clone()],
        }
    }

    /// The TrackEntry being read.
    pub(super) fn current_track(&mut self) -> Option<&mut Track> {
        self.current.and_then(|current| self.tracks.get_mut(current))
    }

    /// Makes room for the next TrackEntry, reusing what earlier documents allocated. One too many
    /// is read beside the others.
    pub(super) fn begin_track(&mut self) {
        match self.tracks.get_mut(self.track_count) {
            Some(track) => track.clear(),
            None => self.tracks.push(Track::default()),
        }
        self.current = Some(self.track_count);
        if self.track_count < limits::MAX_TRACKS {
            self.track_count += 1;
        }
    }

    /// The TrackEntry is read. Where there are too many, audio takes the place of what is none.
    pub(super) fn end_track(&mut self) {
        if let Some(track) = self.current_track() {
            track.guess_kind();
        }
        if self.current != Some(limits::MAX_TRACKS) {
            return;
        }
        self.more_tracks = true;
        let is_audio = |track: &Track| track.kind == TrackKind::Audio;
        let kept = &self.tracks[..limits::MAX_TRACKS];
        let other = kept.iter().rposition(|track| !is_audio(track));
        if let (Some(other), true) = (other, self.tracks.last().is_some_and(is_audio)) {
            self.tracks.swap(other, limits::MAX_TRACKS);
        }
    }

    /// Damage: the document is over, and the next one is looked for, first among the bytes still
    /// held.
    pub(super) fn lose(&mut self) {
        self.damaged = true;
        self.skip = 0;
    }

    /// As [`Parser::lose`], where the next document plainly begins here.
    pub(super) fn lose_here(&mut self) {
        self.kept = 0;
        self.lose();
    }

    /// The AWS tags say something new: names the fragment, reports an error, completes it.
    pub(super) fn report_tags(&mut self) {
        let typed = self.tags.mime_type.is_some() && self.track_count > 0;
        if typed && !std::mem::replace(&mut self.document.typed, true) {
            self.steps.push_back(Step::Tracks);
        }
        let last = self.tags.is_complete() || self.tags.is_error();
        if last || self.masters.last().is_some_and(|master| master.id == ids::CLUSTER) {
            self.name_fragment();
        }
        if self.tags.is_error() && !std::mem::replace(&mut self.document.failed, true) {
            self.steps.push_back(Step::Error);
        }
        if self.is_fragment()
            && self.tags.is_complete()
            && !std::mem::replace(&mut self.document.ended, true)
        {
            self.steps.push_back(Step::FragmentEnd);
        }
    }

    pub(super) fn name_fragment(&mut self) {
        if self.is_fragment() && !std::mem::replace(&mut self.document.named, true) {
            self.steps.push_back(Step::FragmentStart);
        }
    }
}
