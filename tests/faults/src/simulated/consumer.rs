//! Consumer faults: crashes, suspension, failing hand-offs, and clock skew.

use std::time::Duration;

use simulator::FaultRates;
use simulator::lambda::Call;
use testkit::pcm::Random;

use super::{SimulatedFault, seconds};
use crate::scenario::Scenario;

/// Lambda retries a failed event after a minute; the killed holder's lease has expired by then.
const RETRY: Duration = seconds(75);
/// Recovery time by the health check alone.
const HEALTH_CHECK: Duration = seconds(360);
/// A function timeout that causes many hand-offs in a short session.
const SHORT: Duration = seconds(60);

pub(super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "consumer killed", scenario: killed },
    SimulatedFault { name: "consumer killed again and again", scenario: killed_again },
    SimulatedFault { name: "consumer killed, every retry lost", scenario: killed_for_good },
    SimulatedFault { name: "consumer crashes at its start", scenario: fails_at_start },
    SimulatedFault { name: "Lambda timeout earlier than announced", scenario: timed_out },
    SimulatedFault { name: "20 hand-offs", scenario: twenty_hand_offs },
    SimulatedFault { name: "hand-offs between two builds", scenario: two_builds },
    SimulatedFault { name: "hand-off throttled", scenario: hand_off_throttled },
    SimulatedFault { name: "hand-off accepted and lost", scenario: hand_off_lost },
    SimulatedFault { name: "hand-off refused until the end", scenario: hand_off_refused },
    SimulatedFault { name: "hand-off announced twice", scenario: hand_off_doubled },
    SimulatedFault { name: "successor crashes", scenario: successor_crashes },
    SimulatedFault { name: "zombie wakes after its lease was taken", scenario: zombie },
    SimulatedFault { name: "clocks 5 s apart, killed", scenario: clocks_apart },
    SimulatedFault { name: "clocks 5 s apart, hand-offs", scenario: clocks_apart_hand_offs },
];

/// Returns a session long enough that only the retry or the health check can resume it.
fn long(random: &mut Random, seconds: u64) -> Scenario {
    Scenario::of(seconds + random.below(60), 2_000)
}

fn killed(random: &mut Random) -> Scenario {
    let mut scenario = long(random, 100);
    let when = scenario.random_time(random);
    scenario.at(when, |lambda| lambda.kill_all());
    scenario.max_pause = RETRY;
    scenario
}

fn killed_again(random: &mut Random) -> Scenario {
    let mut scenario = long(random, 300);
    for _ in 0..2 + random.below(3) {
        let when = scenario.random_time(random);
        scenario.at(when, |lambda| lambda.kill_all());
    }
    scenario.max_pause = HEALTH_CHECK;
    scenario
}

fn killed_for_good(random: &mut Random) -> Scenario {
    let mut scenario = long(random, 400);
    let when = scenario.random_time(random);
    scenario.at(when, |lambda| lambda.kill_all_without_retry());
    scenario.max_pause = HEALTH_CHECK;
    scenario
}

fn fails_at_start(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let attempts = 1 + u32::try_from(random.below(2)).unwrap();
    scenario.prepare(move |lambda| lambda.failing_starts = attempts);
    // Two attempts fail: the third starts three minutes after the event.
    scenario.max_pause = seconds(181);
    scenario
}

fn timed_out(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let timeout = seconds(5 + random.below(20));
    scenario.at(timeout, |lambda| lambda.kill_all());
    scenario.max_pause = RETRY;
    scenario
}

fn short_invocations(seconds: u64, fragment_ms: u32) -> Scenario {
    let mut scenario = Scenario::of(seconds, fragment_ms);
    scenario.prepare(|lambda| lambda.timeout = SHORT);
    // A successor that starts during the drain calls GetMedia once more.
    scenario.extra_drain_time = Duration::from_secs(3);
    scenario
}

fn twenty_hand_offs(_: &mut Random) -> Scenario {
    // Invocations of 60 s start the hand-off after 45 s.
    short_invocations(46 * 21, 2_000)
}

/// Every other invocation runs the previous build, which writes the previous checkpoint version.
fn two_builds(random: &mut Random) -> Scenario {
    let mut scenario = short_invocations(180 + random.below(60), 2_000);
    scenario.prepare(|lambda| lambda.world.state().table.builds_differ = true);
    let when = scenario.random_time(random);
    scenario.at(when, |lambda| lambda.kill_newest());
    scenario.max_pause = RETRY;
    scenario
}

fn hand_off_throttled(random: &mut Random) -> Scenario {
    let mut scenario = short_invocations(60 + random.below(60), 1_000);
    let errors = 1 + random.below(6);
    scenario.prepare(move |lambda| lambda.world.state().failing_self_invokes = errors);
    scenario
}

fn hand_off_lost(random: &mut Random) -> Scenario {
    let mut scenario = short_invocations(60 + random.below(60), 1_000);
    scenario.prepare(|lambda| lambda.world.state().lost_self_invokes = 1);
    scenario.max_pause = seconds(3);
    scenario
}

fn hand_off_refused(random: &mut Random) -> Scenario {
    let mut scenario = short_invocations(90 + random.below(30), 1_000);
    scenario.prepare(|lambda| lambda.world.state().self_invoke_rates = FaultRates::DOWN);
    scenario.at(seconds(65), |lambda| lambda.world.state().self_invoke_rates = FaultRates::UP);
    scenario.max_pause = HEALTH_CHECK;
    scenario
}

fn hand_off_doubled(random: &mut Random) -> Scenario {
    let mut scenario = short_invocations(60 + random.below(60), 1_000);
    let delay = random.below(30_000);
    scenario.at(seconds(40) + Duration::from_millis(delay), |lambda| {
        lambda.invoke(Call::Continue(1));
        lambda.invoke(Call::Continue(1));
    });
    scenario
}

fn successor_crashes(random: &mut Random) -> Scenario {
    let mut scenario = short_invocations(60 + random.below(60), 1_000);
    let delay = random.below(4_000);
    scenario.at(seconds(45) + Duration::from_millis(delay), |lambda| lambda.kill_newest());
    scenario.max_pause = RETRY;
    scenario
}

fn zombie(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let when = scenario.random_time(random);
    let asleep = Duration::from_millis(1_000 + random.below(60_000));
    scenario.at(when, |lambda| lambda.freeze_all(true));
    // A repeated event finds the lease expiring and takes over.
    scenario.at(when + seconds(3), |lambda| lambda.invoke(Call::Start));
    scenario.at(when + asleep, |lambda| lambda.freeze_all(false));
    scenario.max_pause = RETRY;
    scenario
}

fn clocks_apart(random: &mut Random) -> Scenario {
    let mut scenario = killed(random);
    scenario.prepare(|lambda| lambda.skew_ms = 5_000);
    // The stop time was written by another clock.
    scenario.extra_drain_time += seconds(5);
    scenario
}

fn clocks_apart_hand_offs(random: &mut Random) -> Scenario {
    let mut scenario = short_invocations(100 + random.below(60), 2_000);
    scenario.prepare(|lambda| lambda.skew_ms = 5_000);
    // The stop time was written by another clock.
    scenario.extra_drain_time += seconds(5);
    scenario
}
