//! Hand-off between invocations: no sample lost or repeated, and no noticeable pause.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use relay::{HandOver, Outcome, Report, RunRequest};
use session::ports::Clock as _;
use simulator::{LONG, World, config, request, speech};
use testkit::snr::decibels;

const SHORT: Duration = Duration::from_secs(60);

/// Runs under a limit, as Lambda kills an invocation at its timeout.
async fn in_time(run: impl Future<Output = Result<Report, relay::RelayError>>) -> Report {
    tokio::time::timeout(SHORT, run).await.expect("it outlived its deadline").unwrap()
}

/// Runs a chain: each continuation starts, as in Lambda, `delay` after it was requested.
async fn chain(world: &Arc<World>, delay: Duration) -> Vec<Report> {
    let (side, config) = (world.host(), config());
    let mut running = tokio::task::JoinSet::new();
    let (first, own) = (side.clone(), config.clone());
    running.spawn(async move { in_time(first.relay(&own).start(request("0", SHORT))).await });
    let mut reports = Vec::new();
    let mut started = 0;
    loop {
        let next: VecDeque<_> = world.state().continuations.drain(..).collect();
        for continuation in next {
            started += 1;
            let (side, config, name) = (side.clone(), config.clone(), started.to_string());
            running.spawn(async move {
                tokio::time::sleep(delay).await;
                let request = request(&name, SHORT);
                in_time(side.relay(&config).resume(request, continuation.epoch)).await
            });
        }
        tokio::select! {
            report = running.join_next() => match report {
                Some(report) => reports.push(report.unwrap()),
                None if world.state().continuations.is_empty() => return reports,
                None => {}
            },
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_session_reads_again_is_no_lag() {
    let (packets, _) = speech(10);
    let world = World::live(&packets, 2_000);
    let stop = async {
        tokio::time::sleep(Duration::from_secs(400)).await;
        world.stop();
    };
    let (reports, ()) = tokio::join!(chain(&world, Duration::from_millis(300)), stop);
    assert!(reports.len() > 5, "{reports:?}");
    let state = world.state();
    let lags = state.snapshots.iter().filter_map(|snapshot| snapshot.observed.lag_millis);
    let most = lags.max().unwrap();
    assert!(most < 4_000, "{most}");
}

#[tokio::test(start_paused = true)]
async fn a_session_longer_than_many_invocations_arrives_whole() {
    let (packets, expected) = speech(150);
    let world = World::live(&packets, 2_000);
    let stop = async {
        tokio::time::sleep(Duration::from_secs(151)).await;
        world.stop();
    };
    let (reports, ()) = tokio::join!(chain(&world, Duration::from_millis(300)), stop);
    let outcomes: Vec<_> = reports.iter().map(|report| report.outcome).collect();
    assert_eq!(outcomes.last(), Some(&Outcome::Ended));
    assert!(outcomes.iter().filter(|o| **o == Outcome::HandedOff).count() >= 3, "{outcomes:?}");
    let state = world.state();
    assert_eq!(state.processor.accepted.len(), expected.len());
    assert!(decibels(&expected, &state.processor.accepted) >= 40.0);
    assert_eq!((state.processor.gaps.len(), state.processor.stale), (0, 0));
    let delivered: u64 = reports.iter().map(|report| report.delivered_samples).sum();
    assert_eq!(delivered, expected.len() as u64, "offered once only");
    // A fragment's 2 s arrive at once, and a hand-off may fall between two of them. The last
    // delivery is the tail, which waits for the drain.
    let live = &state.processor.deliveries[..state.processor.deliveries.len() - 1];
    let longest = live.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(longest < Duration::from_secs(3), "no run delivered for {longest:?}");
    let gaps: Vec<_> =
        state.snapshots.iter().filter_map(|s| s.observed.hand_off_gap_millis).collect();
    assert!(gaps.len() >= 3 && gaps.iter().all(|gap| *gap < 1_000), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_hand_off_is_retried() {
    let (packets, expected) = speech(70);
    let world = World::live(&packets, 1_000);
    world.state().failing_self_invokes = 3;
    let stop = async {
        tokio::time::sleep(Duration::from_secs(71)).await;
        world.stop();
    };
    let (reports, ()) = tokio::join!(chain(&world, Duration::ZERO), stop);
    assert_eq!(reports.last().unwrap().outcome, Outcome::Ended);
    assert_eq!(world.state().processor.accepted.len(), expected.len());
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_comes_late_finds_the_lease_free() {
    let (packets, expected) = speech(70);
    let world = World::live(&packets, 1_000);
    let stop = async {
        tokio::time::sleep(Duration::from_secs(71)).await;
        world.stop();
    };
    // After the holder's deadline: by then it has released and requested another invocation.
    let (reports, ()) = tokio::join!(chain(&world, Duration::from_secs(20)), stop);
    assert!(reports.iter().any(|report| report.outcome == Outcome::Ended));
    let state = world.state();
    assert_eq!(state.processor.accepted.len(), expected.len());
    assert_eq!(state.processor.gaps, []);
}

#[tokio::test(start_paused = true)]
async fn fragments_that_a_later_run_reads_again_are_no_activity() {
    let (packets, _) = speech(10);
    let world = World::live(&packets, 2_000);
    let begun = world.host().now_ms();
    let seen = async {
        tokio::time::sleep(Duration::from_secs(180)).await;
        let item = world.item();
        world.stop();
        item
    };
    let (reports, item) = tokio::join!(chain(&world, Duration::from_millis(300)), seen);
    assert!(reports.len() > 3, "{reports:?}");
    let active_at = item.last_activity_at.unwrap();
    assert!((8_000..13_000).contains(&(active_at - begun)), "{}", active_at - begun);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_host_stops_hands_over_at_once() {
    let (packets, expected) = speech(40);
    let world = World::live(&packets, 1_000);
    let (stop, stops) = tokio::sync::watch::channel(None);
    let side = world.host();
    let own = side.clone();
    let first = tokio::spawn(async move {
        let request = RunRequest { hand_over: HandOver::new(stops), ..request("0", LONG) };
        let report = own.relay(&config()).start(request).await.unwrap();
        (report.outcome, tokio::time::Instant::now())
    });
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(world.state().continuations.is_empty());
    let stopped = tokio::time::Instant::now();
    stop.send(Some(stopped + Duration::from_secs(100))).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let next = world.state().continuations.pop().expect("no successor was started");
    let config = config();
    let second = side.relay(&config).resume(request("1", LONG), next.epoch);
    let end = async {
        tokio::time::sleep(Duration::from_secs(21)).await;
        world.stop();
    };
    let (second, ()) = tokio::join!(second, end);
    assert_eq!(second.unwrap().outcome, Outcome::Ended);
    let (outcome, ended) = first.await.unwrap();
    assert_eq!(outcome, Outcome::HandedOff);
    // The holder reads the successor's name with a read of its item.
    let took = ended - stopped;
    assert!(took < Duration::from_secs(15), "{took:?}");
    let state = world.state();
    assert_eq!(state.processor.accepted.len(), expected.len());
    assert_eq!((state.processor.gaps.len(), state.processor.stale), (0, 0));
    let gaps = state.snapshots.iter().filter_map(|s| s.observed.hand_off_gap_millis);
    let gaps: Vec<_> = gaps.collect();
    assert!(gaps.len() == 1 && gaps[0] < 1_000, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_host_stops_without_a_successor_ends_in_time_and_leaves_the_lease_free() {
    let (packets, _) = speech(40);
    let world = World::live(&packets, 1_000);
    let (stop, stops) = tokio::sync::watch::channel(None);
    let side = world.host();
    let request = RunRequest { hand_over: HandOver::new(stops), ..request("0", LONG) };
    let limit = Duration::from_secs(30);
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        stop.send(Some(tokio::time::Instant::now() + limit)).unwrap();
    };
    let config = config();
    let (report, ()) = tokio::join!(side.relay(&config).start(request), stopping);
    assert_eq!(report.unwrap().outcome, Outcome::HandedOff);
    assert!(world.elapsed() < Duration::from_secs(20) + limit, "{:?}", world.elapsed());
    assert_eq!(world.state().continuations.len(), 2, "one at once, one after the release");
}
