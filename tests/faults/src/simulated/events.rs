//! Event faults: late, repeated, reordered and lost events; a throttled consumer.

use std::time::Duration;

use simulator::lambda::Call;
use testkit::pcm::Random;
use tokio::time::Instant;

use super::{SimulatedFault, seconds};
use crate::scenario::Scenario;

/// Recovery time by the health check alone.
const HEALTH_CHECK: Duration = seconds(360);

pub(super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "ACTIVE ten times at once", scenario: ten_times },
    SimulatedFault { name: "ACTIVE an hour late", scenario: an_hour_late },
    SimulatedFault { name: "ACTIVE never", scenario: never },
    SimulatedFault { name: "ACTIVE after ENDED", scenario: after_ended },
    SimulatedFault { name: "ENDED lost", scenario: ended_lost },
    SimulatedFault { name: "ENDED repeated", scenario: ended_repeated },
    SimulatedFault { name: "ACTIVE and ENDED lost", scenario: both_lost },
    SimulatedFault { name: "archived events replayed", scenario: replayed },
    SimulatedFault { name: "consumer throttled at its concurrency limit", scenario: throttled },
    SimulatedFault { name: "consumer throttled at ENDED", scenario: throttled_at_the_end },
];

fn ten_times(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    scenario.active = (0..10).map(|_| Duration::from_millis(random.below(200))).collect();
    scenario
}

fn an_hour_late(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    scenario.active = vec![seconds(3_600)];
    scenario.max_pause = scenario.end + seconds(5);
    scenario
}

fn never(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(400, 5_000);
    scenario.end += seconds(random.below(10));
    scenario.ended = vec![scenario.end];
    scenario.active.clear();
    scenario.max_pause = HEALTH_CHECK;
    scenario
}

fn after_ended(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    scenario.active = vec![scenario.end + Duration::from_millis(random.below(60_000))];
    scenario.max_pause = scenario.end + seconds(5);
    scenario
}

fn ended_lost(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    scenario.ended.clear();
    scenario
}

fn ended_repeated(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let again = |random: &mut Random| Duration::from_millis(random.below(90_000));
    scenario.ended = (0..5).map(|_| scenario.end + again(random)).collect();
    scenario
}

fn both_lost(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    scenario.active.clear();
    scenario.ended.clear();
    scenario.max_pause = HEALTH_CHECK;
    scenario
}

fn replayed(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    for _ in 0..4 {
        let when = scenario.random_time(random);
        scenario.at(when, |lambda| lambda.invoke(Call::Start));
    }
    let after = scenario.end + seconds(60 + random.below(600));
    scenario.at(after, |lambda| {
        lambda.invoke(Call::Start);
        lambda.invoke(Call::Stop);
    });
    scenario
}

fn throttle(scenario: &mut Scenario, when: Duration, time: Duration) {
    scenario.at(when, move |lambda| lambda.throttled_until = Some(Instant::now() + time));
    // Lambda retries after 1, 2, 4 … s: the last delay is as long as all delays before it.
    scenario.max_pause = 2 * time + seconds(5);
}

fn throttled(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(60 + random.below(60), 1_000);
    scenario.prepare(|lambda| lambda.timeout = seconds(60));
    let (when, time) = (seconds(random.below(60)), seconds(1 + random.below(120)));
    throttle(&mut scenario, when, time);
    scenario
}

fn throttled_at_the_end(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let (when, time) = (scenario.end - seconds(1), seconds(1 + random.below(600)));
    throttle(&mut scenario, when, time);
    scenario
}
