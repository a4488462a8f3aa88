//! Guarantee: managed instances deliver sessions as the function does, many in one process. Each
//! session has its own traces, logs and metrics; one that fails or floods delays no other; a
//! process that crashes, an invocation that outlives its timeout, and instances that are full lose
//! no sample and repeat none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Packets, Session, SessionRun, signal};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// The function on managed instances, and its log.
const INSTANCES: &str = "kvs-stream-consumer-instances-dev";
/// Longest interval between two reads of the lease (`take_poll`), ms.
const POLL_MILLIS: u64 = 250;
const TIMEOUT: Duration = Duration::from_secs(120);

fn instances(count: u32, time_scale: u32) -> Options {
    let arguments = ["--consumer-host", "managed-instances", "--workers", &count.to_string()];
    let arguments = arguments.map(str::to_owned).to_vec();
    Options { time_scale, arguments, ..Options::default() }
}

/// Returns the template with a shorter timeout of the function on managed instances, in seconds.
fn with_timeout(seconds: u32) -> String {
    let template = e2e::template().unwrap();
    let changed = template.replace("Timeout: 5400\n", &format!("Timeout: {seconds}\n"));
    assert!(changed != template, "the timeout is not in the template");
    changed
}

/// Waits until `wanted` holds.
async fn until(what: &str, mut wanted: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !wanted().await {
        assert!(start.elapsed() < TIMEOUT, "{what} did not happen within {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Opens a session for each name. A request has a deadline in the cloud's time, so on a busy
/// machine not all at once.
async fn open<'a>(cloud: &'a Cloud, count: usize) -> Vec<Session<'a>> {
    let mut sessions = Vec::new();
    for number in 0..count {
        sessions.push(cloud.open(&format!("speaker-{number}")).await.unwrap());
    }
    sessions
}

/// Returns a speech for each session: the recording, beginning at another packet each time.
fn speeches(count: usize) -> Vec<Packets> {
    let recording = Packets::of(&testkit::recording());
    let speech = |number: usize| {
        let mut packets = recording.packets.clone();
        let first = number * packets.len() / count;
        packets.rotate_left(first);
        Packets { packets, pre_skip: recording.pre_skip }
    };
    (0..count).map(speech).collect()
}

/// Writes a speech to a file of the cloud's data.
fn written(cloud: &Cloud, name: &str, speech: &Packets) -> std::path::PathBuf {
    let file = cloud.scratch(&format!("{name}.mka"));
    std::fs::write(&file, speech.file()).unwrap();
    file
}

fn json_lines(log: &str) -> impl Iterator<Item = Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// Waits until the run of a session has delivered something.
async fn delivers(session: &Session<'_>) {
    let started = |item: &Value| item["checkpoint"].is_object();
    session.streams_item("the first checkpoint", TIMEOUT, started).await.unwrap();
}

/// Returns the states of the function's processes that run invocations.
async fn working(cloud: &Cloud) -> Vec<Value> {
    let state = cloud.function(INSTANCES).await.unwrap();
    let all = state["instances"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|it| it["doing"] == "working").collect()
}

/// Speaks into all sessions at once.
async fn all_say(cloud: &Cloud, sessions: &[Session<'_>], speeches: &[Packets]) {
    let files: Vec<_> = sessions
        .iter()
        .zip(speeches)
        .map(|(session, speech)| written(cloud, session.id(), speech))
        .collect();
    let said = sessions.iter().zip(&files).map(|(session, file)| session.say(file));
    join_all(said).await.into_iter().for_each(|said| said.unwrap());
}

#[tokio::test]
async fn many_sessions_in_one_process_arrive_whole_each_with_its_own_records() {
    const COUNT: usize = 12;
    let cloud = Cloud::start(instances(1, 4)).await.unwrap();
    let (sessions, speeches) = (open(&cloud, COUNT).await, speeches(COUNT));
    all_say(&cloud, &sessions, &speeches).await;
    let [process] = &working(&cloud).await[..] else { panic!("not one process") };
    assert_eq!(process["running"], COUNT, "each session is an invocation of it");
    for session in &sessions {
        session.end().await.unwrap();
    }
    let mut delivered = BTreeMap::new();
    for (session, speech) in sessions.iter().zip(&speeches) {
        let run = SessionRun::drained_within(session, speech, TIMEOUT).await.unwrap();
        run.assert_whole();
        assert_eq!((run.consumers(), &run.wav), (1, &run.spoken), "its own audio, exactly");
        assert_eq!(run.figures["traces"], 1, "{}", run.figures);
        delivered.insert(session.id(), run.spoken.len());
    }
    cloud.runs_finished(INSTANCES, COUNT as u64).await.unwrap();
    assert!(!cloud.log("kvs-stream-consumer").contains("run finished"), "the function ran one");

    // Every line and every metric names its session; the audio in the metrics is its own.
    let mut seconds = BTreeMap::<String, f64>::new();
    for line in json_lines(&cloud.log(INSTANCES)) {
        let id = line["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {line}"));
        assert!(delivered.contains_key(id), "{line}");
        *seconds.entry(id.to_owned()).or_default() +=
            line["AudioSecondsDelivered"].as_f64().unwrap_or_default();
    }
    for (id, samples) in &delivered {
        assert_eq!((seconds[*id] * 16_000.0).round(), *samples as f64, "{id}");
    }

    // Its traces contain no other session.
    let mut ids = BTreeSet::new();
    for session in &sessions {
        let start = ["create session", INSTANCES, "Attempt #1", "start", "deliver"];
        let trace = cloud.trace_with(session.id(), &[&start]).await.unwrap();
        for other in sessions.iter().filter(|other| other.id() != session.id()) {
            assert!(!trace.text.contains(other.id()), "{} in {trace}", other.id());
        }
        ids.insert(trace.id);
    }
    assert_eq!(ids.len(), COUNT);
}

#[tokio::test]
async fn a_session_that_fails_and_one_that_floods_delay_no_other() {
    const OTHERS: usize = 4;
    let cloud = Cloud::start(instances(1, 4)).await.unwrap();
    let (sessions, speeches) = (open(&cloud, OTHERS + 2).await, speeches(OTHERS + 2));
    let [failing, flooding, others @ ..] = &sessions[..] else { panic!("{sessions:?}") };

    // The processor cannot read this session's watermark.
    let key = json!({ "sessionId": { "S": failing.id() } });
    let broken = json!({
        "sessionId": { "S": failing.id() }, "epoch": { "S": "broken" }, "nextSample": { "S": "" },
    });
    let put = json!({ "TableName": "Processed-dev", "Item": broken });
    cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", put).await.unwrap();
    // Six minutes of speech at once, while the others speak in real time of the cloud.
    let flood = speeches[1].repeated(10);
    let flood_file = written(&cloud, "flood", &flood);
    let files: Vec<_> = sessions
        .iter()
        .zip(&speeches)
        .map(|(it, speech)| written(&cloud, it.id(), speech))
        .collect();
    let mut flooder = flooding.speak(&flood_file, 1_000).unwrap();
    let mut failed = failing.speak(&files[0], 4).unwrap();
    let said = others.iter().zip(&files[2..]).map(|(session, file)| session.say(file));
    join_all(said).await.into_iter().for_each(|said| said.unwrap());
    for session in others {
        session.end().await.unwrap();
    }
    for (session, speech) in others.iter().zip(&speeches[2..]) {
        let run = SessionRun::drained_within(session, speech, TIMEOUT).await.unwrap();
        run.assert_whole();
        assert_eq!(run.consumers(), 1);
    }
    let figures = failing.figures().await.unwrap();
    assert_eq!(figures["samplesDelivered"], 0, "the session did not fail: {figures}");
    let mut latest = Vec::new();
    for line in json_lines(&cloud.log(INSTANCES)) {
        let is_other = others.iter().any(|it| line["sessionId"] == it.id());
        let values = line["DeliveryLatencyMillis"].as_array().into_iter().flatten();
        let values = values.filter_map(Value::as_u64).chain(line["DeliveryLatencyMillis"].as_u64());
        latest.extend(values.filter(|_| is_other));
    }
    println!("latest delivery of the others: {:?} ms", latest.iter().max());
    assert!(latest.iter().max().unwrap() < &10_000, "{latest:?}");

    // Both arrive, too.
    assert!(flooder.wait().await.unwrap().success() && failed.wait().await.unwrap().success());
    let delete = json!({ "TableName": "Processed-dev", "Key": key });
    cloud.aws("dynamodb", "DynamoDB_20120810.DeleteItem", delete).await.unwrap();
    for (session, speech) in [(failing, &speeches[0]), (flooding, &flood)] {
        session.end().await.unwrap();
        SessionRun::drained_within(session, speech, TIMEOUT).await.unwrap().assert_whole();
    }
}

#[tokio::test]
async fn a_killed_process_loses_none_of_its_sessions() {
    const COUNT: usize = 4;
    let cloud = Cloud::start(instances(1, 10)).await.unwrap();
    let sessions = open(&cloud, COUNT).await;
    let speeches: Vec<_> = speeches(COUNT).iter().map(|speech| speech.repeated(2)).collect();
    let mut speakers = Vec::new();
    for (session, speech) in sessions.iter().zip(&speeches) {
        speakers.push(session.speak(&written(&cloud, session.id(), speech), 10).unwrap());
    }
    for session in &sessions {
        delivers(session).await;
    }
    let killed = cloud.processes(INSTANCES).await.unwrap();
    assert_eq!(killed.len(), 1);
    signal("KILL", &killed);
    for (session, speaker) in sessions.iter().zip(&mut speakers) {
        assert!(speaker.wait().await.unwrap().success());
        session.end().await.unwrap();
    }
    for (session, speech) in sessions.iter().zip(&speeches) {
        let run = SessionRun::drained_within(session, speech, TIMEOUT).await.unwrap();
        run.assert_whole();
        assert!(run.consumers() >= 2, "its process was not killed");
    }
    let now = cloud.processes(INSTANCES).await.unwrap();
    assert!(now.len() == 1 && now != killed, "{now:?}");
}

#[tokio::test]
async fn a_session_longer_than_the_timeout_is_handed_over_by_events() {
    let cloud = Cloud::start_on(instances(2, 10), &with_timeout(120)).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let speech = Packets::of(&testkit::recording()).repeated(8); // 293 s
    session.say(&written(&cloud, "long", &speech)).await.unwrap();
    session.end().await.unwrap();
    let run = SessionRun::drained(&session, &speech).await.unwrap();
    run.assert_whole();
    assert!(run.consumers() >= 2, "only {} consumers", run.consumers());
    assert_eq!(run.figures["traces"], 1, "{}", run.figures);
    cloud.runs_finished(INSTANCES, run.consumers()).await.unwrap();
    let log = cloud.log(INSTANCES);
    let gaps: Vec<_> =
        json_lines(&log).filter_map(|line| line["HandOffGapMillis"].as_u64()).collect();
    println!("gaps at hand-offs: {gaps:?} ms");
    assert_eq!(gaps.len() as u64, run.consumers() - 1, "each but the first took over");
    assert!(gaps.iter().all(|gap| gap + POLL_MILLIS < 1_000), "{gaps:?}");
    assert_eq!(log.matches("continuing stream processing").count(), gaps.len());
    assert_eq!(cloud.function(INSTANCES).await.unwrap()["timeouts"], 0);
    // Over the bus. The other function does the health check.
    assert!(!cloud.log("kvs-stream-consumer").contains("forwarded to"));
}

#[tokio::test]
async fn a_run_hands_off_before_ninety_minutes_have_passed() {
    // 90 s of real time.
    let parameters = vec!["SessionIdleMinutes=1440".to_owned()];
    let options = Options { parameters, ..instances(1, 60) };
    let cloud = Cloud::start(options).await.unwrap();
    let state = cloud.function(INSTANCES).await.unwrap();
    assert_eq!(state["timeoutSeconds"], 5_400, "Lambda's maximum");
    let session = cloud.open("ana").await.unwrap();
    delivers_again(&cloud, &session).await;
    let handed_over = |item: &Value| item["epoch"]["N"] == "2" && item["owner"].is_object();
    session.streams_item("the hand-off", TIMEOUT, handed_over).await.unwrap();
    delivers_again(&cloud, &session).await;
    session.end().await.unwrap();
    let speech = Packets::of(&testkit::recording());
    session.drained(TIMEOUT).await.unwrap();
    let figures = session.figures().await.unwrap();
    assert_eq!(figures["samplesDuplicated"], 0, "{figures}");
    let at_least = 2 * speech.samples().len();
    assert!(figures["samplesDelivered"].as_u64() >= Some(at_least as u64), "{figures}");
    assert!(cloud.log(INSTANCES).contains("continuing stream processing"), "no hand-off");
    assert_eq!(cloud.function(INSTANCES).await.unwrap()["timeouts"], 0);
}

/// Speaks, and waits until more is delivered.
async fn delivers_again(cloud: &Cloud, session: &Session<'_>) {
    let delivered = async || match session.figures().await {
        Ok(figures) => figures["samplesDelivered"].as_u64().unwrap_or_default(),
        Err(_) => 0,
    };
    let before = delivered().await;
    session.say(&testkit::recording()).await.unwrap();
    until("a delivery", async || delivered().await > before).await;
    assert_eq!(cloud.function(INSTANCES).await.unwrap()["errors"], 0);
}

#[tokio::test]
async fn an_invocation_that_outlives_its_timeout_delivers_nothing_twice() {
    let cloud = Cloud::start_on(instances(2, 10), &with_timeout(120)).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let speech = Packets::of(&testkit::recording()).repeated(4);
    let mut speaker = session.speak(&written(&cloud, "long", &speech), 10).unwrap();
    delivers(&session).await;
    // As slow as can be: it neither hands off nor ends.
    let [slow] = &working(&cloud).await[..] else { panic!("not one process") };
    let slow = [slow["pid"].as_u64().unwrap()];
    signal("STOP", &slow);
    let timed_out = async || cloud.function(INSTANCES).await.unwrap()["timeouts"] == 1;
    until("the timeout", timed_out).await;
    let taken = |item: &Value| item["epoch"]["N"] == "2" && item["owner"].is_object();
    session.streams_item("the retry", TIMEOUT, taken).await.unwrap();
    signal("CONT", &slow);
    assert!(speaker.wait().await.unwrap().success());
    session.end().await.unwrap();
    let run = SessionRun::drained_within(&session, &speech, TIMEOUT).await.unwrap();
    run.assert_whole();
    assert!(cloud.processes(INSTANCES).await.unwrap().contains(&slow[0]), "it was not killed");
}

#[tokio::test]
async fn a_session_without_a_place_is_delivered_once_there_is_one() {
    let parameters = vec!["InstancesMaxConcurrency=1".to_owned()];
    let cloud = Cloud::start(Options { parameters, ..instances(1, 10) }).await.unwrap();
    let (sessions, speeches) = (open(&cloud, 2).await, speeches(2));
    all_say(&cloud, &sessions, &speeches).await;
    let state = cloud.function(INSTANCES).await.unwrap();
    assert!(state["throttles"].as_u64() > Some(0), "{state}");
    assert_eq!(state["instances"][0]["running"], 1, "{state}");
    for session in &sessions {
        session.end().await.unwrap();
    }
    for (session, speech) in sessions.iter().zip(&speeches) {
        SessionRun::drained_within(session, speech, TIMEOUT).await.unwrap().assert_whole();
    }
    let started = cloud.function(INSTANCES).await.unwrap();
    assert_eq!(started["started"], 1, "a throttled invocation starts no process");
}

#[tokio::test]
async fn an_event_that_fails_permanently_is_dead_lettered_after_three_tries() {
    let cloud = Cloud::start(instances(2, 60)).await.unwrap();
    let detail = json!({"sessionId": "../etc/passwd", "status": "ACTIVE"});
    cloud.put_status_change(&detail).await.unwrap();
    let letters = cloud.dead_letter_events(1).await.unwrap();
    let arn = letters[0]["requestContext"]["functionArn"].as_str().unwrap();
    assert!(arn.ends_with(&format!(":function:{INSTANCES}:live")), "{arn}");
    assert_eq!(letters[0]["requestPayload"]["detail"], detail);
    assert_eq!(cloud.log(INSTANCES).matches("invocation failed").count(), 3);
}

/// A hand-off of an invocation that began before the instances ran the sessions.
#[tokio::test]
async fn the_function_forwards_what_it_receives_to_the_alias() {
    let cloud = Cloud::start(instances(1, 10)).await.unwrap();
    // The event is lost: only the forwarded one starts the session.
    let lost = json!({"service": "events", "operation": "Deliver", "kind": "cut"});
    cloud.inject_fault(lost).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    until("the fault", async || cloud.pending_faults().await.unwrap().is_empty()).await;
    let start = json!({"sessionId": session.id(), "action": "start"});
    let answer = cloud.invoke("kvs-stream-consumer", &start).await.unwrap();
    assert_eq!(answer, json!({"sessionId": session.id(), "outcome": "forwarded"}));
    session.say(&testkit::recording()).await.unwrap();
    session.end().await.unwrap();
    let speech = Packets::of(&testkit::recording());
    SessionRun::drained(&session, &speech).await.unwrap().assert_whole();

    let check = json!({"action": "health_check"});
    let refused = cloud.invoke(&format!("{INSTANCES}:live"), &check).await.unwrap();
    assert_eq!(refused["errorType"], "InvalidEvent", "{refused}");
    let unqualified = cloud.invoke(INSTANCES, &check).await.unwrap();
    assert!(
        unqualified["Message"].as_str().unwrap().contains("Function not found"),
        "{unqualified}"
    );
}
