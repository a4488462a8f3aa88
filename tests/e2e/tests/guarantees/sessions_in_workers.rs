//! Guarantee: workers deliver sessions as the function does, many in one process. A worker that
//! stops or crashes loses no sample, repeats none, and leaves its sessions to the others; a message
//! that cannot be handled goes to the dead-letter queue after as many tries as on Lambda.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Packets, SessionRun, signal};
use futures_util::future::join_all;
use serde_json::{Value, json};

const WORKER: &str = "stream-worker";
/// Longest interval between two reads of the lease (`take_poll`), ms.
const POLL_MILLIS: u64 = 250;
const TIMEOUT: Duration = Duration::from_secs(60);

fn workers(count: u32, time_scale: u32) -> Options {
    let arguments = ["--consumer-host", "container", "--workers", &count.to_string()];
    let arguments = arguments.map(str::to_owned).to_vec();
    Options { time_scale, arguments, ..Options::default() }
}

/// Waits until `wanted` holds.
async fn until(what: &str, mut wanted: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !wanted().await {
        assert!(start.elapsed() < TIMEOUT, "{what} did not happen within {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until no message is left: each run has ended without an error.
async fn no_message_is_left(cloud: &Cloud) {
    until("an empty queue", async || cloud.starts().await.unwrap() == (0, 0)).await;
}

fn pids(workers: &[Value]) -> Vec<u64> {
    workers.iter().filter_map(|worker| worker["pid"].as_u64()).collect()
}

/// Returns the metric `HandOffGapMillis` of each hand-off.
fn hand_off_gaps(log: &str) -> Vec<u64> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["HandOffGapMillis"].as_u64()).collect()
}

#[tokio::test]
async fn one_session_arrives_whole_and_exactly_as_spoken() {
    let cloud = Cloud::start(workers(1, 10)).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let recording = testkit::recording();
    session.say(&recording).await.unwrap();
    assert_eq!(cloud.starts().await.unwrap(), (0, 1), "its message is invisible");
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    run.assert_whole();
    assert_eq!((run.consumers(), &run.wav), (1, &run.spoken));
    no_message_is_left(&cloud).await;
    assert!(!cloud.log("kvs-stream-consumer").contains("run finished"), "the function ran it");
    let logs = cloud.session_ops(&["logs", session.id()]).unwrap().output().await.unwrap();
    let logs = String::from_utf8(logs.stdout).unwrap();
    let run = |line: &str| line.contains("stream-worker-dev") && line.contains("run finished");
    assert!(logs.lines().any(run), "{logs}");
}

#[tokio::test]
async fn twenty_sessions_at_once_arrive_whole_from_two_workers() {
    // A request has a deadline in the cloud's time, so on a busy machine not too many at once.
    let cloud = Cloud::start(workers(2, 4)).await.unwrap();
    let recording = testkit::recording();
    let mut sessions = Vec::new();
    for group in 0..4 {
        let names: Vec<_> = (0..5).map(|number| format!("speaker-{group}-{number}")).collect();
        sessions.extend(join_all(names.iter().map(|name| cloud.open(name))).await);
    }
    let sessions: Vec<_> = sessions.into_iter().map(Result::unwrap).collect();
    let spoken = join_all(sessions.iter().map(|session| session.say(&recording))).await;
    spoken.into_iter().for_each(|said| said.unwrap());
    assert_eq!(cloud.starts().await.unwrap(), (0, 20), "each has a run");
    for session in &sessions {
        session.end().await.unwrap();
    }
    let packets = Packets::of(&recording);
    let drained = |session| SessionRun::drained_within(session, &packets, TIMEOUT * 2);
    for run in join_all(sessions.iter().map(drained)).await {
        let run = run.unwrap();
        run.assert_whole();
        assert_eq!(run.consumers(), 1);
    }
    no_message_is_left(&cloud).await;
}

#[tokio::test]
async fn a_worker_that_stops_hands_its_session_to_another() {
    let cloud = Cloud::start(workers(2, 10)).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let speech = Packets::of(&testkit::recording()).repeated(6);
    let file = cloud.scratch("long.mka");
    std::fs::write(&file, speech.file()).unwrap();
    let mut speaker = session.speak(&file, 10).unwrap();
    let started = |item: &Value| item["checkpoint"].is_object();
    session.streams_item("the first checkpoint", TIMEOUT, started).await.unwrap();

    // Each worker in turn, as a deployment replaces them: one of them runs the session.
    let first = pids(&cloud.workers().await.unwrap());
    assert_eq!(first.len(), 2);
    for pid in first {
        signal("TERM", &[pid]);
        let ended = async || !pids(&cloud.workers().await.unwrap()).contains(&pid);
        until("the end of a worker", ended).await;
        let replaced = async || pids(&cloud.workers().await.unwrap()).len() == 2;
        until("the start of its replacement", replaced).await;
    }
    for worker in cloud.workers().await.unwrap() {
        assert_eq!((&worker["starts"], &worker["lastEnd"]), (&json!(2), &json!("exit status: 0")));
    }
    let gone = session.streams_item("a run", TIMEOUT, |item| item["owner"].is_object()).await;
    assert!(gone.is_ok(), "{gone:?}");

    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &speech).await.unwrap();
    run.assert_whole();
    assert!(run.consumers() >= 2, "no worker that stopped had the session");
    cloud.runs_finished(WORKER, run.consumers()).await.unwrap();
    let gaps = hand_off_gaps(&cloud.log(WORKER));
    println!("gaps at hand-offs: {gaps:?} ms");
    // Each run but the first took over in a hand-off, not after a lease expired.
    assert_eq!(gaps.len() as u64, run.consumers() - 1);
    assert!(gaps.iter().all(|gap| gap + POLL_MILLIS < 1_000), "{gaps:?}");
    assert_eq!(run.figures["traces"], 1, "{}", run.figures);
    no_message_is_left(&cloud).await;
}

