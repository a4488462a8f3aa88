//! Faults at the end of a session, when audio that is missed is lost permanently, and combinations
//! of faults.

use std::time::Duration;

use session::ErrorKind;
use simulator::FaultRates;
use simulator::kvs::{Break, How, open_error};
use simulator::lambda::Call;
use testkit::pcm::Random;

use super::{SimulatedFault, seconds};
use crate::scenario::Scenario;

pub(super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "tail's connection stalls at its first byte", scenario: stall_tail },
    SimulatedFault { name: "ended cleanly then stalled, after the stop", scenario: end_then_stall },
    SimulatedFault { name: "three connections stand still after the stop", scenario: three_stalls },
    SimulatedFault { name: "one 404 when only ENDED came", scenario: one_404_ended },
    SimulatedFault { name: "one 404 after the stop, catching up", scenario: one_404_catching_up },
    SimulatedFault { name: "404 for minutes in mid session", scenario: long_404 },
    SimulatedFault { name: "consumer frozen around the tail", scenario: frozen_tail },
    SimulatedFault {
        name: "killed in hand-off, table loses, processor down",
        scenario: killed_in_trouble,
    },
    SimulatedFault {
        name: "ENDED while the breaker is open, hand-offs",
        scenario: ended_with_open_breaker,
    },
    SimulatedFault { name: "table away during the drain", scenario: away_in_the_drain },
];

fn stall(ms: u64) -> Break {
    Break { after: 0, how: How::Stall(Duration::from_millis(ms)) }
}

fn stall_tail(random: &mut Random) -> Scenario {
    let n = 4 + random.below(4);
    let mut scenario = Scenario::of(n * 5 + 4, 5_000);
    let t = 10_500 + random.below(30_000);
    scenario.at(seconds(n * 5 + 1), move |lambda| {
        lambda.world.state().kvs.breaks = vec![stall(t)].into()
    });
    scenario.max_pause = seconds(120);
    scenario
}

fn end_then_stall(random: &mut Random) -> Scenario {
    // All fragments are in KVS and only ENDED arrives; one clean end between documents, one stall.
    let mut scenario = Scenario::of(40, 2_000);
    scenario.active.clear();
    let t = 5_000 + random.below(9_000);
    scenario.prepare(move |lambda| {
        lambda.world.state().kvs.breaks = vec![Break { after: 0, how: How::End }, stall(t)].into();
    });
    scenario.max_pause = seconds(120);
    scenario
}

fn three_stalls(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(40, 2_000);
    scenario.active.clear();
    let t = 16_000 + random.below(9_000);
    scenario.prepare(move |lambda| {
        lambda.world.state().kvs.breaks = vec![stall(t), stall(t), stall(t)].into()
    });
    scenario.max_pause = seconds(180);
    scenario
}

fn one_404_ended(_: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(40, 2_000);
    scenario.active.clear();
    scenario.prepare(|lambda| {
        lambda.world.state().kvs.open_errors =
            vec![open_error(ErrorKind::NotFound, "ResourceNotFoundException")].into()
    });
    scenario.max_pause = seconds(120);
    scenario
}

fn one_404_catching_up(random: &mut Random) -> Scenario {
    // The processor is down at the end; a connection ends after the stop; its reconnect gets a 404.
    let mut scenario = Scenario::of(60, 2_000);
    let when = seconds(25 + random.below(10));
    scenario.at(when, |lambda| lambda.world.state().processor.fault_rates = FaultRates::DOWN);
    scenario.at(seconds(90), |lambda| {
        lambda.world.state().processor.fault_rates = FaultRates::UP;
        lambda.world.state().kvs.longest = Duration::ZERO;
        lambda.world.state().kvs.open_errors =
            vec![open_error(ErrorKind::NotFound, "ResourceNotFoundException")].into();
    });
    scenario.at(seconds(110), |lambda| lambda.world.state().kvs.longest = seconds(2700));
    scenario.max_pause = seconds(180);
    scenario
}

