//! Distinguishes lost time from jitter by the stamps of the deferred blocks.
//!
//! Blocks are deferred in order; the lateness of each assumes that those before it are contiguous.
//! `S` is the width of the range of recent lateness (`Stamps`); a block is *late* if its lateness
//! is at least that after one lost packet (see `least`):
//!
//! | deferred blocks | decision |
//! |---|---|
//! | the first is not late | it is contiguous |
//! | one of them is not late | all before it are contiguous: jitter |
//! | all are late, for less than `WAITED` before the last and `WINDOW` in all | wait |
//! | all are late, and lateness does not fall | time was lost before the first |
//! | all are late, but lateness falls | the first is contiguous: the producer is catching up |
//!
//! Lateness falls if it drops by more than `S` and 2 ms, or if the mean of its second half is below
//! that of its first by more than three quarters of `S` and 2 ms. It may rise: more can be lost. If
//! stamps were exact so far (`S` up to 3 ms), lateness may rise by whole packets only.

use super::stamps::{Range, Stamps, least_missing};
use super::{Length, MAX_GAP};
use crate::SAMPLES_PER_MS;

const MS: i64 = SAMPLES_PER_MS as i64;

/// Media that must be late to count as lost time, at most: 120 ms.
pub(super) const WINDOW: i64 = 120 * MS;

/// Deferred media that is enough when another packet follows: 100 ms, five packets of 20 ms.
const WAITED: i64 = 100 * MS;

/// Widest range of lateness of exact stamps, which differ by rounding only: 3 ms.
const EXACT: i64 = 3 * MS;

/// Widest range of lateness in which a single lost packet of 20 ms can be distinguished from
/// jitter: ±15 ms plus a millisecond of rounding.
pub(super) const STEADY: i64 = 31 * MS;

/// Shortest lost time that is detected in jitter, independent of the length of packets: 18 ms.
/// Drift of 0.5 % makes 13 ms over the range of [`Stamps`].
pub(super) const SHORTEST: i64 = 18 * MS;

/// Largest difference by rounding to milliseconds on both sides: 2 ms.
pub(super) const SNAP: i64 = 2 * MS;

/// Shortest pause that is detected in any jitter: half a second.
pub const FAR: i64 = 500 * MS;

/// Longest packet that counts as short: 24 ms; a window contains more than four of them.
const SHORT: i64 = 24 * MS;

/// Fewest blocks from which stamps can count as exact. With jitter of 100 ms, three are that close
/// by chance once in a thousand streams.
const FEW: i64 = 3;

/// Fewest blocks from which the lateness of exact stamps may rise.
const SOME: i64 = 10;

/// Fewest blocks whose range measures jitter: the first second of 20 ms packets.
const MANY: i64 = 48;

/// Number of blocks, each [`SLOW`] after the one before, whose stamps alone confirm that time was
/// lost. With DTX a block comes every 400 ms; late packets would catch up.
const BLOCKS: usize = 3;

/// Interval of blocks for [`BLOCKS`]: 250 ms.
const SLOW: i64 = 250 * MS;

/// A deferred block.
#[derive(Debug, Clone, Copy)]
pub struct DeferredStamp {
    /// Its lateness if all blocks before it are contiguous, in samples.
    pub lateness: i64,
    /// Its length.
    pub length: Length,
    /// It is the first packet of its block, so its stamp is its own.
    pub begins_block: bool,
}

impl DeferredStamp {
    fn samples(&self) -> i64 {
        self.length.at_output_rate(0).0
    }
}

/// Lost time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// None.
    Nothing,
    /// Number of packets of the same length as the one that follows.
    Packets(u32),
    /// Number of samples at 16 kHz.
    Samples(i64),
}

/// Decision about the deferred blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait for more blocks.
    Wait,
    /// So many from the front are contiguous.
    Contiguous(usize),
    /// Time was lost before the first.
    Late(Missing),
}

/// The jitter of stamps, which determines the detectable losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JitterClass {
    Exact,
    Steady,
    Wild,
}

fn class(stamps: &Stamps, range: Range) -> JitterClass {
    let (count, width) = (stamps.count(), range.width());
    if width <= EXACT && count >= FEW {
        JitterClass::Exact
    } else if width <= STEADY && count >= MANY {
        JitterClass::Steady
    } else {
        JitterClass::Wild
    }
}

/// Returns the lateness from which a block of `length` is late.
pub(super) fn least(stamps: &Stamps, length: Length, tolerance: i64) -> i64 {
    let range = stamps.range();
    // Recent stamps were this late without lost time.
    let jitter = stamps.peak() + tolerance;
    match class(stamps, range) {
        JitterClass::Exact => jitter.max(range.low + least_missing(length, tolerance)),
        JitterClass::Steady => {
            jitter.max(range.low + least_missing(length, tolerance).max(SHORTEST))
        }
        JitterClass::Wild => range.high + FAR.max(tolerance),
    }
}

