//! Where in the session a block's samples stand.
//!
//! Position is counted in samples; the clock only corrects it. A block is expected at
//! `round((producer time − CodecDelay − origin) × 16)` plus what re-anchoring added, and then:
//!
//! | expected against `next` | what happens |
//! |---|---|
//! | within [`TOLERANCE`] | the block starts at `next`: timestamps have whole milliseconds, clocks creep |
//! | later, up to `max_fill` | the time between is filled (by the decoder) |
//! | later, up to [`MAX_GAP`] | the time between is skipped |
//! | earlier, up to `max_overlap` | the samples before `next` are dropped |
//! | anything else, or another producer session | re-anchored by the server's clock, never backwards |
//!
//! Sample 0 is the first after pre-skip, so the first block starts at `−pre-skip`. Everything here is
//! integer arithmetic on what the stream says: the same bytes from the same [`Anchor`] give the
//! same positions on any machine.

use crate::{Anchor, FragmentNumber, SAMPLE_RATE, SAMPLES_PER_MS};

/// How far a block's clock may be from the sample count before the clock wins: 160 samples (10 ms).
pub const TOLERANCE: i64 = 160;

/// Longest jump forward that is believed, in samples: 24 h, the longest a session lasts. A longer
/// one is a broken clock.
pub const MAX_GAP: i64 = 24 * 3600 * 1000 * SAMPLES_PER_MS as i64;

/// How far two fragments' producer starts may differ and still be one producer session, ms. KVS
/// computes PRODUCER_TIMESTAMP from one start, so only rounding is expected; a restart that is quicker
/// than this is told apart by nothing and needs no re-anchoring either.
pub const SESSION_JITTER_MS: i64 = 500;

/// A point in media time, in nanoseconds; saturates at about ±146 years around the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct MediaTime(i64);

impl MediaTime {
    const LIMIT: i128 = 1 << 62;

    fn saturating(nanos: i128) -> Self {
        // The clamp keeps the value inside i64.
        Self(nanos.clamp(-Self::LIMIT, Self::LIMIT) as i64)
    }

    /// From milliseconds.
    pub fn from_ms(ms: i64) -> Self {
        Self::saturating(i128::from(ms) * 1_000_000)
    }

    /// From Matroska ticks of `scale` nanoseconds each (TimestampScale).
    pub fn from_ticks(ticks: i64, scale: u64) -> Self {
        Self::saturating(i128::from(ticks) * i128::from(scale))
    }

    /// This much later (or earlier, when negative).
    pub fn plus_nanos(self, nanos: i64) -> Self {
        Self::saturating(i128::from(self.0) + i128::from(nanos))
    }

    /// Sum of two spans.
    pub fn plus(self, other: Self) -> Self {
        self.plus_nanos(other.0)
    }

    /// Nearest whole millisecond.
    pub fn to_ms(self) -> i64 {
        (self.0 + 500_000).div_euclid(1_000_000)
    }

    /// Nearest whole sample since `origin_ms`.
    fn samples_since(self, origin_ms: i64) -> i64 {
        let nanos = i128::from(self.0) - i128::from(origin_ms) * 1_000_000;
        let samples = (nanos * i128::from(SAMPLES_PER_MS) + 500_000).div_euclid(1_000_000);
        // |nanos| < 2^84 can come only from a foreign anchor; real values are far inside i64.
        samples.clamp(-(1 << 60), 1 << 60) as i64
    }
}

/// How much time a packet covers, at its codec's own rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Samples per channel.
    pub frames: u32,
    /// Samples per second; not 0.
    pub rate: u32,
}

impl Length {
    /// A length at 16 kHz.
    pub fn samples(samples: u32) -> Self {
        Self { frames: samples, rate: SAMPLE_RATE }
    }

    /// Its time, ns.
    pub(crate) fn nanos(self) -> i64 {
        // frames × 10⁹ is below 2^62.
        (u64::from(self.frames) * 1_000_000_000 / u64::from(self.rate.max(1))) as i64
    }

