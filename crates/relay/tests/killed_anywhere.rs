//! If a run is killed at any call, before or after its effect, the next run loses nothing and
//! repeats nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use relay::Outcome;
use simulator::{KillPoint, LONG, World, config, request, speech};
use testkit::snr::decibels;

/// Runs until the session ends, restarting after each kill as Lambda's retry would.
async fn until_ended(world: &Arc<World>) -> usize {
    let config = config();
    for attempt in 0..50 {
        let (side, name) = (world.host(), format!("run-{attempt}"));
        let report = tokio::select! {
            report = side.relay(&config).start(request(&name, LONG)) => Some(report.unwrap()),
            () = side.killed() => None,
        };
        match report {
            Some(report) if report.outcome == Outcome::Ended => return attempt,
            // The dead run's lease was renewed a moment ago: retry later, as Lambda does.
            _ => tokio::time::sleep(Duration::from_secs(20)).await,
        }
    }
    panic!("the session never ended");
}

fn assert_whole(world: &World, expected: &[i16], case: &str) {
    let state = world.state();
    assert_eq!(state.processor.accepted.len(), expected.len(), "{case}: samples lost or made up");
    assert_eq!(state.processor.gaps, [], "{case}: something was skipped");
    let quality = decibels(expected, &state.processor.accepted);
    assert!(quality >= 40.0, "{case}: {quality} dB");
    assert!(state.table.item.as_ref().unwrap().ended, "{case}");
}

#[tokio::test(start_paused = true)]
async fn one_kill_at_every_step_of_a_session() {
    let (packets, expected) = speech(8);
    let whole = World::live(&packets, 1_000);
    whole.end_session();
    assert_eq!(until_ended(&whole).await, 0);
    assert_whole(&whole, &expected, "no kill");
    let steps = whole.state().steps;
    assert!(steps > 30, "only {steps} steps");
    for step in 1..=steps {
        for fault in [KillPoint::Before, KillPoint::After] {
            let world = World::live(&packets, 1_000);
            world.end_session();
            world.kill_at(step, fault);
            until_ended(&world).await;
            assert_whole(&world, &expected, &format!("{fault:?} at step {step}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn killed_again_and_again() {
    let (packets, expected) = speech(20);
    for seed in 0..20_u64 {
        let mut random = testkit::pcm::Random::new(seed);
        let world = World::live(&packets, 2_000);
        world.end_session();
        let config = config();
        for attempt in 0..6 {
            let side = world.host();
            world.kill_at(1 + random.below(60), KillPoint::After);
            let name = format!("run-{attempt}");
            tokio::select! {
                report = side.relay(&config).start(request(&name, LONG)) => {
                    if report.unwrap().outcome == Outcome::Ended {
                        break;
                    }
                }
                () = side.killed() => {}
            }
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        world.state().kill = None;
        until_ended(&world).await;
        assert_whole(&world, &expected, &format!("seed {seed}"));
    }
}
