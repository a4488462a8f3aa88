//! Whether time is missing before the blocks that wait, or their stamps wander.
//!
//! The blocks wait in order; each has its lateness as if all before it went in line. With `S` the
//! width of the range of recent lateness (`Stamps`), and *late* meaning by as much as a lost packet
//! would make it (see `least`):
//!
//! | the blocks that wait | what happens |
//! |---|---|
//! | the first is not late | it goes in line |
//! | one of them is not late | all before it go in line: their stamps wandered |
//! | all are late, for less than `WAITED` before the last and `WINDOW` in all | they wait on |
//! | all are late, and no later one falls back | time is missing before the first |
//! | all are late, but lateness falls | the first goes in line: the producer is catching up |
//!
//! Lateness falls when it drops by more than `S` and 2 ms, or when its second half is earlier than
//! its first by more than three quarters of `S` and 2 ms. It may rise: more can be lost. Stamps
//! that were exact so far (`S` up to 3 ms) must stay so, and may rise by whole packets only.

use super::stamps::{Range, Stamps, least_missing};
use super::{Length, MAX_GAP};
use crate::SAMPLES_PER_MS;

const MS: i64 = SAMPLES_PER_MS as i64;

/// Most media that has to be late before time is believed to be missing: 120 ms.
pub(super) const WINDOW: i64 = 120 * MS;

/// Media that has waited long enough when another packet comes: 100 ms, five packets of 20 ms.
const WAITED: i64 = 100 * MS;

/// Stamps that wander by no more than this are exact but for rounding: 3 ms.
const EXACT: i64 = 3 * MS;

/// Widest range of lateness in which a single lost packet of 20 ms can still be told from jitter:
/// ±15 ms, and a millisecond of rounding.
pub(super) const STEADY: i64 = 31 * MS;

/// Shortest time that is looked for where stamps wander, however short the packets are: 18 ms.
/// Drift of 0.5 % makes 13 ms over the range of [`Stamps`].
pub(super) const SHORTEST: i64 = 18 * MS;

/// What rounding to milliseconds on both sides may add: 2 ms.
pub(super) const SNAP: i64 = 2 * MS;

/// Beyond this a pause is seen whatever the jitter: half a second.
pub const FAR: i64 = 500 * MS;

/// Longest packet that counts as short: 24 ms, of which more than four make a window.
const SHORT: i64 = 24 * MS;

/// Blocks from which on stamps count as exact, for packets of 24 ms and less and for longer ones:
/// by chance three are that close once in a thousand streams that jitter by 100 ms.
const FEW: i64 = 3;

/// Blocks below which exact stamps must not even rise.
const SOME: i64 = 10;

/// Blocks whose range says how far stamps wander: the first second of 20 ms packets.
const MANY: i64 = 48;

/// Blocks, each so long after the one before, that show by their stamps alone that time goes on:
/// 250 ms. Of DTX one comes every 400 ms; packets that arrive late then catch up.
const BLOCKS: usize = 3;

/// See [`BLOCKS`].
const SLOW: i64 = 250 * MS;

/// A block that waits for the blocks behind it.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Its stamp less where it would stand if all before it went in line, in samples.
    pub lateness: i64,
    /// Its length.
    pub length: Length,
    /// It begins a block: its stamp is its own, not that of the packet before it.
    pub begins_block: bool,
}

impl Waiting {
    fn samples(&self) -> i64 {
        self.length.at_output_rate(0).0
    }
}

/// How much time no packet covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// None.
    Nothing,
    /// So many packets like the one that follows.
    Packets(u32),
    /// So many samples at 16 kHz.
    Samples(i64),
}

/// What becomes of the blocks that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They wait on.
    Wait,
    /// So many from the front go in line.
    InLine(usize),
    /// This is missing before the first.
    Late(Missing),
}

/// How far stamps wander, which decides what can be told from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Exact,
    Steady,
    Wild,
}

fn mode(stamps: &Stamps, range: Range) -> Mode {
    let (count, width) = (stamps.count(), range.width());
    if width <= EXACT && count >= FEW {
        Mode::Exact
    } else if width <= STEADY && count >= MANY {
        Mode::Steady
    } else {
        Mode::Wild
    }
}

/// From which lateness on a block of `length` is late.
pub(super) fn least(stamps: &Stamps, length: Length, tolerance: i64) -> i64 {
    let range = stamps.range();
    // So late have stamps been that came back.
    let jitter = stamps.peak() + tolerance;
    match mode(stamps, range) {
        Mode::Exact => jitter.max(range.low + least_missing(length, tolerance)),
        Mode::Steady => jitter.max(range.low + least_missing(length, tolerance).max(SHORTEST)),
        Mode::Wild => range.high + FAR.max(tolerance),
    }
}

