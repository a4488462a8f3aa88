//! DynamoDB faults: throttling, outages, and missing answers.

use simulator::FaultRates;
use simulator::lambda::Call;
use testkit::pcm::Random;

use super::{SimulatedFault, seconds};
use crate::scenario::Scenario;

pub(super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "DynamoDB throttles", scenario: throttles },
    SimulatedFault { name: "DynamoDB takes writes and loses answers", scenario: loses_answers },
    SimulatedFault { name: "DynamoDB silent now and then", scenario: silent },
    SimulatedFault { name: "DynamoDB away for 30 s", scenario: away },
    SimulatedFault { name: "DynamoDB away during a hand-off", scenario: away_during_a_hand_off },
];

fn with_fault_rates(random: &mut Random, rates: FaultRates) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    scenario.prepare(move |lambda| lambda.world.state().table.fault_rates = rates);
    scenario.max_pause = seconds(75);
    scenario
}

fn throttles(random: &mut Random) -> Scenario {
    let refused = random.below(400);
    with_fault_rates(random, FaultRates { refused, ..FaultRates::UP })
}

fn loses_answers(random: &mut Random) -> Scenario {
    let lost = random.below(400);
    with_fault_rates(random, FaultRates { answer_lost: lost, ..FaultRates::UP })
}

fn silent(random: &mut Random) -> Scenario {
    let silent = random.below(100);
    with_fault_rates(random, FaultRates { unanswered: silent, ..FaultRates::UP })
}

fn away(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let when = scenario.random_time(random);
    scenario.at(when, |lambda| lambda.world.state().table.fault_rates = FaultRates::DOWN);
    scenario
        .at(when + seconds(30), |lambda| lambda.world.state().table.fault_rates = FaultRates::UP);
    scenario.max_pause = seconds(30 + 75);
    scenario
}

fn away_during_a_hand_off(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(90 + random.below(30), 1_000);
    scenario.prepare(|lambda| lambda.timeout = seconds(60));
    let when = seconds(40 + random.below(20));
    scenario.at(when, |lambda| lambda.world.state().table.fault_rates = FaultRates::DOWN);
    scenario
        .at(when + seconds(30), |lambda| lambda.world.state().table.fault_rates = FaultRates::UP);
    // Another start may arrive during the outage.
    scenario.at(when + seconds(random.below(40)), |lambda| lambda.invoke(Call::Start));
    scenario.max_pause = seconds(360);
    scenario
}
