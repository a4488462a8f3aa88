//! Guarantee: everything that happens for a session because of one cause is one trace of X-Ray:
//! from the request through the event, the consumer and its hand-offs to the processor; and from a
//! health check to the consumer that it restarts. Failures are marked where they happened, and a
//! process that is killed loses no part that has ended.

use std::time::{Duration, Instant};

use e2e::{Cloud, Node, Options, Trace, signal};
use serde_json::{Value, json};

const HANDLER: &str = "session-http-handler-dev";
const CONSUMER: &str = "kvs-stream-consumer-dev";
const PROCESSOR: &str = "audio-processor-dev";
const FUNCTION: &str = "AWS::Lambda::Function";

/// The samples of the recording in whole chunks of 500 ms; the rest waits for more speech.
const WHOLE_CHUNKS: u64 = 73 * 8_000;

/// X-Ray's limit for the documents of one trace.
const MAX_TRACE: usize = 500_000;

/// Asserts that a trace has one root, fits into X-Ray, and that its segments have what X-Ray and an
/// operator need.
#[track_caller]
fn assert_joined(trace: &Trace, origin: &str) -> usize {
    let [root] = &trace.roots[..] else { panic!("not joined: {trace}") };
    assert_eq!((root.text("name"), root.text("origin")), (origin, "AWS::Lambda"), "{trace}");
    assert!(trace.text.len() < MAX_TRACE / 10, "{} bytes", trace.text.len());
    for secret in ["Bearer", "eyJ", "audioData", "X-Amz-Security-Token"] {
        assert!(!trace.text.contains(secret), "{secret} in {}", trace.text);
    }
    for name in ["DynamoDB", "EventBridge", "Lambda", "Kinesis Video", "Kinesis Video Media"] {
        for call in trace.all(name) {
            assert_eq!(call.text("namespace"), "aws");
            assert!(call.at("aws/operation").is_string(), "{:?}", call.body);
        }
    }
    trace.text.len()
}

#[track_caller]
fn assert_annotated(node: &Node, session_id: &str, epoch: u64) {
    let wanted = json!({ "sessionId": session_id, "epoch": epoch });
    assert_eq!(*node.at("annotations"), wanted, "{}", node.text("name"));
}

#[tokio::test]
async fn a_request_is_one_trace_to_the_processor() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    session.say(&testkit::recording()).await.unwrap();
    session.end().await.unwrap();
    session.drained(Duration::from_secs(90)).await.unwrap();

    let consumer = ["create session", CONSUMER, "Attempt #1", FUNCTION, "Invocation", "start"];
    let delivered = [&consumer[..], &["deliver", "Lambda", PROCESSOR, FUNCTION, "accept"]].concat();
    let stored = [&delivered[..], &["DynamoDB"]].concat();
    let put = [HANDLER, FUNCTION, "Invocation", "create session", "EventBridge"];
    let read = [&consumer[..], &["Kinesis Video Media"]].concat();
    let trace = cloud.trace_with(session.id(), &[&put, &read, &stored]).await.unwrap();
    let is_over = async || {
        let traces = cloud.traces_of(session.id()).await.unwrap();
        let found = traces.into_iter().find(|it| it.id == trace.id);
        found.filter(|it| it.find(&["deliver"]).is_some_and(|it| !it.is("in_progress")))
    };
    let trace = until(is_over).await;
    println!("{trace}{} bytes", assert_joined(&trace, HANDLER));
    assert_annotated(trace.find(&["deliver"]).unwrap(), session.id(), 1);
    assert_annotated(trace.find(&delivered).unwrap(), session.id(), 1);
    let create = trace.find(&["create session"]).unwrap();
    assert_eq!(create.at("annotations/sessionId"), session.id());
    assert_eq!(trace.find(&put).unwrap().at("http/response/status"), 200);

    // A run makes more calls than a trace can hold: the others are counted, and the invocations of
    // the processor are not sampled.
    let deliver = trace.find(&["deliver"]).unwrap();
    let counted = deliver.at("metadata/default/callsNotRecorded");
    let chunks = counted["Lambda Invoke"].as_u64().unwrap();
    assert!(chunks > 3, "{counted}");
    let runs = trace.all("accept").len();
    assert_eq!(runs, 3, "{trace}");

    let end = ["end session", CONSUMER, FUNCTION, "stop"];
    let trace = cloud.trace_with(session.id(), &[&end]).await.unwrap();
    assert_joined(&trace, HANDLER);
}

