//! What GetMedia may do, and what is made of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod world;

use std::time::Duration;

use relay::Outcome;
use relay::ports::OpenError;
use world::{LONG, Side, World, config, order, speech};

#[tokio::test(start_paused = true)]
async fn cuts_anywhere_and_refusals_change_no_sample() {
    let (packets, expected) = speech(12);
    for seed in 0..30 {
        let mut random = testkit::pcm::Random::new(seed);
        let world = World::stored(&packets, 1_000);
        world.stop();
        {
            let mut state = world.state();
            state.cuts = (0..12).map(|_| usize::try_from(random.below(9_000)).unwrap()).collect();
            state.open_errors = [
                OpenError::Throttled("ClientLimitExceededException".into()),
                OpenError::Refused("NotAuthorizedException".into()),
            ]
            .into();
        }
        let report = relay::start(&Side(world.clone()), &config(), order("a", LONG)).await.unwrap();
        assert_eq!(report.outcome, Outcome::Ended);
        assert_eq!(world.state().accepted, expected, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_of_minutes_ends_nothing_and_calls_stay_few() {
    let (packets, expected) = speech(8);
    let start = i64::try_from(world::EPOCH_MS).unwrap();
    let fragments = testkit::getmedia::fragments(&packets, 200, 1_000, start);
    let world = World::with(fragments, |_| Duration::from_secs(180));
    let side = Side(world.clone());
    let stop = async {
        tokio::time::sleep(Duration::from_secs(181)).await;
        world.stop();
    };
    let config = config();
    let (report, ()) = tokio::join!(relay::start(&side, &config, order("a", LONG)), stop);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.accepted, expected);
    assert!(state.opens.len() < 80, "{} calls in three minutes", state.opens.len());
}

#[tokio::test(start_paused = true)]
async fn a_lost_end_is_found_within_seven_seconds() {
    let (packets, expected) = speech(6);
    let world = World::live(&packets, 1_000);
    let side = Side(world.clone());
    let over = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        world.state().over = true;
    };
    let config = config();
    let (report, ()) = tokio::join!(relay::start(&side, &config, order("a", LONG)), over);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    assert_eq!(world.state().accepted, expected);
    assert!(world.elapsed() < Duration::from_secs(30 + 7 + 5), "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_kvs_no_longer_has_is_a_counted_hole() {
    let (packets, expected) = speech(20);
    let world = World::stored(&packets, 1_000);
    let side = Side(world.clone());
    let config = config();
    {
        // A first run settles six seconds, dies, and KVS forgets ten.
        let mut state = world.state();
        state.fragments.truncate(6);
    }
    tokio::select! {
        _ = relay::start(&side, &config, order("a", LONG)) => panic!("it was not stopped"),
        () = tokio::time::sleep(Duration::from_secs(10)) => {}
    }
    let settled = world.state().next;
    assert!(settled > 80_000, "{settled}");
    let all = World::stored(&packets, 1_000).state().fragments.clone();
    {
        let mut state = world.state();
        state.fragments = all;
        state.oldest = 10;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    world.stop();
    let report = relay::start(&side, &config, order("b", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.accepted.len(), expected.len());
    assert_eq!(state.gaps.len(), 1);
    let (at, length) = state.gaps[0];
    assert_eq!((at, (at + length).div_ceil(16_000)), (settled, 10));
    let counted: u64 = state.snapshots.iter().map(|snapshot| snapshot.unavailable).sum();
    assert_eq!(counted, length);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_ends_what_is_to_stop() {
    let world = World::stored(&[], 1_000);
    world.state().gone = true;
    let side = Side(world.clone());
    let report = relay::stop(&side, &config(), order("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    assert!(world.elapsed() < Duration::from_secs(5));
}
