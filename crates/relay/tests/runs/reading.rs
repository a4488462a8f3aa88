//! How the relay handles the behaviour of GetMedia.

use std::time::Duration;

use relay::Outcome;
use session::ErrorKind;
use simulator::kvs::{Break, How, open_error};
use simulator::{LONG, World, config, request, speech};

#[tokio::test(start_paused = true)]
async fn cuts_anywhere_and_refusals_change_no_sample() {
    let (packets, expected) = speech(12);
    for seed in 0..30 {
        let mut random = testkit::pcm::Random::new(seed);
        let world = World::stored(&packets, 1_000);
        world.stop();
        {
            let mut state = world.state();
            let mut cut = || Break::cut(usize::try_from(random.below(9_000)).unwrap());
            state.kvs.breaks = std::iter::repeat_with(&mut cut).take(12).collect();
            state.kvs.open_errors = [
                open_error(ErrorKind::Throttled, "ClientLimitExceededException"),
                open_error(ErrorKind::Denied, "NotAuthorizedException"),
            ]
            .into();
        }
        let report = world.host().relay(&config()).start(request("a", LONG)).await.unwrap();
        assert_eq!(report.outcome, Outcome::Ended);
        assert_eq!(world.state().processor.accepted, expected, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_brought_audio_before_it_broke_is_reopened_soon() {
    let (packets, expected) = speech(60);
    let world = World::stored(&packets, 1_000);
    world.stop();
    // Each connection brings two new fragments.
    world.state().kvs.breaks = [Break::cut(12_000); 20].into();
    let report = world.host().relay(&config()).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.kvs.breaks.len(), 0);
    assert!(state.processor.accepted == expected, "the samples differ");
    drop(state);
    assert!(world.elapsed() < Duration::from_secs(30), "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_lag_of_a_backlog_that_is_read_at_once_is_reported() {
    let (packets, expected) = speech(150);
    let world = World::live(&packets, 1_000);
    world.state().kvs.breaks = [Break::cut(60_000)].into();
    let refused = || open_error(ErrorKind::Throttled, "ClientLimitExceededException");
    world.state().kvs.open_errors = std::iter::repeat_with(refused).take(8).collect();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(151)).await;
        world.stop();
    };
    let (side, config) = (world.host(), config());
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), stop);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    let state = world.state();
    assert!(state.processor.accepted == expected, "the samples differ");
    let lags: Vec<_> =
        state.snapshots.iter().filter_map(|snapshot| snapshot.observed.lag_millis).collect();
    assert!(lags.iter().any(|lag| *lag > 30_000), "{lags:?}");
    assert!(lags.last().unwrap() < &3_000, "{lags:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_of_minutes_ends_nothing_and_calls_stay_few() {
    let (packets, expected) = speech(8);
    let start = i64::try_from(simulator::EPOCH_MS).unwrap();
    let fragments = testkit::getmedia::fragments(&packets, 200, 1_000, start);
    let world = World::with(fragments, |_| Duration::from_secs(180));
    let side = world.host();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(181)).await;
        world.stop();
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), stop);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    assert!(state.kvs.opens.len() < 80, "{} calls in three minutes", state.kvs.opens.len());
}

