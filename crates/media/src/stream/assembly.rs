//! Takes the parser's events in order and decides what comes out.

use super::StreamOptions;
use super::audio::{Audio, Choice, TrackTiming};
use super::emission::{Emission, Run, SAMPLE_NANOS};
use super::progress::{Arrival, Progress};
use crate::decoder::Span;
use crate::mkv::{AwsTags, Block, End, Event, Track};
use crate::timeline::{Length, MediaTime, Timeline};
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
    track: TrackTiming,
    /// Producer clock minus Matroska time, ms; set by its first Cluster.
    session_ms: Option<i64>,
    /// Where the next frame of a lace stands, ns from the block's time.
    lace_nanos: i64,
    /// Length of the last frame, ns.
    frame_nanos: i64,
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

impl Assembly {
    pub(super) fn start(options: StreamOptions) -> Self {
        let timeline = Timeline::new(options.max_fill_ms, options.max_overlap_ms);
        let progress = Progress::default();
        Self::with(timeline, progress, Emission::from_mark(None), options)
    }

    pub(super) fn resume(options: StreamOptions, anchor: Anchor) -> Self {
        let timeline = Timeline::from_anchor(&anchor, options.max_fill_ms, options.max_overlap_ms);
        let mark = anchor.origin_ms.map(|_| timeline.next());
        let progress = Progress::resumed_at(anchor.fragment);
        Self::with(timeline, progress, Emission::from_mark(mark), options)
    }

