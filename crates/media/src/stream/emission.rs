//! Samples on their way out: each position leaves at most once, and in order.

use std::collections::VecDeque;
use std::ops::Range;

use crate::timeline::{MediaTime, SAMPLE_NANOS};
use crate::{Counters, Output};

/// Longest piece in which silence comes out: a quarter of a second, of no stream's memory.
static SILENCE: [i16; 4000] = [0; 4000];

/// Outputs that wait for `poll`, the samples they refer to, and the mark up to which all is out.
#[derive(Debug)]
pub(super) struct Emission {
    ready: VecDeque<Ready>,
    pcm: Vec<i16>,
    /// Everything before this position has been emitted, withheld or given up.
    mark: i64,
    withheld: Withheld,
}

/// An output that may refer to the sample buffer.
#[derive(Debug)]
enum Ready {
    Said(Box<Output<'static>>),
    Gap { start: u64, samples: u64 },
    Silence { start: u64, samples: u64, time: MediaTime },
    Pcm { start: u64, range: Range<usize>, filled: u32, producer_ms: i64 },
}

/// Samples that DiscardPadding names: they are dropped if nothing follows, so they wait.
#[derive(Debug, Default)]
struct Withheld {
    start: i64,
    samples: Vec<i16>,
    producer_ms: i64,
}

/// A run of samples at the end of the buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Index in the buffer of its first sample.
    pub(super) from: usize,
    /// Position of that sample.
    pub(super) start: i64,
    /// How many of its leading samples are fill.
    pub(super) filled: usize,
    /// Producer clock at that sample.
    pub(super) time: MediaTime,
    /// How many of its last samples are dropped if nothing follows.
    pub(super) padding: usize,
}

impl Emission {
    /// Nothing before `mark` will come out; `None` for a fresh session.
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

    pub(super) fn output(&mut self) -> Option<Output<'_>> {
        Some(match self.ready.pop_front()? {
            Ready::Silence { start, samples, time } => self.hush(start, samples, time),
            Ready::Said(output) => *output,
            Ready::Gap { start, samples } => Output::Gap { start, samples },
            Ready::Pcm { start, range, filled, producer_ms } => {
                Output::Pcm { start, samples: &self.pcm[range], filled, producer_ms }
            }
        })
    }

    /// The first piece of silence that fills lost time.
    fn hush(&mut self, start: u64, samples: u64, time: MediaTime) -> Output<'static> {
        let piece = samples.min(SILENCE.len() as u64);
        if samples > piece {
            let time = time.plus_nanos(piece as i64 * SAMPLE_NANOS);
            let (start, samples) = (start + piece, samples - piece);
            self.ready.push_front(Ready::Silence { start, samples, time });
        }
        let (samples, filled) = (&SILENCE[..piece as usize], piece as u32);
        Output::Pcm { start, samples, filled, producer_ms: time.to_ms() }
    }

    pub(super) fn say(&mut self, output: Output<'static>) {
        self.ready.push_back(Ready::Said(Box::new(output)));
    }

    /// Whether a packet of `len` samples that ends at `position` is out already. One too short for
    /// a sample of its own is not: its sound is in the samples that follow.
    pub(super) fn is_out(&self, position: i64, len: i64) -> bool {
        position < self.mark + i64::from(len > 0)
    }

    /// All outputs have been read, so the samples they referred to are free.
    pub(super) fn begin(&mut self) {
        debug_assert!(self.ready.is_empty());
        self.pcm.clear();
    }

    /// The sample buffer, to append to.
    pub(super) fn buffer(&mut self) -> &mut Vec<i16> {
        &mut self.pcm
    }

    /// Something follows, so what DiscardPadding named is audio after all.
    pub(super) fn release_withheld(&mut self, counters: &mut Counters) {
        if self.withheld.samples.is_empty() {
            return;
        }
        let from = self.pcm.len();
        self.pcm.extend_from_slice(&self.withheld.samples);
        self.withheld.samples.clear();
        let (start, producer_ms) = (self.withheld.start, self.withheld.producer_ms);
        self.queue(start, from..self.pcm.len(), 0, producer_ms, counters);
    }

    /// Time that is skipped: `samples` from `start` on.
    pub(super) fn gap(&mut self, start: i64, samples: i64, counters: &mut Counters) {
        let end = start + samples;
        let start = start.max(self.mark).max(0);
        if end > start {
            let samples = start.abs_diff(end);
            counters.gap_samples += samples;
            self.ready.push_back(Ready::Gap { start: start.unsigned_abs(), samples });
            self.mark = end;
        }
    }

    /// Lost time that is filled by silence: `samples` from `start` on, at the producer's `time`.
    pub(super) fn silence(
        &mut self,
        start: i64,
        samples: usize,
        time: MediaTime,
        counters: &mut Counters,
    ) {
        let known = self.pass(start, samples);
        let samples = (samples - known) as u64;
        if samples > 0 {
            counters.samples += samples;
            counters.filled_samples += samples;
            let time = time.plus_nanos(known as i64 * SAMPLE_NANOS);
            let start = (start + known as i64).unsigned_abs();
            self.ready.push_back(Ready::Silence { start, samples, time });
        }
    }

    /// The buffer's end, from `run.from` on, is a run of samples: queues what of it is not out yet
    /// and not before sample 0.
    pub(super) fn emit(&mut self, run: Run, counters: &mut Counters) {
        let total = self.pcm.len() - run.from;
        let end = run.start + total as i64;
        let known = self.pass(run.start, total);
        let padding = run.padding.min(total - known);
        let kept = run.from + known..self.pcm.len() - padding;
        let clock = |sample: usize| run.time.plus_nanos(sample as i64 * SAMPLE_NANOS).to_ms();
        if padding > 0 {
            self.withheld.start = end - padding as i64;
            self.withheld.producer_ms = clock(total - padding);
            self.withheld.samples.extend_from_slice(&self.pcm[kept.end..]);
        }
        let filled = run.filled.saturating_sub(known).min(kept.len());
        self.queue(run.start + known as i64, kept, filled, clock(known), counters);
    }

    /// Marks `samples` from `start` on as out; returns how many of them were before, or lie before
    /// sample 0.
    fn pass(&mut self, start: i64, samples: usize) -> usize {
        let known = (self.mark.max(0) - start).clamp(0, samples as i64);
        self.mark = self.mark.max(start + samples as i64);
        // The clamp keeps it in range.
        known as usize
    }

    fn queue(
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
