//! Guarantee: whatever happens to the workers and to what they need, every session arrives whole
//! and once: killed workers, others that are added and removed, messages that are lost, redelivered
//! or sent twice, and a lease table that cannot be reached.

use std::time::Duration;

use e2e::{Cloud, Options, Packets, Session, SessionRun, signal};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const SESSIONS: usize = 5;
/// A lease lasts 36 s and an invisible message 30 s; both are scaled.
const TIME_SCALE: u32 = 6;
const TIMEOUT: Duration = Duration::from_secs(90);
/// Calls that a fault applies to: all until it is removed.
const ALL: u32 = 1_000_000;

async fn two_workers(time_scale: u32) -> Cloud {
    let arguments = ["--consumer-host", "container", "--workers", "2"].map(str::to_owned);
    let arguments = arguments.to_vec();
    Cloud::start(Options { time_scale, arguments, ..Options::default() }).await.unwrap()
}

/// Returns `seconds` of AWS's time as real time.
fn real(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into()) / TIME_SCALE
}

async fn open(cloud: &Cloud) -> Vec<Session<'_>> {
    let names: Vec<_> = (0..SESSIONS).map(|number| format!("speaker-{number}")).collect();
    let opened = join_all(names.iter().map(|name| cloud.open(name))).await;
    opened.into_iter().map(Result::unwrap).collect()
}

/// Speaks in all sessions while `chaos` happens after their start, ends them, and checks that each
/// arrived whole. Returns the numbers of their consumers.
async fn arrive_whole(
    sessions: &[Session<'_>],
    times: usize,
    chaos: impl Future<Output = ()>,
) -> Vec<u64> {
    let cloud = sessions[0].cloud();
    let speech = Packets::of(&testkit::recording()).repeated(times);
    let file = cloud.scratch("speech.mka");
    std::fs::write(&file, speech.file()).unwrap();
    let speak = async |session: &Session<'_>| {
        let mut speaker = session.speak(&file, cloud.time_scale()).unwrap();
        assert!(speaker.wait().await.unwrap().success());
    };
    let started = async |session: &Session<'_>| {
        let has_checkpoint = |item: &Value| item["checkpoint"].is_object();
        session.streams_item("the first checkpoint", TIMEOUT, has_checkpoint).await.unwrap();
    };
    let chaos = async {
        join_all(sessions.iter().map(started)).await;
        chaos.await;
    };
    tokio::join!(join_all(sessions.iter().map(speak)), chaos);
    for session in sessions {
        session.end().await.unwrap();
    }
    let drained = |session| SessionRun::drained_within(session, &speech, TIMEOUT * 2);
    let runs = join_all(sessions.iter().map(drained)).await;
    runs.into_iter()
        .map(|run| {
            let run = run.unwrap();
            run.assert_whole();
            run.consumers()
        })
        .collect()
}

async fn pids(cloud: &Cloud) -> Vec<u64> {
    let workers = cloud.workers().await.unwrap();
    workers.iter().filter_map(|worker| worker["pid"].as_u64()).collect()
}

