//! How the relay handles the processor's responses.

use std::sync::Arc;
use std::time::Duration;

use relay::Outcome;
use simulator::processor::Script;
use simulator::{LONG, World, config, request, speech};

/// Runs a stored session with the given fault to its end.
async fn session(seconds: usize, trouble: impl FnOnce(&World)) -> (Arc<World>, Vec<i16>) {
    let (packets, expected) = speech(seconds);
    let world = World::stored(&packets, 1_000);
    world.stop();
    trouble(&world);
    let report = world.host().relay(&config()).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    (world, expected)
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_in_order() {
    let (world, expected) = session(10, |world| {
        world.state().processor.scripts = [Script::Fail, Script::Fail, Script::TakeAndFail].into();
    })
    .await;
    assert_eq!(world.state().processor.accepted, expected);
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_never_answers_is_given_up_and_asked_again() {
    let (world, expected) =
        session(4, |world| world.state().processor.scripts = [Script::Hang].into()).await;
    assert_eq!(world.state().processor.accepted, expected);
    assert!(world.elapsed() > Duration::from_secs(62));
}

#[tokio::test(start_paused = true)]
async fn a_processor_down_for_minutes_opens_the_breaker_and_loses_nothing() {
    let (world, expected) = session(20, |world| {
        world.state().processor.scripts = std::iter::repeat_n(Script::Fail, 20).collect();
    })
    .await;
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    assert!(state.snapshots.iter().map(|s| s.observed.circuit_opened).sum::<u64>() > 0);
}

#[tokio::test(start_paused = true)]
async fn audio_that_waits_for_a_processor_that_is_down_is_late_before_it_is_delivered() {
    let (world, expected) = session(60, |world| {
        world.state().processor.scripts = std::iter::repeat_n(Script::Hang, 4).collect();
    })
    .await;
    let state = world.state();
    assert!(state.processor.accepted == expected, "the samples differ");
    let before = state.snapshots.iter().take_while(|snapshot| snapshot.totals.delivered == 0);
    let lags: Vec<_> = before.filter_map(|snapshot| snapshot.observed.lag_millis).collect();
    assert!(lags.iter().any(|lag| *lag > 180_000), "{lags:?}");
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_lost_its_position_gets_everything_again() {
    let (world, expected) = session(30, |world| {
        let mut state = world.state();
        for _ in 0..4 {
            let take = Script::TakeAndFail;
            state.processor.scripts.push_back(take);
        }
        state.processor.scripts.push_back(Script::Forget);
    })
    .await;
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    assert!(state.kvs.opens.len() > 1, "the start had left memory: it was read again");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_chunk_is_dead_lettered_and_delivery_continues() {
    let invalid = 100_000;
    let (world, expected) =
        session(12, |world| world.state().processor.refuse_sample = Some(invalid)).await;
    let state = world.state();
    let letters: Vec<_> = state.letters.iter().map(|l| (l.start_sample, l.sample_count)).collect();
    assert_eq!(letters, [(96_000, 8_000)], "one chunk, not its whole batch");
    assert_eq!(state.processor.gaps, [(96_000, 8_000)]);
    assert_eq!(state.processor.accepted.len(), expected.len());
    assert_eq!(state.processor.accepted[..96_000], expected[..96_000]);
    assert_eq!(state.processor.accepted[104_000..], expected[104_000..]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_processor_holds_back_the_reading() {
    let (packets, expected) = speech(60);
    let world = World::stored(&packets, 1_000);
    world.stop();
    world.state().processor.takes = Duration::from_secs(8);
    let mut config = config();
    config.buffer_ms = 4_000;
    let side = world.host();
    let report = side.relay(&config).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    assert_eq!(world.state().processor.accepted, expected);
}