    /// Samples at 16 kHz that begin in a block that itself begins `fraction`/rate of a sample after its first;
    /// and by how much the next block begins after its first.
    fn at_output_rate(self, fraction: u32) -> (i64, u32) {
        let rate = u64::from(self.rate.max(1));
        // A remainder of another rate means nothing here.
        let fraction = if u64::from(fraction) < rate { u64::from(fraction) } else { 0 };
        let ahead = fraction + u64::from(self.frames) * u64::from(SAMPLE_RATE);
        // frames × 16 000 is below 2^46, and the remainder below the rate.
        ((ahead / rate) as i64, (ahead % rate) as u32)
    }
}

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
    /// The timeline was tied to the server's clock anew.
    pub reanchored: bool,
}

/// The sample clock of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    max_fill: i64,
    max_overlap: i64,
    origin_ms: Option<i64>,
    next: i64,
    /// How far the last block reached beyond `next`, in 1/rate of a sample: 1024 samples at 48 kHz are
    /// 341 and a third.
    fraction: u32,
    shift: i64,
    session_ms: Option<i64>,
    server_ms: Option<i64>,
    server_position: i64,
    fragment: FragmentClock,
}

/// What belongs to the fragment being read only, so is in no anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct FragmentClock {
    server_ms: Option<i64>,
    session_changed: bool,
    has_audio: bool,
}

impl Timeline {
    /// A timeline before its first block. Both limits in milliseconds.
    pub fn new(max_fill_ms: u32, max_overlap_ms: u32) -> Self {
        let samples = |ms: u32| i64::from(ms) * i64::from(SAMPLES_PER_MS);
        Self {
            max_fill: samples(max_fill_ms),
            max_overlap: samples(max_overlap_ms),
            origin_ms: None,
            next: 0,
            fraction: 0,
            shift: 0,
            session_ms: None,
            server_ms: None,
            server_position: 0,
            fragment: FragmentClock::default(),
        }
    }

    /// The timeline as it was when [`Timeline::anchor`] was taken.
    pub fn from_anchor(anchor: &Anchor, max_fill_ms: u32, max_overlap_ms: u32) -> Self {
        // An anchor may come from outside: positions beyond this are nobody's and would only overflow.
        let position = |samples: i64| samples.clamp(-(1 << 60), 1 << 60);
        Self {
            origin_ms: anchor.origin_ms,
            next: position(anchor.next),
            fraction: anchor.fraction,
            shift: position(anchor.shift),
            session_ms: anchor.session_ms,
            server_ms: anchor.server_ms,
            server_position: position(anchor.server_position),
            ..Self::new(max_fill_ms, max_overlap_ms)
        }
    }

    /// What a later run needs to go on from here; take it before `fragment`'s first block.
    pub fn anchor(&self, fragment: FragmentNumber) -> Anchor {
        Anchor {
            fragment,
            next: self.next,
            fraction: self.fraction,
            origin_ms: self.origin_ms,
            shift: self.shift,
            session_ms: self.session_ms,
            server_ms: self.server_ms,
            server_position: self.server_position,
            label: None,
        }
    }

    /// Position of the next sample; negative while pre-skip is still to come.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Producer clock at position 0, ms since the epoch, once the first block set it.
    pub fn origin_ms(&self) -> Option<i64> {
        self.origin_ms
    }

    /// A document begins, with KVS's SERVER_TIMESTAMP in ms if it has one.
    pub fn begin_fragment(&mut self, server_ms: Option<i64>) {
        self.fragment = FragmentClock { server_ms, ..FragmentClock::default() };
    }

    /// Names the producer session that the fragment belongs to (its clock minus the Matroska timecode,
    /// ms): a change means that the producer started anew.
    pub fn set_session(&mut self, session_ms: i64) {
        if let Some(known) = self.session_ms {
            let apart = known.abs_diff(session_ms);
            self.fragment.session_changed |= apart > SESSION_JITTER_MS.unsigned_abs();
        }
        self.session_ms = Some(session_ms);
    }

