//! Which run may deliver.

use std::time::Duration;

use relay::{Outcome, RelayError};
use simulator::lease_contract::{self, Case};
use simulator::{FaultRates, LONG, World, config, request, speech};

#[tokio::test(start_paused = true)]
async fn ten_starts_at_once_make_one_run() {
    let (packets, expected) = speech(10);
    let world = World::live(&packets, 1_000);
    let mut runs = tokio::task::JoinSet::new();
    for run in 0..10 {
        let side = world.host();
        runs.spawn(async move {
            let begun = tokio::time::Instant::now();
            let request = request(&run.to_string(), LONG);
            let report = side.relay(&config()).start(request).await.unwrap();
            (report.outcome, begun.elapsed())
        });
    }
    tokio::time::sleep(Duration::from_secs(11)).await;
    world.stop();
    let reports = runs.join_all().await;
    assert_eq!(reports.iter().filter(|(outcome, _)| *outcome == Outcome::Ended).count(), 1);
    for (outcome, took) in reports {
        assert!(outcome == Outcome::Ended || took < config().lease / 2, "{took:?}");
    }
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    assert_eq!(state.table.item.as_ref().unwrap().epoch, 1);
}

/// Returns the longest time without a delivery in a session of 90 s whose table is unavailable for
/// `outage`, from its 10th second on.
async fn longest_pause(outage: Duration) -> Duration {
    let (packets, expected) = speech(90);
    let world = World::live(&packets, 1_000);
    let side = world.host();
    let faults = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        world.state().table.fault_rates = FaultRates::DOWN;
        tokio::time::sleep(outage).await;
        world.state().table.fault_rates = FaultRates::UP;
        tokio::time::sleep(Duration::from_secs(85).saturating_sub(outage)).await;
        world.stop();
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request("a", LONG)), faults);
    assert_eq!(report.unwrap().outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted, expected);
    // Without the last payload, which waits for the stop.
    let times = state.processor.deliveries.iter().map(|delivery| delivery.0);
    let times: Vec<_> = times.take(state.processor.deliveries.len() - 1).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_renew_stops_delivering_before_another_may_take_over() {
    let pause = longest_pause(Duration::from_secs(60)).await;
    assert!(pause > Duration::from_secs(60) - config().lease_guard(), "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_table_that_is_shorter_than_a_renewal_interval_delays_nothing() {
    let pause = longest_pause(config().lease_guard() / 2).await;
    assert!(pause < Duration::from_secs(2), "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn a_zombie_that_wakes_is_refused_and_stops() {
    let (packets, expected) = speech(20);
    let world = World::live(&packets, 1_000);
    let side = world.host();
    let takeover = async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        // The holder loses the lease without noticing: another epoch delivers.
        {
            let mut state = world.state();
            let item = state.table.item.as_mut().unwrap();
            item.owner = None;
        }
        let config = config();
        let report = side.relay(&config).start(request("b", LONG));
        let stop = async {
            tokio::time::sleep(Duration::from_secs(14)).await;
            world.stop();
        };
        tokio::join!(report, stop).0.unwrap()
    };
    let config = config();
    let zombie = side.relay(&config).start(request("a", LONG));
    let (zombie, report) = tokio::join!(zombie, takeover);
    assert_eq!(zombie.unwrap().outcome, Outcome::Superseded);
    assert_eq!(report.outcome, Outcome::Ended);
    let state = world.state();
    assert_eq!(state.processor.accepted.len(), expected.len());
}

#[tokio::test(start_paused = true)]
async fn a_start_after_the_end_starts_nothing() {
    let (packets, _) = speech(3);
    let world = World::stored(&packets, 1_000);
    let (side, config) = (world.host(), config());
    let first = side.relay(&config).stop(request("a", LONG)).await.unwrap();
    assert_eq!(first.outcome, Outcome::Ended, "an end that comes first drains by itself");
    let offered = world.state().processor.payloads.len();
    let again = side.relay(&config).start(request("b", LONG)).await.unwrap();
    assert_eq!((again.outcome, again.delivered_samples), (Outcome::Ended, 0));
    assert_eq!(world.state().processor.payloads.len(), offered);
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_stream_is_a_typed_error_and_remembers_its_stop() {
    let world = World::stored(&[], 1_000);
    let (side, config) = (world.host(), config());
    let mut request = request("a", LONG);
    request.stream_arn = None;
    let error = side.relay(&config).stop(request).await.unwrap_err();
    assert!(matches!(error, RelayError::StreamUnknown { .. }));
    let item = world.item();
    assert_eq!((item.desired, item.owner), (session::Desired::Stop, None));
}

#[tokio::test(start_paused = true)]
async fn a_build_that_cannot_read_the_checkpoint_leaves_the_lease_to_one_that_can() {
    let (packets, expected) = speech(30);
    let world = World::live(&packets, 1_000);
    let (side, config) = (world.host(), config());
    let first = side.relay(&config).start(request("a", Duration::from_secs(16))).await.unwrap();
    assert_eq!(first.outcome, Outcome::HandedOff);
    let before = world.item();
    let written = before.checkpoint.clone().unwrap();
    let (ours, newer) = (relay::checkpoint::VERSION, relay::checkpoint::VERSION + 1);
    let newer = written.replace(&format!("\"version\":{ours}"), &format!("\"version\":{newer}"));
    assert_ne!(newer, written);

    world.state().table.item.as_mut().unwrap().checkpoint = Some(newer);
    let error = side.relay(&config).start(request("b", LONG)).await.unwrap_err();
    assert!(matches!(error, RelayError::Checkpoint { .. }), "{error}");
    let after = world.item();
    assert_eq!((after.owner, after.epoch), (None, before.epoch), "the lease was taken in vain");

    world.state().table.item.as_mut().unwrap().checkpoint = Some(written);
    world.stop();
    let last = side.relay(&config).stop(request("c", LONG)).await.unwrap();
    assert_eq!(last.outcome, Outcome::Ended);
    assert_eq!(world.state().processor.accepted, expected);
}

#[tokio::test(start_paused = true)]
async fn the_simulated_table_keeps_the_contract_of_lease_tables() {
    lease_contract::check(async || Case {
        table: World::stored(&[], 1_000).host(),
        session: simulator::session(),
    })
    .await;
}
