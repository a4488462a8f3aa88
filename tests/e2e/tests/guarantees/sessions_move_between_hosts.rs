//! Guarantee: a deployment that changes `ConsumerHost` moves the sessions that are running, in
//! either direction, back and forth, many at once, and also while a run hands over. No sample is
//! lost, none is delivered twice, and each session has a reader again within [`PAUSE_SECONDS`].

use std::time::{Duration, Instant};

use e2e::{Cloud, Error, Options, Packets, Session, SessionRun, signal};
use futures_util::future::join_all;
use serde_json::{Value, json};

const FUNCTION: &str = "kvs-stream-consumer";
const WORKER: &str = "stream-worker";
/// The log of the function on managed instances.
const INSTANCES: &str = "kvs-stream-consumer-instances-dev";

/// Times faster than real time.
const SCALE: u32 = 5;
/// Timeout of an invocation, s of the cloud's time: the minimum. It hands off after 90 s.
const INVOCATION_SECONDS: u32 = 120;
/// Longest time between two chunks that the processor accepts, s of the cloud's time: a third of a
/// period of the health check, so no session waited for it. Most of it is the start of processes,
/// which does not scale; on AWS a hand-off has 35 s for it, in which the run before delivers.
const PAUSE_SECONDS: f64 = 100.0;
/// Longest time from the release of the lease to its acquisition in a hand-off whose next run
/// starts at once, s of the cloud's time. Most of it is work that does not scale.
const GAP_SECONDS: f64 = 15.0;
/// Samples of a session before its checkpoint is replaced: 25 s.
const SETTLED: u64 = 400_000;
/// Limit of a wait, in real time.
const TIMEOUT: Duration = Duration::from_secs(120);

fn options(host: &str) -> Options {
    let arguments = ["--consumer-host", host, "--workers", "2"].map(str::to_owned).to_vec();
    let parameters = vec![format!("ConsumerTimeoutSeconds={INVOCATION_SECONDS}")];
    Options { time_scale: SCALE, arguments, parameters, ..Options::default() }
}

async fn cloud(host: &str) -> Cloud {
    Cloud::start(options(host)).await.unwrap()
}

/// A cloud that has managed instances also while they are not the host. Their invocations hand off
/// as early as those of the function.
async fn cloud_with_instances(host: &str) -> Cloud {
    let mut options = options(host);
    options.parameters.push("InstancesMaxVCpus=2".to_owned());
    let template = e2e::template().unwrap();
    let timeout = format!("Timeout: {INVOCATION_SECONDS}\n");
    let changed = template.replace("Timeout: 5400\n", &timeout);
    assert!(changed != template, "the timeout is not in the template");
    Cloud::start_on(options, &changed).await.unwrap()
}

/// Opens a session. On a busy machine, a request may exceed its deadline in the cloud's time.
async fn open<'a>(cloud: &'a Cloud, speaker: &str) -> Session<'a> {
    let mut left = 5;
    loop {
        match cloud.open(speaker).await {
            Err(Error::Answer { status: 503, .. }) if left > 0 => left -= 1,
            opened => return opened.unwrap(),
        }
    }
}