fn long_404(_: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(300, 2_000);
    scenario.at(seconds(50), |lambda| {
        lambda.world.state().kvs.longest = Duration::ZERO;
        lambda.world.state().kvs.open_errors = std::iter::repeat_n(
            open_error(ErrorKind::NotFound, "ResourceNotFoundException"),
            10_000,
        )
        .collect();
    });
    scenario.at(seconds(200), |lambda| {
        lambda.world.state().kvs.longest = seconds(2700);
        lambda.world.state().kvs.open_errors.clear();
    });
    scenario.max_pause = seconds(300);
    scenario
}

fn frozen_tail(random: &mut Random) -> Scenario {
    let n = 4 + random.below(4);
    let mut scenario = Scenario::of(n * 5 + 4, 5_000);
    let from = seconds(n * 5) + Duration::from_millis(3_400 + random.below(1_000));
    let t = Duration::from_millis(9_000 + random.below(9_000));
    scenario.at(from, |lambda| lambda.freeze_all(true));
    scenario.at(from + t, |lambda| lambda.freeze_all(false));
    scenario.max_pause = seconds(120);
    scenario
}

fn fragment_ms(random: &mut Random) -> u32 {
    1_000 * (1 + u32::try_from(random.below(5)).unwrap())
}

/// Sets a function timeout of a minute, and allows outages of minutes.
fn short(scenario: &mut Scenario) {
    scenario.prepare(|lambda| lambda.timeout = seconds(60));
    scenario.max_pause = seconds(720);
}

fn killed_in_trouble(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(120 + random.below(120), fragment_ms(random));
    short(&mut scenario);
    let (lost, silent) = (random.below(300), random.below(60));
    scenario.prepare(move |lambda| {
        lambda.world.state().table.fault_rates =
            FaultRates { refused: 50, answer_lost: lost, unanswered: silent }
    });
    for _ in 0..1 + random.below(3) {
        let at = seconds(45 + 46 * random.below(3)) + Duration::from_millis(random.below(4_000));
        let newest = random.below(2) == 0;
        scenario
            .at(at, move |lambda| if newest { lambda.kill_newest() } else { lambda.kill_all() });
    }
    let when = scenario.random_time(random);
    let away = seconds(20 + random.below(200));
    scenario.at(when, |lambda| lambda.world.state().processor.fault_rates = FaultRates::DOWN);
    scenario.at(when + away, |lambda| {
        lambda.world.state().processor.fault_rates =
            FaultRates { refused: 100, answer_lost: 200, unanswered: 0 }
    });
    scenario
}

fn ended_with_open_breaker(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(40 + random.below(60), fragment_ms(random));
    short(&mut scenario);
    let before = seconds(1 + random.below(20));
    scenario.at(scenario.end - before, |lambda| {
        lambda.world.state().processor.fault_rates = FaultRates::DOWN
    });
    scenario.at(scenario.end + seconds(random.below(400)), |lambda| {
        lambda.world.state().processor.fault_rates = FaultRates::UP
    });
    if random.below(2) == 0 {
        let at = scenario.end + Duration::from_millis(random.below(60_000));
        scenario.at(at, |lambda| lambda.kill_all());
    }
    scenario
}

fn away_in_the_drain(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    short(&mut scenario);
    let at = scenario.end - seconds(3) + Duration::from_millis(random.below(8_000));
    scenario.at(at, |lambda| lambda.world.state().table.fault_rates = FaultRates::DOWN);
    scenario.at(at + seconds(5 + random.below(40)), |lambda| {
        lambda.world.state().table.fault_rates =
            FaultRates { refused: 100, answer_lost: 200, unanswered: 20 }
    });
    for _ in 0..random.below(3) {
        let at = scenario.end + Duration::from_millis(random.below(20_000));
        scenario.at(at, |lambda| lambda.invoke(Call::Stop));
    }
    scenario
}