#[tokio::test]
async fn a_killed_worker_leaves_its_session_to_the_redelivered_message() {
    let cloud = Cloud::start(workers(2, 10)).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let speech = Packets::of(&testkit::recording()).repeated(2);
    let file = cloud.scratch("long.mka");
    std::fs::write(&file, speech.file()).unwrap();
    let mut speaker = session.speak(&file, 10).unwrap();
    let started = |item: &Value| item["checkpoint"].is_object();
    session.streams_item("the first checkpoint", TIMEOUT, started).await.unwrap();
    signal("KILL", &pids(&cloud.workers().await.unwrap()));
    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &speech).await.unwrap();
    run.assert_whole();
    assert!(run.consumers() >= 2, "no worker was killed");
    no_message_is_left(&cloud).await;
}

#[tokio::test]
async fn a_message_that_fails_permanently_is_dead_lettered_after_three_tries() {
    let cloud = Cloud::start(workers(2, 60)).await.unwrap();
    let detail = json!({"sessionId": "../etc/passwd", "status": "ACTIVE"});
    cloud.put_status_change(&detail).await.unwrap();
    let letters = cloud.dead_letter_events(1).await.unwrap();
    // The event itself, as EventBridge sends it.
    assert_eq!(
        (&letters[0]["detail"], &letters[0]["source"]),
        (&detail, &json!("session-management"))
    );
    cloud.logged(WORKER, "invocation failed", 3).await.unwrap();
    assert_eq!(cloud.log(WORKER).matches("invocation failed").count(), 3);
    assert_eq!(cloud.starts().await.unwrap(), (0, 0));
}

/// A hand-off of an invocation that began before the workers ran the sessions.
#[tokio::test]
async fn the_function_forwards_what_it_receives_to_the_workers() {
    let cloud = Cloud::start(workers(1, 10)).await.unwrap();
    // The event is lost: only the forwarded one starts the session.
    let lost = json!({"service": "events", "operation": "Deliver", "kind": "cut"});
    cloud.inject_fault(lost).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    cloud.logged("session-http-handler", "EventBridge event emitted", 1).await.unwrap();
    until("the fault", async || cloud.pending_faults().await.unwrap().is_empty()).await;
    let start = json!({"sessionId": session.id(), "action": "start"});
    let answer = cloud.invoke("kvs-stream-consumer", &start).await.unwrap();
    assert_eq!(answer, json!({"sessionId": session.id(), "outcome": "forwarded"}));
    let held = |item: &Value| item["owner"].is_object();
    session.streams_item("a run", TIMEOUT, held).await.unwrap();
    let continuation = json!({
        "sessionId": session.id(), "action": "continue", "epoch": 1, "version": 99, "traceId": null,
    });
    let refused = cloud.invoke("kvs-stream-consumer", &continuation).await.unwrap();
    assert_eq!(refused["errorType"], "UnsupportedVersion", "what is invalid is not forwarded");
    let recording = testkit::recording();
    session.say(&recording).await.unwrap();
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    run.assert_whole();
}

/// A worker that stops after a deployment of `ConsumerHost=lambda` hands its sessions to the
/// function.
#[tokio::test]
async fn a_continuation_on_the_bus_resumes_a_session_in_the_function() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let speech = Packets::of(&testkit::recording()).repeated(3);
    let file = cloud.scratch("long.mka");
    std::fs::write(&file, speech.file()).unwrap();
    let mut speaker = session.speak(&file, 10).unwrap();
    let started = |item: &Value| item["checkpoint"].is_object();
    let item = session.streams_item("the first checkpoint", TIMEOUT, started).await.unwrap();
    let epoch: u64 = item["epoch"]["N"].as_str().unwrap().parse().unwrap();

    // Lambda's own retry would come after a minute; the lease expires earlier.
    signal("KILL", &cloud.processes("kvs-stream-consumer").await.unwrap());
    let continuation = |environment: &str| {
        json!({
            "environment": environment, "sessionId": session.id(), "action": "continue",
            "epoch": epoch, "version": 3, "traceId": null,
        })
    };
    cloud.put_event("Session Continuation", &continuation("other")).await.unwrap();
    cloud.put_event("Session Continuation", &continuation("dev")).await.unwrap();
    let resumed = |item: &Value| item["epoch"]["N"] == json!((epoch + 1).to_string());
    session.streams_item("the next run", TIMEOUT, resumed).await.unwrap();
    let function = "kvs-stream-consumer";
    cloud.logged(function, "continuing stream processing", 1).await.unwrap();
    let log = cloud.log(function);
    assert_eq!(log.matches("continuing stream processing").count(), 1, "of this environment");

    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    SessionRun::drained(&session, &speech).await.unwrap().assert_whole();
}
