//! Processes the parser's events in order and produces the outputs.

mod deferral;
mod flush;
mod fragments;
mod packets;
mod tracks;

use super::StreamOptions;
use super::audio::{Audio, TrackTiming};
use super::budget::Budget;
use super::decode_failures::DecodeFailures;
use super::deferral_queue::DeferralQueue;
use super::fragment_history::FragmentHistory;
use super::last_packet::LastPacket;
use super::output_queue::OutputQueue;
use super::packet_splitter::PacketSplitter;
use super::repeats::RepeatDetector;
use super::selection::Selection;
use crate::mkv::{Block, End, Event, Selected};
use crate::timeline::{MediaTime, Missing, Timeline};
use crate::{Content, Counters, FragmentAudio, FragmentNumber, Output, ResumePoint, Tail};

/// All parts of a stream except the parser.
#[derive(Debug)]
pub(super) struct Pipeline {
    timeline: Timeline,
    history: FragmentHistory,
    audio: Audio,
    outputs: OutputQueue,
    counters: Counters,
    document: DocumentState,
    selection: Selection,
    /// Position in the last block.
    splitter: PacketSplitter,
    deferred: DeferralQueue,
    /// A complete fragment that still has deferred packets.
    closing: Option<ClosingFragment>,
    repeats: RepeatDetector,
    failures: DecodeFailures,
    /// Probable reason why the last rejected packet could not be decoded.
    diagnosis: &'static str,
    last_packet: LastPacket,
    /// A fragment that ended without its trailing tags and is not reported yet.
    incomplete: Option<FragmentNumber>,
    /// The session to decode; `None`: any.
    session_id: Option<String>,
}

/// State of the current document.
#[derive(Debug, Default)]
struct DocumentState {
    fragment: Option<OpenFragment>,
    /// Its audio is skipped: it was decoded before, or the fragment is of another session.
    skipped: bool,
    /// The fragment is of another session.
    foreign: bool,
    track: TrackTiming,
    /// Producer clock minus Matroska time, ms; set by its first Cluster.
    session_ms: Option<i64>,
    /// Its fragment is complete.
    completed: bool,
    budget: Budget,
    /// Samples of it that were sent before.
    repeated_samples: u64,
    /// Samples beyond its budget.
    excess_samples: u64,
    /// Time of the next packet of the current block, ns after the block's stamp.
    lace_nanos: i64,
    /// Track numbers of blocks that came before the Tracks element, as a bit set.
    undefined_tracks: u64,
    /// Position of its first audio block.
    first: Option<i64>,
}

/// The fragment of the current document.
#[derive(Debug)]
struct OpenFragment {
    number: FragmentNumber,
    server_ms: Option<i64>,
    producer_ms: Option<i64>,
    /// [`Output::FragmentStarted`] was emitted.
    announced: bool,
    /// The timeline before the fragment.
    before: Timeline,
}

/// The fields of [`Output::FragmentCompleted`], which follows the fragment's last sample.
#[derive(Debug)]
struct ClosingFragment {
    fragment: OpenFragment,
    continuation_token: String,
    millis_behind_now: Option<u64>,
    /// Position of its first audio block.
    first: Option<i64>,
    audio: FragmentAudio,
}

/// Parameters for the placement of a packet.
#[derive(Debug, Clone, Copy)]
struct Placing {
    /// Producer's clock at its first sample.
    time: MediaTime,
    /// Lost time before it.
    missing: Missing,
    /// It is the first of its Cluster.
    head: bool,
    /// Its fragment has ended; it belongs to [`Pipeline::closing`].
    ended: bool,
    /// DiscardPadding, ns.
    discard_padding: i64,
}

impl Pipeline {
    pub(super) fn start(options: StreamOptions) -> Self {
        let timeline = Timeline::new(options.max_fill_ms);
        let history = FragmentHistory::default();
        let audio = Audio::new(options.track_name, None);
        let outputs = OutputQueue::from_mark(None);
        Self::with(timeline, history, outputs, audio, RepeatDetector::default(), options.session_id)
    }

