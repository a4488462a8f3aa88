//! A session that is over always ends, whatever prevents its delivery.

use std::time::Duration;

use relay::{Checkpoint, Config, Outcome};
use session::ErrorKind;
use simulator::kvs::open_error;
use simulator::processor::Script;
use simulator::{LONG, World, config, request, speech};

const RETENTION: Duration = Duration::from_secs(600);

fn short_retention() -> Config {
    Config { retention: RETENTION, ..config() }
}

fn checkpoint(world: &World) -> Checkpoint {
    Checkpoint::from_json(world.item().checkpoint.as_deref().unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_never_comes_back_is_given_up_when_kvs_has_nothing_left() {
    let (packets, expected) = speech(10);
    let world = World::stored(&packets, 1_000);
    world.stop();
    // The processor accepts the first chunk and nothing after it.
    world.state().processor.refuse_after = Some(8_000);
    let config = short_retention();
    let report = world.host().relay(&config).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::GivenUp);
    assert!(world.item().ended);
    assert!(world.elapsed() >= RETENTION, "the audio could still be had: {:?}", world.elapsed());
    assert!(world.elapsed() < RETENTION + Duration::from_secs(10), "{:?}", world.elapsed());
    let checkpoint = checkpoint(&world);
    assert_eq!(checkpoint.next + checkpoint.totals.unavailable, expected.len() as u64);
    // The audio was an hour old when it was read, beyond half of the ten minutes of retention:
    // every report contains the risk.
    let risks: Vec<_> = world
        .state()
        .snapshots
        .iter()
        .filter_map(|snapshot| snapshot.retention_risk_millis)
        .collect();
    assert!(risks.len() >= 9 && risks.iter().all(|left| *left == 0), "{risks:?}");
    // A later start finds the session ended.
    let again = world.host().relay(&config).start(request("b", LONG)).await.unwrap();
    assert_eq!(again.outcome, Outcome::Ended);
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_links_does_not_outlive_retention() {
    let world = World::stored(&speech(4).0, 1_000);
    world.stop();
    world.state().processor.refuse_after = Some(0);
    let config = short_retention();
    let mut links = 0;
    let outcome = loop {
        let run = request(&format!("link-{links}"), Duration::from_secs(100));
        let report = world.host().relay(&config).start(run).await.unwrap();
        links += 1;
        if report.outcome != Outcome::HandedOff {
            break report.outcome;
        }
    };
    assert_eq!(outcome, Outcome::GivenUp);
    assert!((5..9).contains(&links), "{links} links of 100 s over 600 s");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_cannot_be_opened_is_given_up_too() {
    let world = World::stored(&speech(4).0, 1_000);
    world.stop();
    let denied = || open_error(ErrorKind::Denied, "AccessDenied");
    world.state().kvs.open_errors = std::iter::repeat_with(denied).take(10_000).collect();
    let config = short_retention();
    let report = world.host().relay(&config).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::GivenUp);
    assert!(world.item().ended);
    // Nothing was read, so the amount of lost audio is unknown.
    assert_eq!(checkpoint(&world).totals.unavailable, 0);
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_never_stops_does_not_keep_the_session() {
    let (packets, expected) = speech(200);
    let world = World::live(&packets, 1_000);
    let side = world.host();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        world.stop();
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), stop);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    let ended = world.elapsed();
    let late = Duration::from_secs(10) + Duration::from_millis(config.late_ms);
    assert!(ended > late && ended < late + Duration::from_secs(10), "{ended:?}");
    // Everything up to the stop, and what arrived within a minute after it.
    let accepted = &world.state().processor.accepted;
    assert!(accepted.len() > 70 * 16_000, "{}", accepted.len());
    assert_eq!(accepted[..], expected[..accepted.len()]);
}

#[tokio::test(start_paused = true)]
async fn audio_that_waits_in_the_connection_at_the_stop_is_delivered() {
    let (packets, expected) = speech(150);
    let world = World::live(&packets, 2_000);
    let mut config = config();
    // The reader is minutes behind what KVS has sent.
    world.state().processor.takes = 2 * Duration::from_millis(config.chunk_ms);
    config.batch_ms = config.chunk_ms;
    let stop = async {
        tokio::time::sleep(Duration::from_secs(150)).await;
        world.stop();
    };
    let side = world.host();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), stop);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    assert_eq!(world.state().processor.accepted, expected);
    assert!(world.elapsed() > Duration::from_secs(290), "{:?}", world.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_loses_its_watermark_repeatedly_causes_few_calls() {
    let (packets, expected) = speech(20);
    let world = World::stored(&packets, 1_000);
    world.stop();
    world.state().processor.scripts = std::iter::repeat_n(Script::Forget, 24).collect();
    let config = config();
    let report = world.host().relay(&config).start(request("a", LONG)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Ended);
    let (opens, elapsed) = (world.state().kvs.opens.len() as u64, world.elapsed());
    assert_eq!(world.state().processor.accepted, expected);
    assert!(opens > 5, "{opens}");
    // KVS allows five calls a second; repeated rewinds must cause far fewer.
    assert!(opens < elapsed.as_secs(), "{opens} calls in {elapsed:?}");
    let opened: u64 = world.state().snapshots.iter().map(|s| s.observed.circuit_opened).sum();
    assert!(opened > 0, "the breaker did not open");
}

#[tokio::test(start_paused = true)]
async fn a_first_fragment_that_cannot_be_read_to_its_end_is_announced_too() {
    let (packets, _) = speech(20);
    let world = World::stored(&packets, 20_000);
    world.stop();
    world.state().processor.refuse_after = Some(0);
    let config = short_retention();
    world.host().relay(&config).start(request("a", LONG)).await.unwrap();
    let risks = world.state().snapshots.iter().filter_map(|s| s.retention_risk_millis).count();
    assert!(risks >= 4, "{risks}");
}

#[tokio::test(start_paused = true)]
async fn audio_near_the_end_of_its_retention_is_reported_every_minute() {
    let (packets, _) = speech(4);
    let world = World::live(&packets, 1_000);
    world.stop();
    world.state().processor.refuse_after = Some(8_000);
    let config = short_retention();
    world.host().relay(&config).start(request("a", LONG)).await.unwrap();
    let state = world.state();
    let risks: Vec<_> = state.snapshots.iter().map(|s| s.retention_risk_millis).collect();
    // No risk while half of the ten minutes is left; then the time left shrinks every minute.
    assert_eq!(risks[..4], [None; 4]);
    let left: Vec<u64> = risks.into_iter().flatten().collect();
    assert!(left.len() >= 4, "{left:?}");
    assert!(left.windows(2).all(|pair| pair[0] > pair[1]), "{left:?}");
    assert!(left[0] < 300_000 && left[0] > 200_000, "{left:?}");
}
