//! Takes the parser's events in order and decides what comes out.

mod blocks;
mod flush;
mod fragments;
mod tracks;
mod waiting;

use super::StreamOptions;
use super::audio::{Audio, TrackTiming};
use super::budget::Budget;
use super::deferred::Deferred;
use super::emission::Emission;
use super::ending::Ending;
use super::failing::Failing;
use super::progress::Progress;
use super::remainder::Remainder;
use super::repeats::Repeats;
use super::selection::Selection;
use crate::mkv::{Block, End, Event, Selected};
use crate::timeline::{MediaTime, Missing, Timeline};
use crate::{Anchor, Content, Counters, FragmentAudio, FragmentNumber, Output, Tail};

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
    deferred: Deferred,
    /// A fragment that is whole, but for packets of it that wait.
    closing: Option<Closing>,
    repeats: Repeats,
    failing: Failing,
    /// What the packet that failed last looks like.
    suspicion: &'static str,
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
    /// Its fragment is whole.
    completed: bool,
    budget: Budget,
    /// Samples of it that were sent before, and those beyond its budget.
    repeated_samples: u64,
    excess_samples: u64,
    /// Where the next packet of the current block stands, ns from the block's stamp.
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
    /// The timeline as it was before the fragment.
    before: Timeline,
}

/// What is said of a fragment behind its last sample.
#[derive(Debug)]
struct Closing {
    fragment: Fragment,
    continuation_token: String,
    millis_behind_now: Option<u64>,
    /// Position of its first audio block.
    first: Option<i64>,
    audio: FragmentAudio,
}

/// Where a packet is to be placed.
#[derive(Debug, Clone, Copy)]
struct Placing {
    /// Producer clock at its first sample.
    time: MediaTime,
    /// Before it.
    missing: Missing,
    /// It is the first of its Cluster.
    head: bool,
    /// Its fragment has ended; the current one is another.
    ended: bool,
    /// DiscardPadding, ns.
    discard_padding: i64,
}

impl Assembly {
    pub(super) fn start(options: StreamOptions) -> Self {
        let timeline = Timeline::new(options.max_fill_ms);
        let progress = Progress::default();
        let audio = Audio::new(options.track_name, None);
        let emission = Emission::from_mark(None);
        Self::with(timeline, progress, emission, audio, Repeats::default(), options.session_id)
    }

    pub(super) fn resume(options: StreamOptions, anchor: Anchor, contents: Vec<Content>) -> Self {
        let timeline = Timeline::from_anchor(&anchor, options.max_fill_ms);
        let mark = anchor.origin_ms.map(|_| timeline.next());
        let audio = Audio::new(options.track_name, anchor.label.as_deref());
        let progress = Progress::resumed_at(anchor.fragment);
        let (emission, repeats) = (Emission::from_mark(mark), Repeats::after(contents));
        Self::with(timeline, progress, emission, audio, repeats, options.session_id)
    }

    fn with(
        timeline: Timeline,
        progress: Progress,
        emission: Emission,
        audio: Audio,
        repeats: Repeats,
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
            deferred: Deferred::default(),
            closing: None,
            repeats,
            failing: Failing::default(),
            suspicion: "its packets cannot be decoded",
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

    pub(super) fn clock_drift_ms(&self) -> i64 {
        self.timeline.drift_ms()
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
        match self.remainder.next(self.audio.decoder(), block) {
            Some(packet) => self.take_packet(packet),
            None => self.counters.decode_errors += 1,
        }
    }

    /// Takes one event; `Some` tells the parser which track to hand out from now on.
    pub(super) fn take(&mut self, event: Event<'_>) -> Option<Option<Selected>> {
        self.emission.begin();
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
        let complete = end.document.is_some();
        if complete || end.tail > 0 {
            self.end_document(complete);
        }
        self.document = Document::default();
        self.selection.finish();
        self.repeats.finish();
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