#[tokio::test(start_paused = true)]
async fn a_lost_end_is_found_within_seven_seconds() {
    let (packets, expected) = speech(6);
    let world = World::live(&packets, 1_000);
    let side = world.host();
    let over = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        world.end_session();
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), over);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    assert_eq!(world.state().processor.accepted, expected);
    assert!(world.elapsed() < Duration::from_secs(30 + 7 + 5), "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_kvs_no_longer_has_is_a_counted_hole() {
    let (packets, expected) = speech(20);
    let world = World::stored(&packets, 1_000);
    let side = world.host();
    let config = config();
    {
        // A first run settles six seconds, stores that in its checkpoint with a renewal and is
        // dropped; then KVS deletes ten.
        let mut state = world.state();
        state.kvs.fragments.truncate(6);
    }
    tokio::select! {
        _ = side.relay(&config).start(request("a", LONG)) => panic!("it was not stopped"),
        () = tokio::time::sleep(Duration::from_secs(14)) => {}
    }
    let settled = world.state().processor.next;
    assert!(settled > 80_000, "{settled}");
    let all = World::stored(&packets, 1_000).state().kvs.fragments.clone();
    {
        let mut state = world.state();
        state.kvs.fragments = all;
        state.kvs.oldest = 10;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    world.stop();
    let report = side.relay(&config).start(request("b", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted.len(), expected.len());
    assert_eq!(state.processor.gaps.len(), 1);
    let (at, length) = state.processor.gaps[0];
    assert_eq!((at, (at + length).div_ceil(16_000)), (settled, 10));
    let counted: u64 = state.snapshots.iter().map(|snapshot| snapshot.totals.unavailable).sum();
    assert_eq!(counted, length);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_ends_what_is_to_stop() {
    let world = World::stored(&[], 1_000);
    world.state().kvs.deleted = true;
    let side = world.host();
    let report = side.relay(&config()).stop(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    assert!(world.elapsed() < Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stands_still_is_no_end() {
    let (packets, expected) = speech(20);
    let world = World::stored(&packets, 1_000);
    world.stop();
    // Two consecutive connections stall in the middle of the speech for longer than any drain.
    let still = Break { after: 30_000, how: How::Stall(Duration::from_secs(60)) };
    world.state().kvs.breaks = [still, Break { after: 20_000, ..still }].into();
    let report = world.host().relay(&config()).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    assert_eq!(world.state().processor.accepted, expected);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_never_become_a_fragment_are_given_up_and_lose_nothing() {
    let (packets, expected) = speech(20);
    for trickle in [Duration::from_millis(20), Duration::from_secs(1), Duration::from_secs(10)] {
        let world = World::stored(&packets, 1_000);
        world.stop();
        // Two consecutive connections send endless filler in the middle of the speech.
        let filler = Break { after: 30_000, how: How::Void(trickle) };
        world.state().kvs.breaks = [filler, Break { after: 20_000, ..filler }].into();
        let config = config();
        let report = world.host().relay(&config).start(request("a", LONG)).await.unwrap();
        assert_eq!(report.outcome, Outcome::Ended);
        assert_eq!(world.state().processor.accepted, expected);
        let least = 2 * config.no_progress;
        let most = least + Duration::from_secs(40);
        assert!((least..most).contains(&world.elapsed()), "{trickle:?} {:?}", world.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_although_every_connection_sends_filler_for_ever() {
    let (packets, expected) = speech(10);
    let world = World::stored(&packets, 1_000);
    world.stop();
    let filler = Break { after: usize::MAX, how: How::Void(Duration::from_secs(1)) };
    world.state().kvs.breaks = std::iter::repeat_n(filler, 100).collect();
    let config = config();
    let report = world.host().relay(&config).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    assert_eq!(world.state().processor.accepted, expected);
    // The connection that delivered the speech, and the five consecutive ones that end the drain.
    let most = 6 * config.no_progress + Duration::from_secs(10);
    assert!(world.elapsed() < most, "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_document_that_came_damaged_is_read_once_more() {
    let (packets, expected) = speech(20);
    let world = World::stored(&packets, 1_000);
    world.stop();
    let damage = Break { after: 30_000, how: How::DamagedHeader };
    world.state().kvs.breaks = [damage].into();
    let report = world.host().relay(&config()).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    assert!(state.kvs.opens.len() > 1, "it was not read again");
}

#[tokio::test(start_paused = true)]
async fn damage_that_kvs_itself_stores_is_passed_over() {
    let (packets, expected) = speech(20);
    let world = World::stored(&packets, 1_000);
    world.stop();
    {
        let broken = &mut world.state().kvs.fragments[7].document;
        let mut bytes = broken.to_vec();
        bytes[..4].fill(0);
        *broken = bytes.into();
    }
    let report = world.host().relay(&config()).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted.len(), expected.len(), "its second is filled");
    assert_eq!(state.processor.accepted[..7 * 16_000 - 104], expected[..7 * 16_000 - 104]);
    assert!(state.kvs.opens.len() < 8, "{} calls", state.kvs.opens.len());
}

#[tokio::test(start_paused = true)]
async fn the_fragment_after_one_that_kvs_stores_without_its_end_is_read_whole() {
    let (packets, expected) = speech(20);
    let world = World::stored(&packets, 1_000);
    world.stop();
    {
        let cut = &mut world.state().kvs.fragments[7].document;
        *cut = cut.slice(..cut.len() / 2);
    }
    let report = world.host().relay(&config()).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted.len(), expected.len(), "the rest of its second is filled");
    // The decoder needs a moment after the audio that it concealed.
    let next = 8 * 16_000 + 4_800..9 * 16_000;
    let found = &state.processor.accepted[next.clone()];
    let decibels = testkit::snr::decibels(&expected[next], found);
    assert!(decibels >= 40.0, "{decibels} dB");
    assert!(state.kvs.opens.len() < 12, "{} calls", state.kvs.opens.len());
}

#[tokio::test(start_paused = true)]
async fn a_last_fragment_that_kvs_stores_without_its_end_does_not_keep_the_session_open() {
    for incomplete in [18, 19] {
        let (packets, expected) = speech(20);
        let world = World::stored(&packets, 1_000);
        world.stop();
        {
            let cut = &mut world.state().kvs.fragments[incomplete].document;
            *cut = cut.slice(..cut.len() / 2);
        }
        let report = world.host().relay(&config()).start(request("a", LONG)).await.unwrap();
        assert_eq!(report.outcome, Outcome::Ended, "{incomplete}");
        assert!(world.elapsed() < Duration::from_secs(60), "{incomplete}: {:?}", world.elapsed());
        let accepted = world.state().processor.accepted.len();
        assert!(accepted > 18 * 16_000 && accepted <= expected.len(), "{incomplete}: {accepted}");
    }
}
