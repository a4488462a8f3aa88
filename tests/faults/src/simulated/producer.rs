//! Producer pauses, restarts and clock changes, each combined with a killed consumer.

use std::ops::RangeInclusive;
use std::time::Duration;

use testkit::getmedia::Fragment;
use testkit::line::Pause;
use testkit::pcm::Random;

use super::{SimulatedFault, seconds};
use crate::scenario::Scenario;

pub(super) mod lengths;
pub(super) mod resend;
pub(super) mod stamps;
pub(super) mod wrong_metadata;

mod upload;
use upload::{Upload, line_with};

pub(super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "producer pauses for minutes, consumer killed", scenario: pauses },
    SimulatedFault { name: "producer starts anew, consumer killed", scenario: starts_anew },
    SimulatedFault { name: "producer's clock jumps, consumer killed", scenario: clock_jumps },
    SimulatedFault { name: "silence by DTX, consumer killed", scenario: dtx },
];

/// Returns a scenario in which `change` may shift all fragments from any fragment on: by the
/// producer's clock, by KVS's clock, and by the Matroska time.
fn changed(random: &mut Random, mut change: impl FnMut(&mut Random) -> Option<Change>) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let length = i64::from(scenario.fragment_ms);
    let (mut producer, mut server, mut media) = (0, 0, 0);
    let (mut upload, mut pauses, mut after) = (Upload::default(), Vec::new(), 0);
    for (mut fragment, nth) in scenario.fragments().into_iter().zip(1_i64..) {
        if nth > 1
            && let Some(change) = change(random)
        {
            producer += change.producer_ms;
            server += change.server_ms;
            media = match change.media {
                Media::GoesOnAfter(ms) => media + ms,
                Media::StartsAtZero => -fragment.cluster_ms.unwrap_or_default(),
            };
            pauses.push(Pause { after, samples: change.pause() });
        }
        after += fragment.packets.len();
        shift(&mut fragment, producer, server, media);
        let at = Duration::from_millis((nth * length + server).unsigned_abs());
        upload.put(at, &fragment);
    }
    upload.into_stream_of(&mut scenario);
    scenario.line = Some(line_with(&scenario, &pauses));
    scenario.undisturbed = true;
    let when = scenario.random_time(random);
    scenario.at(when, |lambda| lambda.kill_all());
    scenario.max_pause = seconds(75);
    scenario
}

/// A shift of the clocks from a fragment on.
struct Change {
    producer_ms: i64,
    server_ms: i64,
    media: Media,
}

impl Change {
    /// Returns the allowed pause in samples: exactly the shift if both clocks agree, or any part of
    /// it if only the producer's clock changed. A pause below 60 ms may be treated as jitter. The
    /// rounding to milliseconds adds up to 2 ms, so the pause may be a whole number of lost
    /// packets.
    fn pause(&self) -> RangeInclusive<usize> {
        let samples = usize::try_from(self.producer_ms.max(0)).unwrap() * 16;
        if self.producer_ms != self.server_ms || self.producer_ms < 60 {
            return 0..=samples;
        }
        let rounding = if samples.is_multiple_of(320) { 0 } else { 2 * 16 };
        samples - rounding..=samples + rounding
    }
}

/// The effect on the Cluster's time.
enum Media {
    GoesOnAfter(i64),
    StartsAtZero,
}

fn shift(fragment: &mut Fragment, producer_ms: i64, server_ms: i64, media_ms: i64) {
    for (time, by) in [
        (&mut fragment.producer_ms, producer_ms),
        (&mut fragment.server_ms, server_ms),
        (&mut fragment.cluster_ms, media_ms),
    ] {
        *time = time.map(|time| time + by);
    }
}

/// Returns true with probability 1 / `one_in`.
fn now_and_then(random: &mut Random, one_in: u64) -> bool {
    random.below(one_in) == 0
}

fn pauses(random: &mut Random) -> Scenario {
    changed(random, |random| {
        now_and_then(random, 6).then(|| {
            let pause = i64::try_from(random.below(180_000)).unwrap();
            Change { producer_ms: pause, server_ms: pause, media: Media::GoesOnAfter(pause) }
        })
    })
}

fn starts_anew(random: &mut Random) -> Scenario {
    changed(random, |random| {
        now_and_then(random, 6).then(|| {
            let away = i64::try_from(random.below(10_000)).unwrap();
            Change { producer_ms: away, server_ms: away, media: Media::StartsAtZero }
        })
    })
}

fn clock_jumps(random: &mut Random) -> Scenario {
    changed(random, |random| {
        now_and_then(random, 6).then(|| {
            let jump = i64::try_from(random.below(240_000)).unwrap() - 120_000;
            Change { producer_ms: jump, server_ms: 0, media: Media::GoesOnAfter(0) }
        })
    })
}

/// Number of packets of 20 ms that confirm a pause before them; if the session ends sooner, the
/// pause may be treated as jitter.
const CONFIRMING_PACKETS: usize = 6;
/// Samples of the shortest pause that is never treated as jitter: half a second.
const LONGEST_JITTER: usize = 8_000;

fn dtx(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let length = Duration::from_millis(scenario.fragment_ms.into());
    let (mut upload, mut pauses, mut said) = (Upload::default(), Vec::new(), Vec::new());
    let (mut silent, mut silence) = (0, 0);
    // Fewer packets between two pauses do not confirm the first one (docs/limits.md).
    let mut since_pause = 0;
    for (mut fragment, nth) in scenario.fragments().into_iter().zip(1..) {
        fragment.packets.retain(|packet| {
            since_pause += 1;
            if silent == 0 && random.below(40) == 0 && since_pause > CONFIRMING_PACKETS {
                silent = random.below(90);
            }
            silent = silent.saturating_sub(1);
            if silent > 0 {
                silence += 20;
                since_pause = 0;
                return false;
            }
            // The session begins with its first packet.
            if silence > 0 && !said.is_empty() {
                pauses.push(Pause::of_ms(said.len(), silence));
            }
            silence = 0;
            said.push(packet.data.clone());
            true
        });
        upload.put((length * nth).min(scenario.end), &fragment);
    }
    upload.into_stream_of(&mut scenario);
    if let Some(last) = pauses.last_mut()
        && said.len() - last.after < CONFIRMING_PACKETS
        && *last.samples.end() < LONGEST_JITTER
    {
        last.samples = 0..=*last.samples.end();
    }
    scenario.packets = said;
    scenario.line = Some(line_with(&scenario, &pauses));
    scenario.undisturbed = true;
    let when = scenario.random_time(random);
    scenario.at(when, |lambda| lambda.kill_all());
    scenario.max_pause = seconds(75);
    scenario
}