/// Waits until `wanted` holds.
async fn until(what: &str, mut wanted: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !wanted().await {
        assert!(start.elapsed() < TIMEOUT, "{what} did not happen within {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Speech that is sent in real time of the cloud while the sessions move.
struct Speech {
    packets: Packets,
    file: std::path::PathBuf,
}

impl Speech {
    /// The recording, of 36.6 s, `times` in a row.
    fn of(cloud: &Cloud, times: usize) -> Self {
        let packets = Packets::of(&testkit::recording()).repeated(times);
        let file = cloud.scratch("speech.mka");
        std::fs::write(&file, packets.file()).unwrap();
        Self { packets, file }
    }

    fn spoken_into(&self, session: &Session<'_>) -> tokio::process::Child {
        session.speak(&self.file, SCALE).unwrap()
    }
}

async fn first_checkpoint(session: &Session<'_>) {
    let started = |item: &Value| item["checkpoint"].is_object();
    session.streams_item("the first checkpoint", TIMEOUT, started).await.unwrap();
}

/// Returns the hosts on which runs took the lease of a session, in the order of their epochs.
fn hosts(cloud: &Cloud, session: &Session<'_>) -> Vec<&'static str> {
    let mut runs = Vec::new();
    for host in [FUNCTION, INSTANCES, WORKER] {
        for line in lines(cloud, host, session) {
            if line["message"] == "lease acquired" {
                runs.push((line["epoch"].as_u64().unwrap(), host));
            }
        }
    }
    runs.sort_unstable();
    runs.into_iter().map(|(_, host)| host).collect()
}

/// Returns the lines of a log on a session.
fn lines(cloud: &Cloud, log: &str, session: &Session<'_>) -> Vec<Value> {
    let log = cloud.log(log);
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["sessionId"] == session.id()).collect()
}

/// Deploys another host, and waits until the sessions are there.
async fn move_to(cloud: &Cloud, host: &str, sessions: &[Session<'_>]) {
    cloud.deploy(json!({ "ConsumerHost": host })).await.unwrap();
    let log = match host {
        "lambda" => FUNCTION,
        "managed-instances" => INSTANCES,
        _ => WORKER,
    };
    for session in sessions {
        let there = async || hosts(cloud, session).last() == Some(&log);
        until(&format!("the move of {} to {host}", session.id()), there).await;
    }
}

/// Ends a session after its speech, and asserts that it arrived whole.
async fn arrives(
    session: &Session<'_>,
    speech: &Speech,
    mut speaker: tokio::process::Child,
) -> SessionRun {
    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    let run = SessionRun::drained_within(session, &speech.packets, TIMEOUT).await.unwrap();
    run.assert_whole();
    run
}

/// As [`arrives`], and asserts that it had a reader without a long pause.
async fn arrives_in_time(
    session: &Session<'_>,
    speech: &Speech,
    speaker: tokio::process::Child,
) -> SessionRun {
    let run = arrives(session, speech, speaker).await;
    let pause = run.figures["longestPauseMs"].as_f64().unwrap() / 1000.0 * f64::from(SCALE);
    println!("{}: longest pause {pause:.1} s of the cloud's time", session.id());
    assert!(pause < PAUSE_SECONDS, "{}", run.figures);
    assert_eq!(run.figures["traces"], 1, "{}", run.figures);
    run
}

/// Asserts that each run but the first took over in a hand-off, not after a lease had expired.
/// Returns the longest gap, s of the cloud's time.
async fn assert_handed_off(cloud: &Cloud, session: &Session<'_>, run: &SessionRun) -> f64 {
    let lines = || [FUNCTION, INSTANCES, WORKER].map(|host| lines(cloud, host, session)).concat();
    // A run writes its last metrics and this line after the session's item.
    let ended = |line: &&Value| line["message"] == "run finished";
    let all_ended = async || lines().iter().filter(ended).count() as u64 >= run.consumers();
    until("the end of each run", all_ended).await;
    let all = lines();
    let gaps = all.iter().filter_map(|line| line["HandOffGapMillis"].as_u64());
    let gaps: Vec<f64> = gaps.map(|gap| gap as f64 / 1000.0 * f64::from(SCALE)).collect();
    println!("{}: gaps at hand-offs {gaps:.1?} s of the cloud's time", session.id());
    assert_eq!(gaps.len() as u64, run.consumers() - 1, "{gaps:?}");
    gaps.into_iter().fold(0.0, f64::max)
}

/// Moves a session that is spoken from the function to these hosts, and asserts that runs on these
/// delivered it.
async fn moves(cloud: &Cloud, recordings: usize, to: [&str; 4], on: [&str; 5]) {
    let sessions = [open(cloud, "ana").await];
    let [session] = &sessions;
    let speech = Speech::of(cloud, recordings);
    let speaker = speech.spoken_into(session);
    first_checkpoint(session).await;
    for host in to {
        move_to(cloud, host, &sessions).await;
    }
    let run = arrives_in_time(session, &speech, speaker).await;
    let mut hosts = hosts(cloud, session);
    hosts.dedup();
    assert_eq!(hosts, on);
    assert!(assert_handed_off(cloud, session, &run).await < GAP_SECONDS);
}

#[tokio::test]
async fn a_session_moves_to_the_workers_and_back_twice_while_it_is_spoken() {
    let to = ["container", "lambda", "container", "lambda"];
    moves(&cloud("lambda").await, 6, to, [FUNCTION, WORKER, FUNCTION, WORKER, FUNCTION]).await;
}

#[tokio::test]
async fn a_session_moves_to_managed_instances_and_away() {
    let to = ["managed-instances", "container", "managed-instances", "lambda"];
    let on = [FUNCTION, INSTANCES, WORKER, INSTANCES, FUNCTION];
    moves(&cloud_with_instances("lambda").await, 8, to, on).await;
}

#[tokio::test]
async fn sessions_at_once_move_to_the_function_and_back() {
    let cloud = cloud("container").await;
    let names = ["ana", "ben", "cem", "dia"];
    let sessions = join_all(names.iter().map(|name| open(&cloud, name))).await;
    let speech = Speech::of(&cloud, 4);
    let speakers: Vec<_> = sessions.iter().map(|session| speech.spoken_into(session)).collect();
    for session in &sessions {
        first_checkpoint(session).await;
    }
    for host in ["lambda", "container"] {
        move_to(&cloud, host, &sessions).await;
    }
    for (session, speaker) in sessions.iter().zip(speakers) {
        let run = arrives_in_time(session, &speech, speaker).await;
        assert!(assert_handed_off(&cloud, session, &run).await < GAP_SECONDS);
    }
}

/// The continuation waits in Lambda's queue when the function gets other settings: it is forwarded.
#[tokio::test]
async fn a_deployment_meets_an_invocation_that_hands_off() {
    let cloud = cloud("lambda").await;
    let sessions = [open(&cloud, "ana").await];
    let [session] = &sessions;
    let speech = Speech::of(&cloud, 4);
    let speaker = speech.spoken_into(session);
    first_checkpoint(session).await;
    let throttled = json!({
        "service": "lambda", "operation": "Invoke", "target": FUNCTION, "times": 1_000,
        "status": 429, "code": "TooManyRequestsException",
    });
    cloud.inject_fault(throttled).await.unwrap();
    cloud.logged(FUNCTION, "next invocation started", 1).await.unwrap();
    cloud.deploy(json!({"ConsumerHost": "container"})).await.unwrap();
    cloud.clear_faults().await.unwrap();
    // Lambda tries a throttled event again after up to five minutes of the cloud's time.
    let forwarded = async || cloud.log(FUNCTION).contains("forwarded to what runs the sessions");
    until("the forwarded continuation", forwarded).await;
    let run = arrives_in_time(session, &speech, speaker).await;
    assert_eq!(hosts(&cloud, session).first(), Some(&FUNCTION));
    assert_eq!(hosts(&cloud, session).last(), Some(&WORKER));
    assert_handed_off(&cloud, session, &run).await;
}

/// The host changes while a worker hands over, and again before it has ended.
#[tokio::test]
async fn a_deployment_meets_a_worker_that_is_being_stopped() {
    let cloud = cloud("container").await;
    let names = ["ana", "ben"];
    let sessions = join_all(names.iter().map(|name| open(&cloud, name))).await;
    let speech = Speech::of(&cloud, 2);
    let speakers: Vec<_> = sessions.iter().map(|session| speech.spoken_into(session)).collect();
    for session in &sessions {
        first_checkpoint(session).await;
    }
    for host in ["lambda", "container", "lambda"] {
        if host == "lambda" {
            cloud.update_workers(json!({"forceNewDeployment": true})).await.unwrap();
        }
        cloud.deploy(json!({ "ConsumerHost": host })).await.unwrap();
    }
    let ended = async || cloud.workers().await.unwrap().is_empty();
    until("the end of the workers", ended).await;
    for (session, speaker) in sessions.iter().zip(speakers) {
        arrives_in_time(session, &speech, speaker).await;
        assert_eq!(hosts(&cloud, session).last(), Some(&FUNCTION));
    }
}

#[tokio::test]
async fn workers_are_replaced_and_scaled_in_while_they_run_sessions() {
    let cloud = cloud("container").await;
    let session = open(&cloud, "ana").await;
    let speech = Speech::of(&cloud, 3);
    let speaker = speech.spoken_into(&session);
    first_checkpoint(&session).await;
    cloud.update_workers(json!({"forceNewDeployment": true})).await.unwrap();
    let replaced = async || {
        let workers = cloud.workers().await.unwrap();
        workers.len() == 2 && workers.iter().all(|worker| worker["deployment"] == 2)
    };
    until("the replacement of both workers", replaced).await;
    for count in [1, 3, 1] {
        cloud.update_workers(json!({ "desiredCount": count })).await.unwrap();
        let scaled = async || {
            let workers = cloud.workers().await.unwrap();
            workers.len() == count && workers.iter().all(|worker| worker["stopping"] == false)
        };
        until("another number of workers", scaled).await;
    }
    let run = arrives_in_time(&session, &speech, speaker).await;
    assert!(run.consumers() >= 2, "no worker that stopped had the session");
    assert!(assert_handed_off(&cloud, &session, &run).await < GAP_SECONDS);
    let state = cloud.state().await.unwrap();
    for worker in state["tasks"]["services"][0]["stopped"].as_array().unwrap() {
        // One that was stopped as it started has no handler of SIGTERM yet, and no session.
        assert_ne!(worker["lastEnd"], "signal: 9 (SIGKILL)", "within StopTimeout");
    }
}

/// A start that no worker has received when the workers go: the health check starts the session.
#[tokio::test]
async fn a_start_that_waits_for_workers_which_are_removed_is_made_by_the_health_check() {
    let arguments = ["--consumer-host", "container", "--workers", "0"].map(str::to_owned).to_vec();
    let cloud = Cloud::start(Options { time_scale: 20, arguments, ..Options::default() });
    let cloud = cloud.await.unwrap();
    let session = open(&cloud, "ana").await;
    until("a start that waits", async || cloud.starts().await.unwrap() == (1, 0)).await;
    cloud.deploy(json!({"ConsumerHost": "lambda"})).await.unwrap();
    let recording = testkit::recording();
    session.say(&recording).await.unwrap();
    let held = |item: &Value| item["owner"].is_object();
    session.streams_item("a run", TIMEOUT, held).await.unwrap();
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    run.assert_whole();
    assert_eq!(hosts(&cloud, &session), [FUNCTION]);
}

/// Builds run side by side while a deployment replaces one by the other: what the previous one
/// wrote and published is continued.
#[tokio::test]
async fn a_session_of_the_previous_version_is_continued_on_both_hosts() {
    for host in ["lambda", "container"] {
        let cloud = cloud(host).await;
        let session = open(&cloud, "ana").await;
        let speech = Speech::of(&cloud, 3);
        let speaker = speech.spoken_into(&session);
        let settled = |item: &Value| checkpoint(item)["next"].as_u64() > Some(SETTLED);
        session.streams_item("settled fragments", TIMEOUT, settled).await.unwrap();

        // The run is killed, so that nothing replaces the checkpoint. Its lease expires before the
        // event, or the message, is tried again.
        let mut runs = cloud.processes(FUNCTION).await.unwrap();
        let workers = cloud.workers().await.unwrap();
        runs.extend(workers.iter().filter_map(|worker| worker["pid"].as_u64()));
        signal("KILL", &runs);
        let item = cloud.item("Streams", session.id()).await.unwrap().unwrap();
        let epoch: u64 = item["epoch"]["N"].as_str().unwrap().parse().unwrap();
        store(&cloud, &session, &version_3(checkpoint(&item))).await;
        let continuation = json!({
            "environment": "dev", "sessionId": session.id(), "action": "continue", "epoch": epoch,
            "version": 3, "traceId": null,
        });
        cloud.put_event("Session Continuation", &continuation).await.unwrap();
        let resumed = |item: &Value| {
            item["epoch"]["N"] != json!(epoch.to_string()) && checkpoint(item)["version"] == 4
        };
        session.streams_item("a checkpoint of the next run", TIMEOUT, resumed).await.unwrap();

        // From the checkpoint, which is up to 12 s old, and not from the start.
        let run = arrives(&session, &speech, speaker).await;
        assert!(run.figures["offeredTwice"].as_u64() < Some(SETTLED), "{}", run.figures);
    }
}

fn checkpoint(item: &Value) -> Value {
    item["checkpoint"]["S"].as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

/// Returns a checkpoint in the form of version 3: fragments are objects, and fingerprints a list.
fn version_3(mut checkpoint: Value) -> Value {
    assert_eq!(checkpoint["version"], 4);
    checkpoint["version"] = json!(3);
    for fragment in checkpoint["fragments"].as_array_mut().unwrap() {
        let parts: Vec<&str> = fragment.as_str().unwrap().splitn(4, ' ').collect();
        let number = |text: &str| text.parse::<u64>().unwrap();
        let content = Some(parts[2]).filter(|content| *content != "-");
        *fragment = json!({
            "end": number(parts[0]), "durationMs": number(parts[1]), "content": content,
            "anchor": parts[3],
        });
    }
    // Without fingerprints of earlier fragments: nothing is sent again here.
    checkpoint["contents"] = json!([]);
    checkpoint
}

async fn store(cloud: &Cloud, session: &Session<'_>, checkpoint: &Value) {
    let update = json!({
        "TableName": "Streams-dev", "Key": {"sessionId": {"S": session.id()}},
        "UpdateExpression": "SET checkpoint = :checkpoint",
        "ExpressionAttributeValues": {":checkpoint": {"S": checkpoint.to_string()}},
    });
    cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await.unwrap();
}
