//! Time stamps that do not match the packets' durations: one per packet of 20 ms, in ms since the
//! session's start.

use testkit::pcm::Random;

/// Length of a packet, ms.
pub const PACKET_MS: i64 = 20;

/// Returns the time stamps of this many packets.
pub type Stamps = fn(&mut Random, usize) -> Vec<i64>;

/// Returns the correct time of a packet.
fn right(index: usize) -> i64 {
    i64::try_from(index).unwrap() * PACKET_MS
}

fn between(random: &mut Random, least: i64, most: i64) -> i64 {
    least + i64::try_from(random.below((most - least + 1).unsigned_abs())).unwrap()
}

fn jittered(random: &mut Random, packets: usize, most: i64) -> Vec<i64> {
    (0..packets).map(|index| right(index) + between(random, -most, most)).collect()
}

/// Each block's time is off by at most 5 to 100 ms in either direction.
pub fn jitter(random: &mut Random, packets: usize) -> Vec<i64> {
    let most = random.pick(&[5, 12, 20, 40, 60, 100]);
    jittered(random, packets, most)
}

/// Each block's time is off by at most 9 ms, so times stay in order, as PutMedia requires.
pub fn small_jitter(random: &mut Random, packets: usize) -> Vec<i64> {
    jittered(random, packets, 9)
}

/// Single blocks are 30 to 450 ms late.
pub fn hiccups(random: &mut Random, packets: usize) -> Vec<i64> {
    let mut late = false;
    let stamp = |index| {
        late = !late && random.below(40) == 0;
        right(index) + if late { between(random, 30, 450) } else { 0 }
    };
    (0..packets).map(stamp).collect()
}

/// Packets arrive in groups of 2 to 20, and each block has the arrival time of its group, with 0 or
/// 1 ms between blocks.
pub fn bursts(random: &mut Random, packets: usize) -> Vec<i64> {
    let step = between(random, 0, 1);
    grouped(random, packets, step)
}

/// As [`bursts`], with 1 ms between blocks, so times stay in order.
pub fn rising_bursts(random: &mut Random, packets: usize) -> Vec<i64> {
    grouped(random, packets, 1)
}

fn grouped(random: &mut Random, packets: usize, step: i64) -> Vec<i64> {
    let (mut first, mut size) = (0, 0);
    let stamp = |index| {
        if index >= first + size {
            (first, size) = (index, usize::try_from(between(random, 2, 20)).unwrap());
        }
        right(first + size - 1) + step * i64::try_from(index - first).unwrap()
    };
    (0..packets).map(stamp).collect()
}

/// The producer's clock is fast or slow by at most 0.5 %; times are whole milliseconds.
pub fn drift(random: &mut Random, packets: usize) -> Vec<i64> {
    let per_mille = random.pick(&[995, 998, 1_002, 1_005]);
    (0..packets).map(|index| (right(index) * per_mille + 500) / 1_000).collect()
}

/// Times advance by a step other than the packets' duration, as in AWS's sample sources.
pub fn steps(random: &mut Random, packets: usize) -> Vec<i64> {
    let step_us = random.pick(&[18_000, 19_000, 21_333, 22_000]);
    (0..packets).map(|index| i64::try_from(index).unwrap() * step_us / 1_000).collect()
}