/// Decides about the blocks that wait; there is at least one. `last` says that no block follows.
pub(super) fn judge(stamps: &Stamps, waiting: &[Waiting], tolerance: i64, last: bool) -> Verdict {
    let range = stamps.range();
    let Some(first) = waiting.first() else { return Verdict::Wait };
    let least = least(stamps, first.length, tolerance);
    let on_time = waiting.iter().position(|block| block.lateness < least);
    if let Some(on_time) = on_time {
        return Verdict::InLine(on_time.max(1));
    }
    if last {
        let far = waiting.iter().all(|block| block.lateness >= range.high + FAR.max(tolerance));
        return if far { late(stamps, waiting, range) } else { Verdict::InLine(waiting.len()) };
    }
    if !is_enough(stamps, waiting, range) {
        return Verdict::Wait;
    }
    match mode(stamps, range) {
        Mode::Exact if stays_exact(stamps, waiting) && !falls(waiting, EXACT) => {
            late(stamps, waiting, range)
        }
        Mode::Exact => Verdict::InLine(1),
        _ if falls(waiting, range.width()) => Verdict::InLine(1),
        Mode::Steady => match before_the_jump(waiting, range) {
            0 => late(stamps, waiting, range),
            usual => Verdict::InLine(usual),
        },
        Mode::Wild => late(stamps, waiting, range),
    }
}

/// Enough media waits; or one block after the other comes long after the one before.
fn is_enough(stamps: &Stamps, waiting: &[Waiting], range: Range) -> bool {
    let media: i64 = waiting.iter().map(Waiting::samples).sum();
    // A block's packets have one stamp between them: they do not bear each other out.
    let borne_out = waiting.iter().skip(1).any(|block| block.begins_block);
    let steady = stamps.count() >= SOME && range.width() <= STEADY;
    let slow = waiting
        .windows(2)
        .all(|pair| pair[1].lateness - pair[0].lateness + pair[0].samples() >= SLOW);
    let before_last = media - waiting.last().map_or(0, Waiting::samples);
    let full = before_last >= WAITED || media > WINDOW;
    borne_out && (full || steady && slow && waiting.len() >= BLOCKS)
}

/// Exact stamps rise by whole packets or not at all.
fn stays_exact(stamps: &Stamps, waiting: &[Waiting]) -> bool {
    // Two or three long packets that are late by themselves may happen to be whole packets apart.
    let short = waiting.first().is_some_and(|block| block.samples() <= SHORT);
    let may_rise = stamps.count() >= SOME && (short || waiting.len() > BLOCKS);
    waiting.windows(2).all(|pair| {
        let rise = pair[1].lateness - pair[0].lateness;
        let packet = pair[0].samples().max(1);
        let off = rise.rem_euclid(packet);
        rise.abs() <= EXACT || may_rise && rise > 0 && off.min(packet - off) <= EXACT
    })
}

fn falls(waiting: &[Waiting], width: i64) -> bool {
    let mut highest = i64::MIN;
    let drops = waiting.iter().any(|block| {
        highest = highest.max(block.lateness);
        highest - block.lateness > width + SNAP
    });
    let [first, second] = half_means(waiting);
    drops || first - second > width * 3 / 4 + SNAP
}

/// Mean lateness of the first half of the blocks, and of the last.
fn half_means(waiting: &[Waiting]) -> [i64; 2] {
    let half = waiting.len().div_ceil(2);
    let mean = |blocks: &[Waiting]| {
        let sum: i128 = blocks.iter().map(|block| i128::from(block.lateness)).sum();
        // The mean of i64s is an i64, and there is at least one.
        sum.div_euclid(blocks.len().max(1) as i128) as i64
    };
    [mean(&waiting[..half]), mean(&waiting[waiting.len() - half..])]
}

/// Blocks at the front that stand where others have stood, before one jumps out of the range by a
/// packet: time is missing behind them.
fn before_the_jump(waiting: &[Waiting], range: Range) -> usize {
    let Some(out) = waiting.iter().position(|block| block.lateness > range.high + EXACT) else {
        // None stands where no block has stood: jitter.
        return 1;
    };
    let jumps = out > 0 && {
        let [before, after] = [&waiting[out - 1], &waiting[out]];
        after.lateness - before.lateness >= after.samples() - SNAP
    };
    if jumps { out } else { 0 }
}

/// How much is missing: the first blocks' lateness over the average, in whole packets where jitter
/// hides the difference.
fn late(stamps: &Stamps, waiting: &[Waiting], range: Range) -> Verdict {
    let Some(first) = waiting.first() else { return Verdict::Wait };
    let least = waiting.iter().map(|block| block.lateness).min().unwrap_or_default();
    let lateness = if range.width() <= EXACT {
        least
    } else {
        half_means(waiting).into_iter().min().unwrap_or(least)
    };
    let samples = lateness.saturating_sub(stamps.average());
    if samples > MAX_GAP {
        return Verdict::InLine(1);
    }
    Verdict::Late(in_packets(samples, first.length, range.width()))
}

/// `samples` as whole packets of `length` if jitter of `width` can make the difference.
pub(super) fn in_packets(samples: i64, length: Length, width: i64) -> Missing {
    let packet = length.at_output_rate(0).0.max(1);
    let packets = ((samples + packet / 2) / packet).max(1);
    if (samples - packets * packet).abs() <= width.min(packet / 2) + i64::from(SAMPLES_PER_MS) {
        // MAX_GAP in samples of at least one each fits.
        Missing::Packets(u32::try_from(packets).unwrap_or(u32::MAX))
    } else {
        Missing::Samples(samples.max(0))
    }
}