async fn until(what: &str, mut wanted: impl AsyncFnMut() -> bool) {
    let start = std::time::Instant::now();
    while !wanted().await {
        assert!(start.elapsed() < TIMEOUT, "{what} did not happen within {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Injects faults for a time.
async fn during(cloud: &Cloud, faults: &[Value], lasts: Duration) {
    for fault in faults {
        cloud.inject_fault(fault.clone()).await.unwrap();
    }
    tokio::time::sleep(lasts).await;
    cloud.clear_faults().await.unwrap();
}

#[tokio::test]
async fn one_worker_after_the_other_is_killed() {
    let cloud = two_workers(TIME_SCALE).await;
    let sessions = open(&cloud).await;
    let kill_each = async {
        for pid in pids(&cloud).await {
            signal("KILL", &[pid]);
            let replaced = async || {
                let running = pids(&cloud).await;
                running.len() == 2 && !running.contains(&pid)
            };
            until("the start of a replacement", replaced).await;
        }
    };
    let consumers = arrive_whole(&sessions, 2, kill_each).await;
    assert!(consumers.iter().all(|count| *count >= 2), "{consumers:?}: one was not killed");
}

#[tokio::test]
async fn only_the_health_check_is_left() {
    // It runs each five minutes.
    let cloud = two_workers(20).await;
    let sessions = open(&cloud).await;
    let lose_all = async {
        let name = json!({"QueueName": "consumer-starts-dev"});
        let queue = cloud.aws("sqs", "AmazonSQS.GetQueueUrl", name).await.unwrap();
        signal("KILL", &pids(&cloud).await);
        let purge = json!({"QueueUrl": queue["QueueUrl"]});
        cloud.aws("sqs", "AmazonSQS.PurgeQueue", purge).await.unwrap();
        let again = async |session: &Session<'_>| {
            let again = |item: &Value| item["epoch"]["N"] != json!("1");
            session.streams_item("the second run", TIMEOUT, again).await.unwrap();
        };
        join_all(sessions.iter().map(again)).await;
    };
    let consumers = arrive_whole(&sessions, 1, lose_all).await;
    assert!(consumers.iter().all(|count| *count >= 2), "{consumers:?}");
}

#[tokio::test]
async fn the_lease_table_hangs_for_longer_than_a_lease_and_fails_for_a_shorter_time() {
    let cloud = two_workers(TIME_SCALE).await;
    let sessions = open(&cloud).await;
    let fault = |kind: &str| {
        json!({
            "service": "dynamodb", "target": "Streams", "times": ALL, "kind": kind,
            "delayMs": u64::try_from(real(60).as_millis()).unwrap(),
        })
    };
    let cut = async {
        during(&cloud, &[fault("delay")], real(60)).await;
        tokio::time::sleep(real(20)).await;
        during(&cloud, &[fault("error")], real(20)).await;
    };
    arrive_whole(&sessions, 3, cut).await;
}

#[tokio::test]
async fn the_number_of_workers_changes() {
    let cloud = two_workers(TIME_SCALE).await;
    let sessions = open(&cloud).await;
    let scale = async {
        for count in [1, 4, 2, 3] {
            let path = "/_local/tasks/stream-worker";
            let service = json!({"desiredCount": count});
            let (status, _) = cloud.api(Method::PUT, path, None, Some(service)).await.unwrap();
            assert_eq!(status, 200);
            until("the new number", async || pids(&cloud).await.len() == count).await;
        }
    };
    let consumers = arrive_whole(&sessions, 2, scale).await;
    assert!(consumers.iter().any(|count| *count > 1), "{consumers:?}: no session moved");
}

#[tokio::test]
async fn messages_come_again_while_their_runs_last() {
    let cloud = two_workers(TIME_SCALE).await;
    let sessions = open(&cloud).await;
    let fault = |operation: &str| {
        json!({
            "service": "sqs", "operation": operation, "target": "consumer-starts", "times": ALL,
        })
    };
    let faults = ["ChangeMessageVisibility", "DeleteMessage"].map(fault);
    let redeliver = during(&cloud, &faults, real(45));
    let consumers = arrive_whole(&sessions, 2, redeliver).await;
    assert!(consumers.iter().all(|count| *count == 1), "{consumers:?}: two had one session");
    let starts = cloud.log("stream-worker").matches("Starting stream processing").count();
    assert!(starts > SESSIONS, "no message came again");
}

#[tokio::test]
async fn each_start_comes_twice_at_once() {
    let cloud = two_workers(TIME_SCALE).await;
    let times = SESSIONS;
    let lost = json!({"service": "events", "operation": "Deliver", "kind": "cut", "times": times});
    cloud.inject_fault(lost).await.unwrap();
    let sessions = open(&cloud).await;
    until("the faults", async || cloud.pending_faults().await.unwrap().is_empty()).await;
    let (_, events) = cloud.api(Method::GET, "/_local/events", None, None).await.unwrap();
    let events = events["events"].as_array().cloned().unwrap_or_default();
    let starts = events.iter().map(|it| &it["event"]["detail"]);
    let starts: Vec<_> = starts.filter(|detail| detail["status"] == "ACTIVE").collect();
    assert_eq!(starts.len(), SESSIONS);
    let twice = starts.iter().chain(&starts).map(|detail| cloud.put_status_change(detail));
    join_all(twice).await.into_iter().for_each(|put| put.unwrap());
    let consumers = arrive_whole(&sessions, 1, async {}).await;
    assert!(consumers.iter().all(|count| *count == 1), "{consumers:?}: two had one session");
}
