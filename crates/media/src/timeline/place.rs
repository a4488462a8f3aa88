//! Putting a block where its time says, if that can be believed.

use super::{Length, MAX_GAP, MediaTime, Timeline};

/// Where a block's samples go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Placement {
    /// Position of the block's first sample that is kept.
    pub start: i64,
    /// Samples to fill right before `start`.
    pub fill: i64,
    /// Samples skipped right before `start`; never together with `fill`.
    pub gap: i64,
    /// Leading samples of the block to drop; all of them when it lies before `next` as a whole.
    pub cut: i64,
    /// Samples of the block at 16 kHz, those to drop included.
    pub len: i64,
    /// How far after the first of them the block begins, in 1/rate of a sample.
    pub fraction: u32,
    /// How far after `next` the block's time lies, in samples, when that is not believed and the block stands
    /// at `next`; else 0.
    pub astray: i64,
    /// The timeline was tied to the producer's clock anew.
    pub reanchored: bool,
}

impl Timeline {
    /// Sets the origin by the first block of the session: `time` (CodecDelay already taken off) is
    /// `pre_skip` and the decoder's `latency` (samples) before sample 0. `rate` is that of the block's codec:
    /// where the pre-skip is counted at the same, it is kept to the fraction of a sample, else to the
    /// nearest sample. Later calls change nothing.
    pub fn start_at(&mut self, time: MediaTime, pre_skip: Length, rate: u32, latency: u32) {
        if self.origin_ms.is_some() {
            return;
        }
        let before = pre_skip.nanos() + Length::samples(latency).nanos();
        self.origin_ms = Some(time.plus_nanos(before).to_ms());
        let (whole, rest) = pre_skip.at_output_rate(0);
        let whole = whole + i64::from(latency);
        if pre_skip.rate != rate {
            self.next = -(whole + i64::from(rest * 2 > pre_skip.rate));
        } else if rest > 0 {
            (self.next, self.fraction) = (-whole - 1, rate - rest);
        } else {
            self.next = -whole;
        }
    }

    /// Places a block of `length` that the producer's clock puts at `time`, and moves on.
    pub fn place(&mut self, time: MediaTime, length: Length) -> Placement {
        let origin_ms = *self.origin_ms.get_or_insert(time.to_ms());
        let clock = time.samples_since(origin_ms);
        let reanchored = std::mem::take(&mut self.fragment.head) && self.reanchor(clock);
        let ahead = clock + self.shift - self.next;
        let believed = (-self.longest_overlap()..=MAX_GAP).contains(&ahead);
        let (ahead, astray) = if believed { (ahead, 0) } else { (0, ahead) };
        let begin = self.next + if ahead.abs() > self.fragment.tolerance { ahead } else { 0 };
        let placement = self.put(ahead, length);
        self.remember(clock, begin);
        Placement { astray, reanchored, ..placement }
    }

    /// Places a block at `next` because its `time` is not believed, and moves on.
    pub fn place_astray(&mut self, time: MediaTime, length: Length) -> Placement {
        let astray = self.ahead(time);
        Placement { astray, ..self.put(0, length) }
    }

    /// Whether `time` moves the timeline so far that another block has to bear it out: far ahead, or at the
    /// beginning of a fragment far behind. Within a fragment the clock goes on, so a block far behind is
    /// wrong and needs no second opinion.
    pub fn doubts(&self, time: MediaTime) -> bool {
        let ahead = self.ahead(time);
        ahead > self.continuity() || self.fragment.head && ahead < -self.continuity()
    }

    /// Whether `time` goes on from `next`.
    pub fn goes_on(&self, time: MediaTime) -> bool {
        self.ahead(time).abs() <= self.continuity()
    }

    /// Moves on by samples that belong to no block.
    pub fn pass(&mut self, samples: u32) {
        self.next += i64::from(samples);
        self.fraction = 0;
    }

    /// How far after `next` a block at `time` begins, in samples; 0 before the first.
    fn ahead(&self, time: MediaTime) -> i64 {
        self.origin_ms.map_or(0, |origin| time.samples_since(origin) + self.shift - self.next)
    }

    /// Longest overlap that is dropped.
    pub(super) fn longest_overlap(&self) -> i64 {
        self.max_overlap.max(self.fragment.tolerance)
    }

    fn put(&mut self, ahead: i64, length: Length) -> Placement {
        let tolerance = self.fragment.tolerance;
        let mut placement = Placement::default();
        if ahead > tolerance {
            let skipped =
                if ahead <= self.max_fill { &mut placement.fill } else { &mut placement.gap };
            *skipped = ahead;
        }
        if ahead.abs() <= tolerance {
            placement.fraction = self.fraction;
        }
        (placement.len, self.fraction) = length.at_output_rate(placement.fraction);
        if ahead < -tolerance {
            placement.cut = (-ahead).min(placement.len);
        }
        placement.start = self.next + placement.fill + placement.gap;
        self.next = placement.start + placement.len - placement.cut;
        placement
    }
}