    /// The producer session in force, for blocks of fragments that do not say.
    pub fn session_ms(&self) -> Option<i64> {
        self.session_ms
    }

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
        let mut placement = Placement::default();
        let mut ahead = clock + self.shift - self.next;
        if self.fragment.session_changed
            || ahead > MAX_GAP
            || ahead < -self.max_overlap.max(TOLERANCE)
        {
            ahead = self.server_estimate() - self.next;
            self.shift = self.next + ahead - clock;
            self.fragment.session_changed = false;
            placement.reanchored = true;
        }
        if ahead > TOLERANCE {
            let skipped =
                if ahead <= self.max_fill { &mut placement.fill } else { &mut placement.gap };
            *skipped = ahead;
        }
        if ahead.abs() <= TOLERANCE {
            placement.fraction = self.fraction;
        }
        (placement.len, self.fraction) = length.at_output_rate(placement.fraction);
        if ahead < -TOLERANCE {
            placement.cut = (-ahead).min(placement.len);
        }
        placement.start = self.next + placement.fill + placement.gap;
        self.next = placement.start + placement.len - placement.cut;
        self.remember_server_clock(placement.start);
        placement
    }

    /// Moves on by samples that belong to no block.
    pub fn pass(&mut self, samples: u32) {
        self.next += i64::from(samples);
        self.fraction = 0;
    }

    /// Where the server's clock puts a block that begins a fragment; never before `next`.
    fn server_estimate(&self) -> i64 {
        let (Some(then), Some(now)) = (self.server_ms, self.fragment.server_ms) else {
            return self.next;
        };
        let since = now.saturating_sub(then).max(0).saturating_mul(i64::from(SAMPLES_PER_MS));
        let estimate = self.server_position.saturating_add(since);
        if estimate.saturating_sub(self.next) > MAX_GAP {
            self.next
        } else {
            estimate.max(self.next)
        }
    }

    fn remember_server_clock(&mut self, position: i64) {
        if !self.fragment.has_audio && self.fragment.server_ms.is_some() {
            self.server_ms = self.fragment.server_ms;
            self.server_position = position;
        }
        self.fragment.has_audio = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_700_000_000_000;

    fn timeline() -> Timeline {
        let mut timeline = Timeline::new(2000, 1000);
        timeline.begin_fragment(Some(T0 + 300));
        timeline.set_session(T0);
        timeline
    }

    fn at(ms: i64) -> MediaTime {
        MediaTime::from_ms(T0 + ms)
    }

    #[test]
    fn the_first_block_starts_before_zero_by_pre_skip() {
        let mut timeline = timeline();
        let first = at(0).plus_nanos(-6_500_000);
        timeline.start_at(first, Length { frames: 312, rate: 48_000 }, SAMPLE_RATE, 0);
        assert_eq!(timeline.origin_ms(), Some(T0));
        assert_eq!(timeline.place(first, Length::samples(320)).start, -104);
        assert_eq!(timeline.place(at(20).plus_nanos(-6_500_000), Length::samples(320)).start, 216);
    }

    #[test]
    fn a_pre_skip_at_the_codecs_rate_is_kept_to_the_fraction() {
        let mut timeline = timeline();
        let frame = Length { frames: 1024, rate: 48_000 };
        timeline.start_at(at(0), frame, frame.rate, 0);
        // −341⅓, 0, 341⅓, 682⅔: floors and what is beyond them, in 1/48000.
        for (block, (start, fraction)) in
            [(-342, 32_000), (0, 0), (341, 16_000), (682, 32_000), (1024, 0)]
                .into_iter()
                .enumerate()
        {
            let placed = timeline.place(at(block as i64 * 64 / 3), frame);
            assert_eq!((placed.start, placed.fraction), (start, fraction), "{block}");
        }
    }

    #[test]
    fn rounded_timestamps_never_move_the_sample_count() {
        let mut timeline = timeline();
        for (block, ms) in [0, 21, 41, 59, 81, 110, 111].into_iter().enumerate() {
            let placed = timeline.place(at(ms), Length::samples(320));
            assert_eq!(
                placed,
                Placement { start: 320 * block as i64, len: 320, ..Placement::default() }
            );
        }
    }

    #[test]
    fn gaps_are_filled_up_to_the_limit_and_skipped_beyond() {
        let mut timeline = timeline();
        timeline.place(at(0), Length::samples(320));
        let placed = timeline.place(at(2020), Length::samples(320));
        assert_eq!((placed.fill, placed.gap, placed.start), (32_000, 0, 32_320));
        let placed = timeline.place(at(4041), Length::samples(320));
        assert_eq!((placed.fill, placed.gap, placed.start), (0, 32_016, 64_656));
        assert_eq!(timeline.next(), 64_976);
    }

    #[test]
    fn overlap_within_the_session_is_dropped() {
        let mut timeline = timeline();
        timeline.place(at(0), Length::samples(1920));
        let placed = timeline.place(at(100), Length::samples(960));
        assert_eq!((placed.cut, placed.start, timeline.next()), (320, 1920, 2560));
        let whole = timeline.place(at(40), Length::samples(320));
        assert_eq!((whole.cut, timeline.next(), whole.reanchored), (320, 2560, false));
    }

    #[test]
    fn a_clock_that_jumps_back_is_re_anchored_in_place() {
        let mut timeline = timeline();
        for block in 0..200 {
            timeline.place(at(20 * block), Length::samples(320));
        }
        let placed = timeline.place(at(0), Length::samples(320));
        assert_eq!((placed.reanchored, placed.start, placed.cut), (true, 64_000, 0));
        assert_eq!(timeline.place(at(20), Length::samples(320)).start, 64_320);
    }

    #[test]
    fn another_producer_session_stands_where_the_server_clock_puts_it() {
        let mut timeline = timeline();
        timeline.place(at(0), Length::samples(16_000));
        timeline.begin_fragment(Some(T0 + 300 + 1500));
        timeline.set_session(T0 + 90_000);
        let placed = timeline.place(at(90_000), Length::samples(320));
        assert_eq!((placed.reanchored, placed.fill, placed.start), (true, 8000, 24_000));
        // The server's clock cannot take the session back.
        timeline.begin_fragment(Some(T0));
        timeline.set_session(T0);
        let placed = timeline.place(at(0), Length::samples(320));
        assert_eq!((placed.reanchored, placed.start), (true, 24_320));
    }

    #[test]
    fn absurd_clocks_move_nothing() {
        let mut timeline = timeline();
        timeline.place(at(0), Length::samples(320));
        for wild in [i64::MAX, i64::MIN, 0] {
            timeline.begin_fragment(Some(wild));
            timeline.set_session(wild);
            let placed = timeline.place(MediaTime::from_ms(wild), Length::samples(320));
            assert_eq!((placed.gap, placed.fill, placed.cut), (0, 0, 0), "{wild}");
        }
        assert_eq!(timeline.next(), 4 * 320);
    }

    #[test]
    fn an_anchor_repeats_the_positions() {
        let mut first = timeline();
        first.place(at(0), Length::samples(320));
        let anchor = first.anchor("12".parse().unwrap());
        let mut second = Timeline::from_anchor(&anchor, 2000, 1000);
        for run in [&mut first, &mut second] {
            run.begin_fragment(Some(T0 + 5000));
            run.set_session(T0 + 4000);
        }
        for ms in [4000, 4020, 4500, 4400] {
            assert_eq!(
                first.place(at(ms), Length::samples(320)),
                second.place(at(ms), Length::samples(320)),
                "{ms}"
            );
        }
    }
}
