//! Processor faults: errors, outages, slowness, and lost answers.

use std::time::Duration;

use simulator::FaultRates;
use testkit::pcm::Random;

use super::{SimulatedFault, seconds};
use crate::scenario::Scenario;

pub(super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "processor fails now and then", scenario: fails },
    SimulatedFault { name: "processor takes, and its answer is lost", scenario: answers_lost },
    SimulatedFault { name: "processor never answers now and then", scenario: silent },
    SimulatedFault { name: "processor down for minutes", scenario: down },
    SimulatedFault { name: "processor at half the speed, then fast", scenario: slow },
    SimulatedFault { name: "processor down over hand-offs", scenario: down_over_hand_offs },
];

fn with_fault_rates(random: &mut Random, rates: FaultRates, max_pause: Duration) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    scenario.prepare(move |lambda| lambda.world.state().processor.fault_rates = rates);
    scenario.max_pause = max_pause;
    scenario
}

fn fails(random: &mut Random) -> Scenario {
    let refused = random.below(400);
    with_fault_rates(random, FaultRates { refused, ..FaultRates::UP }, seconds(90))
}

fn answers_lost(random: &mut Random) -> Scenario {
    let lost = random.below(400);
    with_fault_rates(random, FaultRates { answer_lost: lost, ..FaultRates::UP }, seconds(90))
}

fn silent(random: &mut Random) -> Scenario {
    // Each unanswered attempt takes 62 s.
    let silent = random.below(60);
    with_fault_rates(random, FaultRates { unanswered: silent, ..FaultRates::UP }, seconds(64 * 3))
}

/// Takes the processor down at `when` for `outage`.
fn outage(scenario: &mut Scenario, when: Duration, outage: Duration) {
    scenario.at(when, |lambda| lambda.world.state().processor.fault_rates = FaultRates::DOWN);
    scenario
        .at(when + outage, |lambda| lambda.world.state().processor.fault_rates = FaultRates::UP);
    // The circuit breaker lets one chunk through every 15 s.
    scenario.max_pause = outage + seconds(30);
}

fn down(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let (when, minutes) = (scenario.random_time(random), 1 + random.below(10));
    outage(&mut scenario, when, seconds(60 * minutes));
    scenario
}

fn slow(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let when = scenario.random_time(random);
    let for_a_while = seconds(20 + random.below(40));
    scenario.at(when, |lambda| {
        lambda.world.state().processor.takes_per_second = seconds(2);
    });
    scenario.at(when + for_a_while, |lambda| {
        lambda.world.state().processor.takes_per_second = Duration::ZERO;
    });
    // A payload of 4 s takes 8 s.
    scenario.max_pause = seconds(17);
    // The processor may still be slow after the session's end.
    scenario.extra_drain_time = (when + for_a_while).saturating_sub(scenario.end);
    scenario
}

fn down_over_hand_offs(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(60 + random.below(60), 1_000);
    scenario.prepare(|lambda| lambda.timeout = seconds(60));
    let when = scenario.random_time(random);
    outage(&mut scenario, when, seconds(60 + random.below(240)));
    scenario
}
