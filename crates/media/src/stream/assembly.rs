//! Takes the parser's events in order and decides what comes out.

mod blocks;
mod flush;
mod fragments;
mod tracks;

use super::StreamOptions;
use super::audio::{Audio, TrackTiming};
use super::emission::Emission;
use super::ending::Ending;
use super::held::Held;
use super::progress::Progress;
use super::remainder::Remainder;
use super::selection::Selection;
use crate::mkv::{Block, End, Event, Selected};
use crate::timeline::Timeline;
use crate::{Anchor, Counters, FragmentNumber, Output, Tail};

/// Everything of a stream but the parser.
#[derive(Debug)]
pub(super) struct Assembly {
    timeline: Timeline,
    progress: Progress,
    audio: Audio,
    emission: Emission,
    counters: Counters,
    document: Document,
    selection: Selection,
    /// Of the block taken last.
    remainder: Remainder,
    held: Held,
    ending: Ending,
    /// A fragment that ended without its trailing tags and was not reported yet.
    incomplete: Option<FragmentNumber>,
    /// The session that is read.
    session_id: Option<String>,
}

/// What is known of the current document.
#[derive(Debug, Default)]
struct Document {
    fragment: Option<Fragment>,
    /// Its audio was taken before, or is another session's.
    passed_over: bool,
    foreign: bool,
    track: TrackTiming,
    /// Producer clock minus Matroska time, ms; set by its first Cluster.
    session_ms: Option<i64>,
    /// Time of its last block, in ticks.
    ticks: Option<i64>,
    /// Where the next frame of that time stands, ns from it.
    lace_nanos: i64,
    /// Tracks whose blocks passed before any Tracks said what they are; one bit a number.
    untold: u64,
    /// Position of its first audio block.
    first: Option<i64>,
}

#[derive(Debug)]
struct Fragment {
    number: FragmentNumber,
    server_ms: Option<i64>,
    producer_ms: Option<i64>,
    announced: bool,
    completed: bool,
    /// The timeline as it was before the fragment.
    before: Timeline,
}

impl Document {
    /// Its fragment has not ended yet: if it ends here, a block that is held comes again with it.
    fn breaks_off(&self) -> bool {
        self.fragment.as_ref().is_some_and(|fragment| !fragment.completed)
    }
}

impl Assembly {
    pub(super) fn start(options: StreamOptions) -> Self {
        let timeline = Timeline::new(options.max_fill_ms, options.max_overlap_ms);
        let progress = Progress::default();
        let audio = Audio::new(options.track_name, None);
        Self::with(timeline, progress, Emission::from_mark(None), audio, options.session_id)
    }

    pub(super) fn resume(options: StreamOptions, anchor: Anchor) -> Self {
        let timeline = Timeline::from_anchor(&anchor, options.max_fill_ms, options.max_overlap_ms);
        let mark = anchor.origin_ms.map(|_| timeline.next());
        let audio = Audio::new(options.track_name, anchor.label.as_deref());
        let progress = Progress::resumed_at(anchor.fragment);
        Self::with(timeline, progress, Emission::from_mark(mark), audio, options.session_id)
    }

    fn with(
        timeline: Timeline,
        progress: Progress,
        emission: Emission,
        audio: Audio,
        session_id: Option<String>,
    ) -> Self {
        Self {
            timeline,
            progress,
            audio,
            emission,
            counters: Counters::default(),
            document: Document::default(),
            selection: Selection::default(),
            remainder: Remainder::default(),
            held: Held::default(),
            ending: Ending::default(),
            incomplete: None,
            session_id,
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn codec_id(&self) -> Option<&str> {
        self.audio.codec_id()
    }

    pub(super) fn origin_ms(&self) -> Option<i64> {
        self.timeline.origin_ms()
    }

    pub(super) fn has_output(&self) -> bool {
        self.emission.has_output()
    }

    pub(super) fn output(&mut self) -> Option<Output<'_>> {
        self.emission.output()
    }

    /// Something is left of the block taken last; it comes before the next event.
    pub(super) fn goes_on(&self) -> bool {
        !self.remainder.is_empty()
    }

    /// Goes on in the block taken last.
    pub(super) fn go_on(&mut self, block: Option<Block<'_>>) {
        self.emission.begin();
        let Some(block) = block else { return self.remainder.clear() };
        self.settle_before(block.ticks, block.scale);
        match self.remainder.next(self.audio.decoder(), block) {
            Some(packet) => self.take_packet(packet),
            None => self.counters.decode_errors += 1,
        }
    }

    /// Takes one event; `Some` tells the parser which track to hand out from now on.
    pub(super) fn take(&mut self, event: Event<'_>) -> Option<Option<Selected>> {
        self.emission.begin();
        match event {
            // Of these none says that no block follows.
            Event::Block(_)
            | Event::OtherBlock { .. }
            | Event::BadBlock
            | Event::Cluster { .. } => {}
            Event::DocumentEnd { .. } if self.document.breaks_off() => self.held.forget(),
            _ => self.settle(None),
        }
        match event {
            Event::DocumentStart => self.begin_document(),
            Event::Tracks { tracks, mime_type } => self.plan_tracks(tracks, mime_type),
            Event::FragmentStart(tags) => self.begin_fragment(tags),
            Event::Cluster { ticks, scale } => self.begin_cluster(ticks, scale),
            Event::Block(block) => self.take_block(block),
            Event::OtherBlock { track, .. } => {
                self.counters.skipped_blocks += 1;
                if !self.selection.is_given_up() {
                    self.document.untold |= track_bit(track);
                }
            }
            Event::BadBlock => self.counters.decode_errors += 1,
            Event::Error { id, code } => {
                self.counters.error_tags += 1;
                let (id, code) = (id.unwrap_or(0), code.map(str::to_owned));
                self.emission.say(Output::ErrorTag { id, code });
            }
            Event::FragmentEnd(tags) => self.complete_fragment(tags),
            Event::DocumentEnd { complete, .. } => self.end_document(complete),
            Event::Skipped { bytes } => {
                self.counters.skipped_bytes += bytes;
                self.counters.resyncs += 1;
                let incomplete = self.incomplete.take();
                self.emission.say(Output::Skipped { bytes, incomplete });
            }
        }
        self.selection.news()
    }

    /// The body is over, and the parser's books are closed.
    pub(super) fn finish(&mut self, end: End) -> Tail {
        if self.document.breaks_off() {
            self.held.forget();
        }
        let complete = end.document.is_some();
        if complete || end.tail > 0 {
            self.end_document(complete);
        }
        self.document = Document::default();
        self.selection.finish();
        self.remainder.clear();
        self.counters.incomplete_fragments += u64::from(end.unnamed.is_some());
        let incomplete = self.incomplete.take().or(end.unnamed);
        Tail { cut: end.tail > 0, incomplete, bytes: end.tail }
    }
}

/// Numbers beyond what is usual share a bit.
fn track_bit(number: u64) -> u64 {
    1 << number.min(63)
}