/// Decides about the deferred blocks, of which there is at least one. `last`: no block follows.
pub(super) fn judge(
    stamps: &Stamps,
    waiting: &[DeferredStamp],
    tolerance: i64,
    last: bool,
) -> Verdict {
    let range = stamps.range();
    let Some(first) = waiting.first() else { return Verdict::Wait };
    let least = least(stamps, first.length, tolerance);
    let on_time = waiting.iter().position(|block| block.lateness < least);
    if let Some(on_time) = on_time {
        return Verdict::Contiguous(on_time.max(1));
    }
    if last {
        let far = waiting.iter().all(|block| block.lateness >= range.high + FAR.max(tolerance));
        return if far { late(stamps, waiting, range) } else { Verdict::Contiguous(waiting.len()) };
    }
    if !is_enough(stamps, waiting, range) {
        return Verdict::Wait;
    }
    match class(stamps, range) {
        JitterClass::Exact if stays_exact(stamps, waiting) && !falls(waiting, EXACT) => {
            late(stamps, waiting, range)
        }
        JitterClass::Exact => Verdict::Contiguous(1),
        _ if falls(waiting, range.width()) => Verdict::Contiguous(1),
        JitterClass::Steady => match before_the_jump(waiting, range) {
            0 => late(stamps, waiting, range),
            usual => Verdict::Contiguous(usual),
        },
        JitterClass::Wild => late(stamps, waiting, range),
    }
}

/// Whether the deferred media is enough, or each block follows long after the one before.
fn is_enough(stamps: &Stamps, waiting: &[DeferredStamp], range: Range) -> bool {
    let media: i64 = waiting.iter().map(DeferredStamp::samples).sum();
    // The packets of one block share a stamp, so they do not confirm each other.
    let confirmed = waiting.iter().skip(1).any(|block| block.begins_block);
    let steady = stamps.count() >= SOME && range.width() <= STEADY;
    let slow = waiting
        .windows(2)
        .all(|pair| pair[1].lateness - pair[0].lateness + pair[0].samples() >= SLOW);
    let before_last = media - waiting.last().map_or(0, DeferredStamp::samples);
    let full = before_last >= WAITED || media > WINDOW;
    confirmed && (full || steady && slow && waiting.len() >= BLOCKS)
}

/// Whether the lateness of exact stamps stays or rises by whole packets.
fn stays_exact(stamps: &Stamps, waiting: &[DeferredStamp]) -> bool {
    // Two or three long packets with independent jitter may be whole packets apart by chance.
    let short = waiting.first().is_some_and(|block| block.samples() <= SHORT);
    let may_rise = stamps.count() >= SOME && (short || waiting.len() > BLOCKS);
    waiting.windows(2).all(|pair| {
        let rise = pair[1].lateness - pair[0].lateness;
        let packet = pair[0].samples().max(1);
        let off = rise.rem_euclid(packet);
        rise.abs() <= EXACT || may_rise && rise > 0 && off.min(packet - off) <= EXACT
    })
}

/// Whether lateness falls.
fn falls(waiting: &[DeferredStamp], width: i64) -> bool {
    let mut highest = i64::MIN;
    let drops = waiting.iter().any(|block| {
        highest = highest.max(block.lateness);
        highest - block.lateness > width + SNAP
    });
    let [first, second] = half_means(waiting);
    drops || first - second > width * 3 / 4 + SNAP
}

/// Returns the mean lateness of the first half of the blocks, and of the last.
fn half_means(waiting: &[DeferredStamp]) -> [i64; 2] {
    let half = waiting.len().div_ceil(2);
    let mean = |blocks: &[DeferredStamp]| {
        let sum: i128 = blocks.iter().map(|block| i128::from(block.lateness)).sum();
        // The mean of i64 values is an i64; there is at least one value.
        sum.div_euclid(blocks.len().max(1) as i128) as i64
    };
    [mean(&waiting[..half]), mean(&waiting[waiting.len() - half..])]
}

/// Returns the number of blocks at the front within the range of recent lateness, before one leaves
/// it by at least a packet: time was lost after them.
fn before_the_jump(waiting: &[DeferredStamp], range: Range) -> usize {
    let Some(out) = waiting.iter().position(|block| block.lateness > range.high + EXACT) else {
        // All are within the range: jitter.
        return 1;
    };
    let jumps = out > 0 && {
        let [before, after] = [&waiting[out - 1], &waiting[out]];
        after.lateness - before.lateness >= after.samples() - SNAP
    };
    if jumps { out } else { 0 }
}

/// Returns the lost time: the first blocks' lateness above the average, in whole packets if jitter
/// can explain the difference.
fn late(stamps: &Stamps, waiting: &[DeferredStamp], range: Range) -> Verdict {
    let Some(first) = waiting.first() else { return Verdict::Wait };
    let least = waiting.iter().map(|block| block.lateness).min().unwrap_or_default();
    let lateness = if range.width() <= EXACT {
        least
    } else {
        half_means(waiting).into_iter().min().unwrap_or(least)
    };
    let samples = lateness.saturating_sub(stamps.average());
    if samples > MAX_GAP {
        return Verdict::Contiguous(1);
    }
    Verdict::Late(in_packets(samples, first.length, range.width()))
}

/// Converts `samples` to whole packets of `length` if jitter of `width` can explain the difference.
pub(super) fn in_packets(samples: i64, length: Length, width: i64) -> Missing {
    let packet = length.at_output_rate(0).0.max(1);
    let packets = ((samples + packet / 2) / packet).max(1);
    if (samples - packets * packet).abs() <= width.min(packet / 2) + i64::from(SAMPLES_PER_MS) {
        // At most MAX_GAP packets of one sample.
        Missing::Packets(u32::try_from(packets).unwrap_or(u32::MAX))
    } else {
        Missing::Samples(samples.max(0))
    }
}
