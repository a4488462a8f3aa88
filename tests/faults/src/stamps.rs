//! What producers say of when their packets are played, when it is not what the packets last: times
//! in ms since the session's start, one for each packet of 20 ms.

use testkit::pcm::Random;

/// Length of a packet, ms.
pub const PACKET_MS: i64 = 20;

/// Stamps of so many packets.
pub type Stamps = fn(&mut Random, usize) -> Vec<i64>;

/// The right time of a packet.
fn right(index: usize) -> i64 {
    i64::try_from(index).unwrap() * PACKET_MS
}

fn between(random: &mut Random, least: i64, most: i64) -> i64 {
    least + i64::try_from(random.below((most - least + 1).unsigned_abs())).unwrap()
}

fn jittered(random: &mut Random, packets: usize, most: i64) -> Vec<i64> {
    (0..packets).map(|index| right(index) + between(random, -most, most)).collect()
}

/// Each block is off by up to 5 to 100 ms either way.
pub fn jitter(random: &mut Random, packets: usize) -> Vec<i64> {
    let most = random.pick(&[5, 12, 20, 40, 60, 100]);
    jittered(random, packets, most)
}

/// Each block is off by up to 9 ms, which keeps their times in order, as PutMedia wants Clusters.
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

/// Packets come in groups of 2 to 20, and each block says when its group came: at the same time, or
/// with a millisecond between two as a loop over the group takes it.
pub fn bursts(random: &mut Random, packets: usize) -> Vec<i64> {
    let step = between(random, 0, 1);
    grouped(random, packets, step)
}

/// Such groups with a millisecond between two blocks, which keeps their times in order.
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

/// The producer's clock is fast or slow by up to half a percent; times are whole milliseconds.
pub fn drift(random: &mut Random, packets: usize) -> Vec<i64> {
    let per_mille = random.pick(&[995, 998, 1_002, 1_005]);
    (0..packets).map(|index| (right(index) * per_mille + 500) / 1_000).collect()
}

/// As AWS's sample sources stamp frames of another length than theirs.
pub fn steps(random: &mut Random, packets: usize) -> Vec<i64> {
    let step_us = random.pick(&[18_000, 19_000, 21_333, 22_000]);
    (0..packets).map(|index| i64::try_from(index).unwrap() * step_us / 1_000).collect()
}
