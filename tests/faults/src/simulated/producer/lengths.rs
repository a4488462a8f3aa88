//! Fragments of 1 to 20 s in the cases in which their length matters: hand-offs, catching up, and
//! the drain.

use std::time::Duration;

use simulator::FaultRates;
use testkit::pcm::Random;

use super::super::{SimulatedFault, seconds};
use super::upload::{HAND_OFF, drained_by_a_successor};
use crate::scenario::Scenario;

pub(in super::super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "fragments of 1 to 20 s, hand-offs", scenario: hand_offs },
    SimulatedFault { name: "fragments of 1 to 20 s, catching up", scenario: catching_up },
    SimulatedFault { name: "fragments of 1 to 20 s, ended within one", scenario: drained },
    SimulatedFault {
        name: "fragments of 1 to 20 s, ended within the first",
        scenario: drained_early,
    },
    SimulatedFault {
        name: "fragments of 1 to 20 s, killed in the drain",
        scenario: killed_in_the_drain,
    },
];

fn scenario(random: &mut Random, least: u64) -> Scenario {
    let mut scenario =
        Scenario::of(least + random.below(60), random.pick(&[1_000, 2_000, 10_000, 20_000]));
    scenario.end += Duration::from_millis(random.below(1_000));
    scenario.ended = vec![scenario.end];
    scenario
}

/// Hand-offs at any position in a fragment, also while nothing was readable for 20 s.
fn hand_offs(random: &mut Random) -> Scenario {
    let mut scenario = scenario(random, 100);
    let cold_start = Duration::from_millis(random.below(3_000));
    scenario.prepare(move |lambda| {
        lambda.timeout = HAND_OFF + seconds(15);
        lambda.cold_start = cold_start;
    });
    // No consumer reads until the successor runs.
    scenario.max_pause = seconds(2) + cold_start;
    scenario.extra_drain_time = drained_by_a_successor(&scenario) + cold_start;
    scenario
}

/// The processor is down, and the consumer then catches up with the stream, with hand-offs.
fn catching_up(random: &mut Random) -> Scenario {
    let mut scenario = scenario(random, 120);
    let (when, outage) = (seconds(20 + random.below(20)), seconds(30 + random.below(60)));
    if random.below(2) == 0 {
        scenario.prepare(|lambda| lambda.timeout = HAND_OFF + seconds(15));
    }
    scenario.at(when, |lambda| lambda.world.state().processor.fault_rates = FaultRates::DOWN);
    scenario
        .at(when + outage, |lambda| lambda.world.state().processor.fault_rates = FaultRates::UP);
    // The circuit breaker lets one chunk through every 15 s.
    scenario.max_pause = outage + seconds(30);
    scenario
}

/// The session ends within the last fragment, which KVS stores only at its end. At least one
/// fragment was read before: its length determines how long the consumer waits.
fn drained(random: &mut Random) -> Scenario {
    let mut scenario = scenario(random, 45);
    let early = Duration::from_millis(random.below(u64::from(scenario.fragment_ms)));
    scenario.ended = vec![scenario.end.saturating_sub(early), scenario.end];
    scenario
}

/// DELETE arrives before KVS has stored the first fragment, which contains the audio before it.
fn drained_early(random: &mut Random) -> Scenario {
    let length = random.pick(&[10_000, 20_000]);
    let mut scenario = Scenario::of(u64::from(length) / 1_000, length);
    scenario.ended = vec![Duration::from_millis(u64::from(length) / 2), scenario.end];
    scenario
}

fn killed_in_the_drain(random: &mut Random) -> Scenario {
    let mut scenario = scenario(random, 20);
    let when = scenario.end + Duration::from_millis(random.below(10_000));
    scenario.at(when, |lambda| lambda.kill_all());
    scenario.max_pause = seconds(75);
    scenario.extra_drain_time = seconds(75);
    scenario
}
