//! If a run is killed at any call, before or after its effect, the next run loses nothing and
//! repeats nothing.

use std::sync::Arc;
use std::time::Duration;

use relay::Outcome;
use simulator::kvs::Stored;
use simulator::{KillPoint, LONG, World, config, request, speech};
use testkit::getmedia::{self, Fragment, Framing};
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

/// Returns a live world whose producer disconnects inside the fifth of its fragments of a second.
/// It sends that fragment again, or it goes on with the next one.
fn disconnected(packets: &[Vec<u8>], is_sent_again: bool) -> Arc<World> {
    let start = i64::try_from(simulator::EPOCH_MS).unwrap();
    let mut fragments = getmedia::fragments(packets, 200, 1_000, start);
    let half = fragments[4].packets.len() / 2;
    let mut dropped = fragments[4].clone();
    dropped.packets.truncate(half);
    fragments.insert(4, dropped);
    if !is_sent_again {
        fragments.remove(5);
    }
    let mut stored = Vec::new();
    for (index, fragment) in fragments.into_iter().enumerate() {
        let number = Some(getmedia::number(index as u64));
        let end_ms = fragment.cluster_ms.unwrap() + 20 * fragment.packets.len() as i64;
        let at = Duration::from_millis(end_ms.unsigned_abs());
        let fragment = Fragment { number, ..fragment };
        stored.push(Stored::new(at, &Framing::default(), &fragment));
    }
    let dropped = &mut stored[4];
    let tags = dropped.document.windows(4).rposition(|id| id == [0x12, 0x54, 0xC3, 0x67]).unwrap();
    (dropped.document, dropped.bodies) = (dropped.document.slice(..tags), 1);
    World::of(stored, 1)
}

#[tokio::test(start_paused = true)]
async fn a_fragment_that_is_gone_after_it_was_read_in_part() {
    let (packets, expected) = speech(8);
    for is_sent_again in [true, false] {
        let whole = disconnected(&packets, is_sent_again);
        whole.end_session();
        assert_eq!(until_ended(&whole).await, 0);
        let steps = whole.state().steps;
        for step in 1..=steps {
            let world = disconnected(&packets, is_sent_again);
            world.end_session();
            world.kill_at(step, KillPoint::After);
            until_ended(&world).await;
            let case = format!("sent again: {is_sent_again}, killed at step {step}");
            if is_sent_again {
                assert_whole(&world, &expected, &case);
                continue;
            }
            // The rest of its second is filled. The decoder needs a moment after it.
            let accepted = world.state().processor.accepted.clone();
            assert_eq!(accepted.len(), expected.len(), "{case}");
            for kept in [0..4 * 16_000, 5 * 16_000 + 4_800..8 * 16_000 - 200] {
                let quality = decibels(&expected[kept.clone()], &accepted[kept]);
                assert!(quality >= 40.0, "{case}: {quality} dB");
            }
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