#[tokio::test]
async fn a_hand_off_continues_the_trace() {
    let parameters = vec!["ConsumerTimeoutSeconds=120".to_owned()];
    let cloud = Cloud::start(Options { parameters, ..Options::default() }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let speech = e2e::Packets::of(&testkit::recording()).repeated(4); // 147 s
    let file = cloud.scratch("long.mka");
    std::fs::write(&file, speech.file()).unwrap();
    session.say(&file).await.unwrap();
    session.end().await.unwrap();
    session.drained(Duration::from_secs(90)).await.unwrap();

    let next = ["create session", "start", "deliver", "hand off", "Lambda", CONSUMER, FUNCTION];
    let taken = [&next[..], &["continue", "take over"]].concat();
    let delivered =
        [&next[..], &["continue", "deliver", "Lambda", PROCESSOR, FUNCTION, "accept"]].concat();
    let trace = cloud.trace_with(session.id(), &[&taken, &delivered]).await.unwrap();
    println!("{trace}{} bytes", assert_joined(&trace, HANDLER));
    assert_annotated(trace.find(&["start", "deliver", "hand off"]).unwrap(), session.id(), 1);
    assert_annotated(trace.find(&["continue", "deliver"]).unwrap(), session.id(), 2);
    assert_annotated(trace.find(&delivered).unwrap(), session.id(), 2);
}

#[tokio::test]
async fn a_repair_by_the_health_check_is_one_trace() {
    // In real time, so that only this test runs the health check.
    let cloud = Cloud::start(Options { time_scale: 1, ..Options::default() }).await.unwrap();
    // No consumer sees the event: it is answered in its place.
    let lost = json!({
        "service": "lambda", "operation": "Invoke", "target": "kvs-stream-consumer",
        "kind": "answer", "extra": { "answer": null },
    });
    cloud.inject_fault(lost).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    cloud.trace_with(session.id(), &[&["create session", CONSUMER, "Attempt #1"]]).await.unwrap();
    cloud.all_faults_triggered().await.unwrap();
    make_old(&cloud, session.id()).await;
    let check = json!({ "action": "health_check", "source": "cloudwatch_events" });
    let summary = cloud.invoke("kvs-stream-consumer", &check).await.unwrap();
    assert_eq!(summary["restarted"], 1, "{summary}");

    let restart = [CONSUMER, FUNCTION, "Invocation", "health check", "restart"];
    let run = [&restart[..], &["Lambda", CONSUMER, "Attempt #1", FUNCTION, "start", "deliver"]];
    let run = run.concat();
    let trace = cloud.trace_with(session.id(), &[&run]).await.unwrap();
    println!("{trace}{} bytes", assert_joined(&trace, CONSUMER));
    assert_eq!(trace.find(&restart).unwrap().at("annotations/sessionId"), session.id());
    let run = trace.find(&run).unwrap();
    assert_annotated(run, session.id(), 1);
    assert!(run.is("in_progress"), "the consumer runs: {trace}");
}

#[tokio::test]
async fn failures_are_marked_where_they_happened() {
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let faults =
        [json!({ "kind": "kill" }), json!({ "status": 429, "code": "TooManyRequestsException" })];
    for mut fault in faults {
        fault["service"] = json!("lambda");
        fault["operation"] = json!("Invoke");
        fault["target"] = json!("audio-processor");
        cloud.inject_fault(fault).await.unwrap();
    }
    let session = cloud.open("ana").await.unwrap();
    session.say(&testkit::recording()).await.unwrap();
    let accepted = ["create session", CONSUMER, "Attempt #1", "start", "deliver", "accept"];
    cloud.trace_with(session.id(), &[&accepted]).await.unwrap();
    cloud.all_faults_triggered().await.unwrap();
    // A process that is killed while it invokes the processor sends no segment of that call, to
    // which the processor's belongs.
    let began = Instant::now();
    while session.figures().await.unwrap()["nextSample"].as_u64() < Some(WHOLE_CHUNKS) {
        assert!(began.elapsed() < Duration::from_secs(60), "not delivered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cloud.idle("audio-processor").await.unwrap();
    signal("KILL", &cloud.processes("kvs-stream-consumer").await.unwrap());
    let retried = ["create session", CONSUMER, "Attempt #2", FUNCTION, "start", "deliver"];
    cloud.trace_with(session.id(), &[&retried]).await.unwrap();
    // While the retry runs, the processor's segment of a call may be there before the call's own.
    session.end().await.unwrap();
    session.drained(Duration::from_secs(90)).await.unwrap();
    let trace = cloud.trace_with(session.id(), &[&retried]).await.unwrap();
    println!("{trace}{} bytes", assert_joined(&trace, HANDLER));

    // The processor crashed, and the second call was throttled before it ran.
    let crashed = trace.find(&["Attempt #1", "Lambda", PROCESSOR, FUNCTION]).unwrap();
    assert!(crashed.is("fault"), "{trace}");
    let cause = message(crashed);
    assert!(cause.contains("Runtime exited with error: signal: killed"), "{cause}");
    let invoke = trace.all("Lambda").into_iter().find(|call| call.is("throttle")).unwrap();
    assert!(invoke.is("error") && !invoke.is("fault"));
    assert!(message(invoke).contains("TooManyRequestsException"), "{}", message(invoke));

    // The consumer was killed: what had ended by then is there, and what had not is in progress.
    let killed = trace.find(&[CONSUMER, "Attempt #1", FUNCTION]).unwrap();
    assert!(killed.is("fault"), "{trace}");
    assert!(trace.find(&["Attempt #1", "start", "deliver"]).unwrap().is("in_progress"));
    assert!(!trace.find(&["Attempt #2", FUNCTION]).unwrap().is("fault"), "{trace}");
}

/// Returns the message of a failure, and asserts that the document has no more of its cause.
#[track_caller]
fn message(node: &Node) -> String {
    let exceptions = node.at("cause/exceptions").as_array().unwrap();
    assert_eq!(exceptions.len(), 1);
    assert_eq!(exceptions[0].get("stack"), None);
    exceptions[0]["message"].as_str().unwrap().to_owned()
}

/// Waits until `found` returns something.
async fn until<T>(found: impl AsyncFn() -> Option<T>) -> T {
    let waiting = async {
        loop {
            match found().await {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("the end of the trace")
}

/// Sets the creation of a session's record to an hour ago.
async fn make_old(cloud: &Cloud, id: &str) {
    let record = cloud.item("Sessions", id).await.unwrap().unwrap();
    let created = record["createdAt"]["N"].as_str().unwrap().parse::<u64>().unwrap();
    let update = json!({
        "TableName": "Sessions-dev",
        "Key": { "sessionId": { "S": id } },
        "UpdateExpression": "SET createdAt = :created",
        "ExpressionAttributeValues": {
            ":created": { "N": (created - 3_600_000).to_string() },
        },
    });
    let answer: Value =
        cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await.unwrap();
    assert!(answer.is_object());
}