    fn with(
        timeline: Timeline,
        progress: Progress,
        emission: Emission,
        options: StreamOptions,
    ) -> Self {
        Self {
            timeline,
            progress,
            audio: Audio::new(options.track_name),
            emission,
            counters: Counters::default(),
            document: Document::default(),
            incomplete: None,
            session_id: options.session_id,
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

    /// Takes one event; `Some` tells the parser which track to hand out from now on.
    pub(super) fn take(&mut self, event: Event<'_>) -> Option<Option<u64>> {
        self.emission.begin();
        match event {
            Event::DocumentStart => self.begin_document(),
            Event::Tracks { tracks, mime_type } => {
                return Some(self.choose_track(tracks, mime_type));
            }
            Event::FragmentStart(tags) => self.begin_fragment(tags),
            Event::Cluster { ticks, scale } => self.begin_cluster(ticks, scale),
            Event::Block(block) => self.take_block(block),
            Event::OtherBlock { track, .. } => {
                self.counters.skipped_blocks += 1;
                self.document.untold |= track_bit(track);
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
        None
    }

    /// The body is over, and the parser's books are closed.
    pub(super) fn finish(&mut self, end: End) -> Tail {
        let complete = end.document.is_some();
        if complete || end.tail > 0 {
            self.end_document(complete);
        }
        self.document = Document::default();
        Tail { cut: end.tail > 0, incomplete: self.incomplete.take(), bytes: end.tail }
    }

    /// Nothing follows: lets out what the decoder still holds.
    pub(super) fn flush(&mut self) {
        let held = self.audio.latency();
        let (Some(decoder), Some(origin_ms)) = (self.audio.decoder(), self.timeline.origin_ms())
        else {
            return;
        };
        self.emission.begin();
        let start = self.timeline.next();
        decoder.silence(held as usize, self.emission.buffer());
        self.timeline.pass(held);
        let time = MediaTime::from_ms(origin_ms).plus_nanos(start * SAMPLE_NANOS);
        let run = Run { from: 0, start, filled: 0, time, padding: 0 };
        self.emission.emit(run, &mut self.counters);
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

    fn choose_track(&mut self, tracks: &[Track], mime_type: Option<&str>) -> Option<u64> {
        match self.audio.choose(tracks, mime_type) {
            Choice::Track(timing, reduced) => {
                self.document.track = timing;
                if let Some((codec_id, reason)) = reduced {
                    self.counters.reduced_codecs += 1;
                    self.emission.say(Output::ReducedCodec { codec_id, reason });
                }
                if std::mem::take(&mut self.document.untold) & track_bit(timing.number) != 0 {
                    let codec_id = self.audio.codec_id().unwrap_or_default().to_owned();
                    let reason = "its Tracks came behind its blocks";
                    self.counters.unsupported_codecs += 1;
                    self.emission.say(Output::UnsupportedCodec { codec_id, reason });
                }
                Some(timing.number)
            }
            Choice::Refused(said) => {
                if let Some((codec_id, reason)) = said {
                    self.counters.unsupported_codecs += 1;
                    self.emission.say(Output::UnsupportedCodec { codec_id, reason });
                }
                None
            }
            Choice::None => None,
        }
    }

    fn begin_fragment(&mut self, tags: &AwsTags) {
        let Some(number) = tags.fragment_number.clone() else { return };
        if let Some(other) = self.foreign(tags) {
            self.document.passed_over = true;
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
            anchor: fragment.before.anchor(fragment.number.clone()),
        });
    }

    /// The first Cluster's time is that of PRODUCER_TIMESTAMP, which makes the difference of both
    /// the producer session. Recorded files have none: their time is counted from 0.
    fn begin_cluster(&mut self, ticks: i64, scale: u64) {
        if self.document.passed_over || self.document.session_ms.is_some() {
            return;
        }
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
    }

    fn take_block(&mut self, block: Block<'_>) {
        if self.document.passed_over {
            self.counters.repeated_packets += 1;
            return;
        }
        // A Cluster without Timestamp counts from 0.
        self.begin_cluster(0, block.scale);
        if block.lace == 0 {
            self.document.lace_nanos = 0;
        }
        let Some(packet) = self.audio.decoder().and_then(|decoder| decoder.packet(block.data))
        else {
            self.counters.decode_errors += 1;
            // What it should have been is most likely as long as the one before.
            self.document.lace_nanos += self.document.frame_nanos;
            return;
        };
        let time = self.block_time(&block, packet.length());
        if self.timeline.origin_ms().is_none() {
            let (pre_skip, rate) = (self.document.track.pre_skip, packet.length().rate);
            self.timeline.start_at(time, pre_skip, rate, self.audio.latency());
        }
        self.announce();
        if let Some(fragment) = &self.document.fragment {
            self.progress.reached(&fragment.number, &fragment.before);
        }
        let before = self.timeline.next();
        let placed = self.timeline.place(time, packet.length());
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
        self.emission.release_withheld(&mut self.counters);
        if placed.gap > 0 {
            self.skip(before, placed.gap, time);
        }
        let Some(decoder) = self.audio.decoder() else { return };
        let pcm = self.emission.buffer();
        let from = pcm.len() + placed.cut as usize;
        if placed.fill > 0 {
            decoder.fill(placed.fill as usize, packet, pcm);
        }
        let span = Span { samples: placed.len as usize, fraction: placed.fraction };
        let decoded = decoder.decode(packet, span, pcm);
        self.counters.packets += 1;
        self.counters.decode_errors += u64::from(!decoded);
        let whole = pcm.len() - from;
        let run = Run {
            from,
            start: placed.start - placed.fill,
            filled: if decoded { placed.fill as usize } else { whole },
            time: time.plus_nanos((placed.cut - placed.fill) * SAMPLE_NANOS),
            padding: padding_samples(block.discard_padding),
        };
        self.emission.emit(run, &mut self.counters);
    }

    /// Skips `samples` from `start` on, up to `time`. What the decoder still holds of the time before comes
    /// out first.
    fn skip(&mut self, start: i64, samples: i64, time: MediaTime) {
        let held = i64::from(self.audio.latency()).min(samples);
        if let (Some(decoder), 1..) = (self.audio.decoder(), held) {
            let pcm = self.emission.buffer();
            let from = pcm.len();
            decoder.silence(held as usize, pcm);
            let time = time.plus_nanos(-samples * SAMPLE_NANOS);
            let run = Run { from, start, filled: held as usize, time, padding: 0 };
            self.emission.emit(run, &mut self.counters);
        }
        self.emission.gap(start + held, samples - held, &mut self.counters);
    }

    /// Producer clock at the first sample that comes out for a frame of `length`.
    fn block_time(&mut self, block: &Block<'_>, length: Length) -> MediaTime {
        let latency = i64::from(self.audio.latency()) * SAMPLE_NANOS;
        let within = self.document.lace_nanos - self.document.track.delay - latency;
        self.document.frame_nanos = length.nanos();
        self.document.lace_nanos += length.nanos();
        MediaTime::from_ms(self.document.session_ms.unwrap_or(0))
            .plus(MediaTime::from_ticks(block.ticks, block.scale))
            .plus_nanos(within)
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

/// DiscardPadding in samples; a negative one (padding at the start) is none of ours.
fn padding_samples(nanos: i64) -> usize {
    let nanos = nanos.clamp(0, 1_000_000_000);
    ((nanos + SAMPLE_NANOS / 2) / SAMPLE_NANOS) as usize
}
