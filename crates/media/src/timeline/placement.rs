//! Placement of a block's samples by its stamp and the sample count.

use super::evidence::{self, DeferredStamp, Missing, Verdict};
use super::stamps::Level;
use super::{FAR, Length, MAX_GAP, MediaTime, Timeline};

/// Longest packet of any codec, in samples: 139 ms, an AAC frame at 7350 Hz.
const LONGEST_PACKET: i64 = 2230;

/// The placement of a block's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Placement {
    /// Position of the block's first sample.
    pub start: i64,
    /// Samples to fill right before `start`.
    pub fill: i64,
    /// Samples skipped right before `start`; never together with `fill`.
    pub gap: i64,
    /// Samples of the block at 16 kHz.
    pub len: i64,
    /// Offset of the block's start after the first of them, in 1/rate of a sample.
    pub fraction: u32,
}

impl Timeline {
    /// Sets the origin from the first block of the session: `time` (minus CodecDelay) is `pre_skip`
    /// and the decoder's `latency` (samples) before sample 0. If pre-skip is counted at the `rate`
    /// of the block's codec, it is kept to the fraction of a sample, else rounded to a sample.
    /// Later calls have no effect.
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

    /// Returns the lateness of a block at `time`, in samples, if `before` samples are deferred
    /// ahead of it; 0 for the first block of the session.
    pub fn lateness(&self, time: MediaTime, before: i64) -> i64 {
        self.origin_ms.map_or(0, |origin| self.clock(time, origin) - self.expected() - before)
    }

    /// Whether a block of this lateness is contiguous, independent of the blocks after it. `head`:
    /// it is the first of its Cluster.
    pub fn is_contiguous(&self, lateness: i64, length: Length, head: bool) -> bool {
        lateness < evidence::least(&self.stamps, length, self.fragment.tolerance)
            && !self.is_set_back(lateness, head)
    }

    /// Decides about the deferred blocks, oldest first. `head`: the first of them is the first of
    /// its Cluster. `last`: no block follows.
    pub fn judge(&self, waiting: &[DeferredStamp], head: bool, last: bool) -> Verdict {
        let Some(first) = waiting.first() else { return Verdict::Wait };
        if !self.is_set_back(first.lateness, head) {
            return evidence::judge(&self.stamps, waiting, self.fragment.tolerance, last);
        }
        let media: i64 = waiting.iter().map(|block| block.length.at_output_rate(0).0).sum();
        let confirmed = waiting.iter().skip(1).any(|block| block.begins_block);
        let all = waiting.iter().all(|block| self.is_set_back(block.lateness, true));
        match all {
            false => Verdict::Contiguous(1),
            true if last || media >= evidence::WINDOW && confirmed => {
                Verdict::Late(Missing::Nothing)
            }
            true => Verdict::Wait,
        }
    }

    /// Whether the clock was set back: a far too early stamp at the start of a Cluster.
    fn is_set_back(&self, lateness: i64, head: bool) -> bool {
        let low = self.stamps.range().low;
        let far = FAR.max(self.fragment.tolerance);
        head && lateness < low.saturating_sub(far) && !self.restarts(lateness)
    }

    /// Returns whether the next block is the first of its Cluster. Must be called once per block.
    pub fn take_head(&mut self) -> bool {
        std::mem::take(&mut self.fragment.head)
    }

    /// Places a block of `length` stamped `time` after the `missing` time, and advances. `head` as
    /// for [`Timeline::judge`]; `ended`: the block's fragment has ended and another one is current.
    /// Returns the placement and whether the timeline was re-anchored.
    pub fn place(
        &mut self,
        time: MediaTime,
        length: Length,
        missing: Missing,
        head: bool,
        ended: bool,
    ) -> (Placement, bool) {
        let origin_ms = *self.origin_ms.get_or_insert(time.to_ms());
        let clock = time.samples_since(origin_ms);
        let lateness = self.clock(time, origin_ms) - self.expected();
        let set_back = self.is_set_back(lateness, head);
        let far = matches!(missing, Missing::Samples(_) | Missing::Packets(_))
            && lateness >= self.continuity();
        let may_reanchor =
            set_back && missing == Missing::Nothing || far || self.restarts(lateness);
        let reanchored = head && may_reanchor && self.reanchor(clock, lateness);
        let missing = if reanchored {
            let ahead = self.clock(time, origin_ms) - self.expected();
            let is_pause = ahead > self.fragment.tolerance;
            if is_pause { Missing::Samples(ahead) } else { Missing::Nothing }
        } else {
            missing
        };
        let placement = self.put(length, missing);
        let begin = placement.start;
        if let Level::Later(later) = self.record(clock + self.clock_offset - begin, length) {
            // The blocks of the last half second are placed already, so their time is lost here.
            let missing = evidence::in_packets(later, length, evidence::STEADY);
            let (samples, fraction) = self.after(length, missing);
            (self.lost, self.fraction) = ((self.lost + samples).min(MAX_GAP), fraction);
        }
        if !ended {
            self.record_clocks(clock, begin);
        }
        (placement, reanchored)
    }

    /// Returns the time lost by damaged packets right before a block of `length` and this lateness.
    /// The stamp decides, limited to the longest duration of so many packets.
    pub fn damaged(&self, packets: u32, lateness: i64, length: Length) -> Missing {
        let most = i64::from(packets).saturating_mul(LONGEST_PACKET);
        let samples = lateness.saturating_sub(self.stamps.average()).clamp(0, most);
        if samples < length.at_output_rate(0).0 / 2 {
            return Missing::Samples(samples);
        }
        evidence::in_packets(samples, length, self.stamps.range().width())
    }

    /// Advances by samples that belong to no block, and clears the lost samples.
    pub fn pass(&mut self, samples: i64) {
        self.next += samples;
        (self.lost, self.fraction) = (0, 0);
    }

    /// Returns the expected position of the next block.
    pub(super) fn expected(&self) -> i64 {
        self.next + self.lost
    }

    /// Returns the stamped position of a block at `time`.
    fn clock(&self, time: MediaTime, origin_ms: i64) -> i64 {
        time.samples_since(origin_ms) + self.clock_offset
    }

    fn record(&mut self, lateness: i64, length: Length) -> Level {
        self.stamps.add(lateness, length, self.fragment.tolerance)
    }

    fn put(&mut self, length: Length, missing: Missing) -> Placement {
        let (more, fraction) = self.after(length, missing);
        let ahead = std::mem::take(&mut self.lost) + more;
        let (len, rest) = length.at_output_rate(fraction);
        let (fill, gap) = if ahead <= self.max_fill { (ahead, 0) } else { (0, ahead) };
        let placement = Placement { start: self.next + ahead, fill, gap, len, fraction };
        (self.next, self.fraction) = (placement.start + len, rest);
        placement
    }

    /// Returns the number of samples `missing` before a packet of `length`, and the packet's offset
    /// after the next sample, in 1/rate of a sample.
    fn after(&self, length: Length, missing: Missing) -> (i64, u32) {
        match missing {
            Missing::Nothing => (0, self.fraction),
            Missing::Samples(samples) => (samples.clamp(0, MAX_GAP), 0),
            Missing::Packets(packets) => {
                let (samples, fraction) = length.times_at_output_rate(packets, self.fraction);
                (samples.min(MAX_GAP), fraction)
            }
        }
    }
}
