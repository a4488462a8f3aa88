//! Takes the parser's events in order and decides what comes out.

mod flush;
mod tracks;

use super::StreamOptions;
use super::audio::{Audio, TrackTiming};
use super::emission::{Emission, Run, SAMPLE_NANOS};
use super::ending::Ending;
use super::held::Held;
use super::progress::{Arrival, Progress};
use super::remainder::Remainder;
use super::selection::Selection;
use crate::decoder::{Packet, Span};
use crate::mkv::{AwsTags, Block, End, Event};
use crate::timeline::{MediaTime, Timeline};
use crate::{Anchor, Counters, FragmentNumber, Output, SAMPLES_PER_MS, Tail};

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

    /// Goes on in the block taken last; `false` when nothing of it is left. Comes before the next event.
    pub(super) fn go_on(&mut self) -> bool {
        if self.remainder.is_empty() {
            return false;
        }
        self.emission.begin();
        let (ticks, scale) = self.remainder.time();
        self.settle_before(ticks, scale);
        let mut remainder = std::mem::take(&mut self.remainder);
        match remainder.next(self.audio.decoder()) {
            Some(packet) => self.take_packet(packet),
            None => self.counters.decode_errors += 1,
        }
        self.remainder = remainder;
        true
    }

    /// Takes one event; `Some` tells the parser which track to hand out from now on.
    pub(super) fn take(&mut self, event: Event<'_>) -> Option<Option<u64>> {
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
        Tail { cut: end.tail > 0, incomplete: self.incomplete.take(), bytes: end.tail }
    }

    fn begin_document(&mut self) {
        if let Some(number) = self.incomplete.take() {
            // No byte was damaged, yet the fragment ended without its trailing tags.
            self.emission.say(Output::Skipped { bytes: 0, incomplete: Some(number) });
        }
        // Until the document says its own tracks, those of the document before hold.
        self.document = Document { track: self.document.track, ..Document::default() };
        self.timeline.begin_fragment(None);
    }

    fn begin_fragment(&mut self, tags: &AwsTags) {
        let Some(number) = tags.fragment_number.clone() else { return };
        if let Some(other) = self.foreign(tags) {
            self.document.passed_over = true;
            self.document.foreign = true;
            self.counters.foreign_fragments += 1;
            self.emission.say(Output::FragmentForeign { number, session_id: other });
            return;
        }
        match self.progress.arrival(&number) {
            Arrival::New => {}
            Arrival::Again(before) => self.timeline = before,
            Arrival::Repeated => {
                self.document.passed_over = true;
                self.counters.repeated_fragments += 1;
                self.emission.say(Output::FragmentRepeated { number });
                return;
            }
        }
        self.document.fragment = Some(Fragment {
            number,
            server_ms: tags.server_ms,
            producer_ms: tags.producer_ms,
            announced: false,
            completed: false,
            before: self.timeline.clone(),
        });
        self.timeline.begin_fragment(tags.server_ms);
        self.accept_tracks();
        if self.timeline.origin_ms().is_some() {
            self.announce();
        }
    }

    /// The other session that the fragment names, if it does.
    fn foreign(&self, tags: &AwsTags) -> Option<String> {
        let ours = self.session_id.as_deref()?;
        tags.session_id.as_deref().filter(|theirs| *theirs != ours).map(str::to_owned)
    }

    /// Says that the fragment began, once; the anchor is the timeline from before it, or for the
    /// session's first audio the timeline with its origin just set.
    fn announce(&mut self) {
        let Some(fragment) = &mut self.document.fragment else { return };
        if std::mem::replace(&mut fragment.announced, true) {
            return;
        }
        if fragment.before.origin_ms().is_none() {
            fragment.before = self.timeline.clone();
        }
        self.emission.say(Output::FragmentStarted {
            number: fragment.number.clone(),
            server_ms: fragment.server_ms,
            producer_ms: fragment.producer_ms,
            anchor: Anchor {
                label: self.audio.label(),
                ..fragment.before.anchor(fragment.number.clone())
            },
        });
    }

    /// The first Cluster's time is that of PRODUCER_TIMESTAMP, which makes the difference of both
    /// the producer session. Recorded files have none: their time is counted from 0.
    fn begin_cluster(&mut self, ticks: i64, scale: u64) {
        if self.document.passed_over {
            return;
        }
        self.accept_tracks();
        let session_ms = match self.document.session_ms {
            Some(known) => known,
            None => self.begin_first_cluster(ticks, scale),
        };
        let time = MediaTime::from_ms(session_ms).plus(MediaTime::from_ticks(ticks, scale));
        self.timeline.begin_cluster(time, scale);
    }

    fn begin_first_cluster(&mut self, ticks: i64, scale: u64) -> i64 {
        let producer_ms = self.document.fragment.as_ref().and_then(|fragment| fragment.producer_ms);
        let session_ms = match producer_ms {
            Some(producer_ms) => {
                let session_ms =
                    producer_ms.saturating_sub(MediaTime::from_ticks(ticks, scale).to_ms());
                self.timeline.set_session(session_ms);
                session_ms
            }
            None => self.timeline.session_ms().unwrap_or(0),
        };
        self.document.session_ms = Some(session_ms);
        session_ms
    }

    fn take_block(&mut self, block: Block<'_>) {
        if self.document.foreign {
            self.counters.skipped_blocks += 1;
            return;
        }
        if self.document.passed_over {
            self.counters.repeated_packets += 1;
            return;
        }
        if self.document.session_ms.is_none() {
            // A Cluster without Timestamp counts from 0.
            self.begin_cluster(0, block.scale);
        }
        if !self.selection.takes(block.track) {
            self.counters.skipped_blocks += 1;
            return;
        }
        // Before the block is looked at: its codec's configuration may be another.
        self.settle_before(block.ticks, block.scale);
        let mut remainder = std::mem::take(&mut self.remainder);
        let packet = remainder.first(self.audio.decoder(), block);
        self.remainder = remainder;
        self.take_packet(packet);
    }

    fn take_packet(&mut self, block: Block<'_>) {
        let Some(packet) = self.audio.decoder().and_then(|decoder| decoder.packet(block.data))
        else {
            self.note_damage();
            // What follows in the lace has no other clock.
            let nanos = self.ending.unknown();
            self.advance_lace(block.ticks, nanos);
            return;
        };
        let time = self.block_time(block.ticks, block.scale, packet.latency());
        self.advance_lace(block.ticks, packet.length().nanos());
        if self.timeline.origin_ms().is_none() {
            let (pre_skip, rate) = (self.document.track.pre_skip, packet.length().rate);
            self.timeline.start_at(time, pre_skip, rate, packet.latency());
        }
        self.announce();
        if let Some(fragment) = &self.document.fragment {
            self.progress.reached(&fragment.number, &fragment.before);
        }
        if self.timeline.doubts(time) {
            self.held.keep(&block, time, self.document.first.is_none());
        } else {
            self.place(packet, time, block.discard_padding, true);
        }
    }

    /// Places the block that is held, if there is one. The block at `next`, if there is one in its document,
    /// shows whether the held one was alone with its time. Where none follows, the fragment's only block
    /// is believed, and so is the last one of a recording; any other may be damaged.
    fn settle(&mut self, next: Option<MediaTime>) {
        let Some((about, data)) = self.held.release() else { return };
        if let Some(packet) = self.audio.decoder().and_then(|decoder| decoder.packet(&data)) {
            let believed = match next {
                Some(next) => !self.timeline.goes_on(next, packet.length()),
                None => about.first || self.document.fragment.is_none(),
            };
            self.place(packet, about.time, about.discard_padding, believed);
        }
        self.held.reuse(data);
    }

    fn place(&mut self, packet: Packet<'_>, time: MediaTime, discard_padding: i64, believed: bool) {
        let before = self.timeline.next();
        let placed = if believed {
            self.timeline.place(time, packet.length())
        } else {
            self.timeline.place_astray(time, packet.length())
        };
        let time = time.plus_nanos(placed.astray.saturating_mul(-SAMPLE_NANOS));
        self.ending.placed();
        self.document.first.get_or_insert(placed.start);
        let end = self.timeline.next();
        if self.emission.is_out(end) {
            if placed.cut > 0 && end == before {
                self.counters.overlaps += 1;
            } else {
                self.counters.repeated_packets += 1;
            }
            return;
        }
        self.counters.reanchors += u64::from(placed.reanchored);
        self.counters.overlaps += u64::from(placed.cut > 0);
        self.counters.astray_blocks += u64::from(placed.astray != 0);
        self.emission.release_withheld(&mut self.counters);
        if placed.gap > 0 {
            self.skip(before, placed.gap, time);
        }
        let Some(decoder) = self.audio.decoder_mut() else { return };
        let pcm = self.emission.buffer();
        let from = pcm.len() + placed.cut as usize;
        if placed.fill > 0 {
            decoder.fill(placed.fill as usize, packet, pcm);
        }
        let span = Span { samples: placed.len as usize, fraction: placed.fraction };
        let decoded = decoder.decode(packet, span, pcm);
        let padding = self.ending.decoded(packet, discard_padding);
        let reduced = decoder.reduced();
        self.counters.packets += 1;
        let whole = pcm.len() - from;
        let run = Run {
            from,
            start: placed.start - placed.fill,
            filled: if decoded { placed.fill as usize } else { whole },
            time: time.plus_nanos((placed.cut - placed.fill) * SAMPLE_NANOS),
            padding,
        };
        self.emission.emit(run, &mut self.counters);
        if !decoded {
            self.note_damage();
        }
        if let Some((codec_id, reason)) = reduced.and_then(|reason| self.audio.noticed(reason)) {
            self.counters.reduced_codecs += 1;
            self.emission.say(Output::ReducedCodec { codec_id, reason });
        }
    }

    /// Skips `samples` from `start` on, up to `time`. What the decoder still holds of the time before comes
    /// out first.
    fn skip(&mut self, start: i64, samples: i64, time: MediaTime) {
        let held = i64::from(self.audio.latency()).min(samples);
        if let (Some(decoder), 1..) = (self.audio.decoder_mut(), held) {
            let pcm = self.emission.buffer();
            let from = pcm.len();
            decoder.silence(held as usize, pcm);
            let time = time.plus_nanos(-samples * SAMPLE_NANOS);
            let run = Run { from, start, filled: held as usize, time, padding: 0 };
            self.emission.emit(run, &mut self.counters);
        }
        self.emission.gap(start + held, samples - held, &mut self.counters);
    }

    /// Settles what is held before a packet of a block with this time is taken.
    fn settle_before(&mut self, ticks: i64, scale: u64) {
        let time = self.block_time(ticks, scale, self.audio.latency());
        self.settle(Some(time));
    }

    /// Producer clock at the first sample that comes out for the next packet of a block, `latency` samples late.
    /// A block with the time of the one before goes on where that ends, as a frame of a lace does: the
    /// producer collected them, or its ticks are coarser than its packets.
    fn block_time(&self, ticks: i64, scale: u64, latency: u32) -> MediaTime {
        let latency = i64::from(latency) * SAMPLE_NANOS;
        let lace = if self.document.ticks == Some(ticks) { self.document.lace_nanos } else { 0 };
        MediaTime::from_ms(self.document.session_ms.unwrap_or(0))
            .plus(MediaTime::from_ticks(ticks, scale))
            .plus_nanos(lace.saturating_sub(self.document.track.delay + latency))
    }

    fn advance_lace(&mut self, ticks: i64, nanos: i64) {
        if self.document.ticks.replace(ticks) != Some(ticks) {
            self.document.lace_nanos = 0;
        }
        self.document.lace_nanos = self.document.lace_nanos.saturating_add(nanos);
    }

    fn complete_fragment(&mut self, tags: &AwsTags) {
        if self.document.passed_over {
            return;
        }
        self.announce();
        let Some(fragment) = &mut self.document.fragment else { return };
        fragment.completed = true;
        self.progress.completed(&fragment.number, &fragment.before);
        self.counters.fragments += 1;
        let covered = self.document.first.map_or(0, |first| self.timeline.next() - first);
        self.emission.say(Output::FragmentCompleted {
            number: fragment.number.clone(),
            continuation_token: tags.continuation_token.clone().unwrap_or_default(),
            millis_behind_now: tags.millis_behind_now,
            duration_ms: covered.max(0).unsigned_abs() / u64::from(SAMPLES_PER_MS),
        });
    }

    fn end_document(&mut self, complete: bool) {
        if complete && !self.document.passed_over {
            // Tracks without a Cluster hold for the documents that follow.
            self.accept_tracks();
        }
        self.selection.begin_document();
        let track = self.document.track;
        let document =
            std::mem::replace(&mut self.document, Document { track, ..Document::default() });
        if document.passed_over {
            return;
        }
        match document.fragment {
            Some(fragment) if !fragment.completed => {
                self.counters.incomplete_fragments += 1;
                self.incomplete = Some(fragment.number);
            }
            Some(_) => {}
            None => self.counters.fragments += u64::from(complete),
        }
    }
}

/// Numbers beyond what is usual share a bit.
fn track_bit(number: u64) -> u64 {
    1 << number.min(63)
}