    pub(super) fn resume(
        options: StreamOptions,
        point: ResumePoint,
        contents: Vec<Content>,
    ) -> Self {
        let timeline = Timeline::from_resume_point(&point, options.max_fill_ms);
        let mark = point.origin_ms.map(|_| timeline.next());
        let audio = Audio::new(options.track_name, point.mime_hint.as_deref());
        let history = FragmentHistory::resumed_at(point.fragment);
        let outputs = OutputQueue::from_mark(mark);
        let repeats = RepeatDetector::after(contents);
        Self::with(timeline, history, outputs, audio, repeats, options.session_id)
    }

    fn with(
        timeline: Timeline,
        history: FragmentHistory,
        outputs: OutputQueue,
        audio: Audio,
        repeats: RepeatDetector,
        session_id: Option<String>,
    ) -> Self {
        Self {
            timeline,
            history,
            audio,
            outputs,
            counters: Counters::default(),
            document: DocumentState::default(),
            selection: Selection::default(),
            splitter: PacketSplitter::default(),
            deferred: DeferralQueue::default(),
            closing: None,
            repeats,
            failures: DecodeFailures::default(),
            diagnosis: "its packets cannot be decoded",
            last_packet: LastPacket::default(),
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

    pub(super) fn discarded_samples(&self) -> u64 {
        self.outputs.withheld_samples()
    }

    pub(super) fn clock_drift_ms(&self) -> i64 {
        self.timeline.drift_ms()
    }

    pub(super) fn has_output(&self) -> bool {
        self.outputs.has_output()
    }

    pub(super) fn output(&mut self) -> Option<Output<'_>> {
        self.outputs.pop()
    }

    /// Whether the last block has more packets; they precede the next event.
    pub(super) fn has_packets(&self) -> bool {
        !self.splitter.is_empty()
    }

    /// Processes the next packet of the last block.
    pub(super) fn take_next_packet(&mut self, block: Option<Block<'_>>) {
        self.outputs.clear_samples();
        let Some(block) = block else { return self.splitter.clear() };
        match self.splitter.next(self.audio.decoder(), block) {
            Some(packet) => self.take_packet(packet),
            None => self.counters.decode_errors += 1,
        }
    }

    /// Processes one event. Returns `Some` if the parser must select another track (or none).
    pub(super) fn take(&mut self, event: Event<'_>) -> Option<Option<Selected>> {
        self.outputs.clear_samples();
        match event {
            Event::DocumentStart => self.begin_document(),
            Event::Tracks { tracks, mime_type } => self.plan_tracks(tracks, mime_type),
            Event::FragmentStart(tags) => self.begin_fragment(tags),
            Event::Cluster { ticks, scale } => self.begin_cluster(ticks, scale),
            Event::Block(block) => self.take_block(block),
            Event::OtherBlock { track, .. } => {
                self.counters.skipped_blocks += 1;
                if !self.selection.is_discarded() {
                    self.document.undefined_tracks |= track_bit(track);
                }
            }
            Event::BadBlock => self.counters.decode_errors += 1,
            Event::Error { id, code } => {
                self.counters.error_tags += 1;
                let (id, code) = (id.unwrap_or(0), code.map(str::to_owned));
                self.outputs.push(Output::ErrorTag { id, code });
            }
            Event::FragmentEnd(tags) => self.complete_fragment(tags),
            Event::DocumentEnd { complete, .. } => self.end_document(complete),
            Event::Skipped { bytes } => {
                self.counters.skipped_bytes += bytes;
                self.counters.resyncs += 1;
                let incomplete = self.incomplete.take();
                self.outputs.push(Output::Skipped { bytes, incomplete });
            }
        }
        self.selection.take_change()
    }

    /// Ends the body, after the parser's end.
    pub(super) fn finish(&mut self, end: End) -> Tail {
        let complete = end.document.is_some();
        if complete || end.tail > 0 {
            self.end_document(complete);
        }
        self.document = DocumentState::default();
        self.selection.finish();
        self.repeats.finish();
        self.splitter.clear();
        self.counters.incomplete_fragments += u64::from(end.unnamed.is_some());
        let incomplete = self.incomplete.take().or(end.unnamed);
        Tail { cut: end.tail > 0, incomplete, bytes: end.tail }
    }
}

/// Returns the bit of a track number; all from 63 on share one.
fn track_bit(number: u64) -> u64 {
    1 << number.min(63)
}
