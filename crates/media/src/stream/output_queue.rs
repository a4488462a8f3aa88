//! The queue of outputs: each position is emitted at most once, and in order.

use std::collections::VecDeque;
use std::ops::Range;

use crate::timeline::{MediaTime, SAMPLE_NANOS};
use crate::{Counters, Output};

/// Longest output of silence: a quarter of a second. It is shared by all streams.
static SILENCE: [i16; 4000] = [0; 4000];

/// Queued outputs, the samples they refer to, and the position up to which all was emitted.
#[derive(Debug)]
pub(super) struct OutputQueue {
    ready: VecDeque<Ready>,
    pcm: Vec<i16>,
    /// Everything before this position was emitted, withheld or skipped.
    mark: i64,
    withheld: Withheld,
}

/// A queued output, which may refer to the sample buffer.
#[derive(Debug)]
enum Ready {
    Event(Box<Output<'static>>),
    Gap { start: u64, samples: u64 },
    Silence { start: u64, samples: u64, time: MediaTime },
    Pcm { start: u64, range: Range<usize>, filled: u32, producer_ms: i64 },
}

/// Samples of DiscardPadding: dropped at the end of the session, emitted if a packet follows.
#[derive(Debug, Default)]
struct Withheld {
    start: i64,
    samples: Vec<i16>,
    producer_ms: i64,
}

/// A run of samples at the end of the buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct SampleRun {
    /// Index in the buffer of its first sample.
    pub(super) from: usize,
    /// Position of that sample.
    pub(super) start: i64,
    /// Number of leading samples that are fill.
    pub(super) filled: usize,
    /// Producer's clock at that sample.
    pub(super) time: MediaTime,
    /// Number of trailing samples that are dropped if no packet follows.
    pub(super) padding: usize,
}

impl OutputQueue {
    /// Creates a queue that emits nothing before `mark`; `None` for a new session.
    pub(super) fn from_mark(mark: Option<i64>) -> Self {
        Self {
            ready: VecDeque::new(),
            pcm: Vec::new(),
            mark: mark.unwrap_or(i64::MIN),
            withheld: Withheld::default(),
        }
    }

    pub(super) fn has_output(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Output<'_>> {
        Some(match self.ready.pop_front()? {
            Ready::Silence { start, samples, time } => self.next_silence(start, samples, time),
            Ready::Event(output) => *output,
            Ready::Gap { start, samples } => Output::Gap { start, samples },
            Ready::Pcm { start, range, filled, producer_ms } => {
                Output::Pcm { start, samples: &self.pcm[range], filled, producer_ms }
            }
        })
    }

    /// Returns the first piece of silence that fills lost time and queues the rest.
    fn next_silence(&mut self, start: u64, samples: u64, time: MediaTime) -> Output<'static> {
        let piece = samples.min(SILENCE.len() as u64);
        if samples > piece {
            let time = time.plus_nanos(piece as i64 * SAMPLE_NANOS);
            let (start, samples) = (start + piece, samples - piece);
            self.ready.push_front(Ready::Silence { start, samples, time });
        }
        let (samples, filled) = (&SILENCE[..piece as usize], piece as u32);
        Output::Pcm { start, samples, filled, producer_ms: time.to_ms() }
    }

    pub(super) fn push(&mut self, output: Output<'static>) {
        self.ready.push_back(Ready::Event(Box::new(output)));
    }

    /// Whether a packet of `len` samples that ends at `position` was emitted before. A packet
    /// shorter than one output sample was not: it is part of the samples that follow.
    pub(super) fn is_emitted(&self, position: i64, len: i64) -> bool {
        position < self.mark + i64::from(len > 0)
    }

    /// Clears the sample buffer; all outputs must have been removed.
    pub(super) fn clear_samples(&mut self) {
        debug_assert!(self.ready.is_empty());
        self.pcm.clear();
    }

    /// Returns the sample buffer, to append to.
    pub(super) fn buffer(&mut self) -> &mut Vec<i16> {
        &mut self.pcm
    }

    /// Returns the number of samples that are withheld.
    pub(super) fn withheld_samples(&self) -> u64 {
        self.withheld.samples.len() as u64
    }

    /// Emits the withheld samples: a packet follows, so they are not padding.
    pub(super) fn release_withheld(&mut self, counters: &mut Counters) {
        if self.withheld.samples.is_empty() {
            return;
        }
        let from = self.pcm.len();
        self.pcm.extend_from_slice(&self.withheld.samples);
        self.withheld.samples.clear();
        let (start, producer_ms) = (self.withheld.start, self.withheld.producer_ms);
        self.push_pcm(start, from..self.pcm.len(), 0, producer_ms, counters);
    }

    /// Skips `samples` from `start` on.
    pub(super) fn push_gap(&mut self, start: i64, samples: i64, counters: &mut Counters) {
        let end = start + samples;
        let start = start.max(self.mark).max(0);
        if end > start {
            let samples = start.abs_diff(end);
            counters.gap_samples += samples;
            self.ready.push_back(Ready::Gap { start: start.unsigned_abs(), samples });
            self.mark = end;
        }
    }

    /// Fills `samples` from `start` on with silence; `time` is the producer's clock at `start`.
    pub(super) fn push_silence(
        &mut self,
        start: i64,
        samples: usize,
        time: MediaTime,
        counters: &mut Counters,
    ) {
        let known = self.advance(start, samples);
        let samples = (samples - known) as u64;
        if samples > 0 {
            counters.samples += samples;
            counters.filled_samples += samples;
            let time = time.plus_nanos(known as i64 * SAMPLE_NANOS);
            let start = (start + known as i64).unsigned_abs();
            self.ready.push_back(Ready::Silence { start, samples, time });
        }
    }

    /// Queues the samples of the buffer from `run.from` on, except those that were emitted before
    /// or precede sample 0.
    pub(super) fn push_run(&mut self, run: SampleRun, counters: &mut Counters) {
        let total = self.pcm.len() - run.from;
        let end = run.start + total as i64;
        let known = self.advance(run.start, total);
        let padding = run.padding.min(total - known);
        let kept = run.from + known..self.pcm.len() - padding;
        let clock = |sample: usize| run.time.plus_nanos(sample as i64 * SAMPLE_NANOS).to_ms();
        if padding > 0 {
            self.withheld.start = end - padding as i64;
            self.withheld.producer_ms = clock(total - padding);
            self.withheld.samples.extend_from_slice(&self.pcm[kept.end..]);
        }
        let filled = run.filled.saturating_sub(known).min(kept.len());
        self.push_pcm(run.start + known as i64, kept, filled, clock(known), counters);
    }

    /// Marks `samples` from `start` on as emitted. Returns how many of them were emitted before or
    /// precede sample 0.
    fn advance(&mut self, start: i64, samples: usize) -> usize {
        let known = (self.mark.max(0) - start).clamp(0, samples as i64);
        self.mark = self.mark.max(start + samples as i64);
        // The clamp keeps the value in range.
        known as usize
    }

    fn push_pcm(
        &mut self,
        start: i64,
        range: Range<usize>,
        filled: usize,
        producer_ms: i64,
        counters: &mut Counters,
    ) {
        if range.is_empty() {
            return;
        }
        counters.samples += range.len() as u64;
        counters.filled_samples += filled as u64;
        let (start, filled) = (start.unsigned_abs(), filled as u32);
        self.ready.push_back(Ready::Pcm { start, range, filled, producer_ms });
    }
}
