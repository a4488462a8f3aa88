//! Invoke as AWS answers it, through real processes: answers, errors, timeouts, crashes, throttles,
//! many at once, retries of events, faults, and an end that leaves no process behind.

use std::time::{Duration, Instant};

use crate::support::TestCloud;
use base64::Engine;
use serde_json::{Value, json};

#[tokio::test]
async fn a_function_answers_with_its_context() {
    let cloud = TestCloud::start(1).await;
    let sent_ms = local_aws::clock::real_now_ms();
    for name in [
        "echo-dev",
        "echo",
        "echo-dev:$LATEST",
        "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aecho-dev",
    ] {
        let answer = cloud.invoke(name, json!({"a": 1})).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-amz-function-error"), None);
        assert_eq!(answer.header("x-amz-executed-version").unwrap(), "$LATEST");
        assert_eq!(answer.body["event"], json!({"a": 1}));
        assert_eq!(answer.body["requestId"], answer.header("x-amzn-requestid").unwrap());
        assert_eq!(answer.body["arn"], "arn:aws:lambda:us-east-1:000000000000:function:echo-dev");
        let left = answer.body["deadlineMs"].as_i64().unwrap() - sent_ms;
        assert!((29_000..45_000).contains(&left), "{left} ms to a deadline of 30 s");
        let environment = &answer.body["environment"];
        assert_eq!(environment["ITEMS_TABLE"], "Items-dev");
        assert_eq!(environment["AWS_ENDPOINT_URL"], cloud.url());
        assert_eq!(environment["AWS_LAMBDA_FUNCTION_NAME"], "echo-dev");
        assert_eq!(environment["TIME_SCALE"], "1");
        assert_eq!(environment["HOME"], Value::Null);
    }
    let state = cloud.function("echo-dev").await;
    assert_eq!((&state["invocations"], &state["started"]), (&json!(4), &json!(1)));
}

#[tokio::test]
async fn a_trace_is_handed_on() {
    let cloud = TestCloud::start(1).await;
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    for (sent, sampled) in [(";Parent=53995c3f42cd8ad8;Sampled=1", 1), ("", 0)] {
        let sent = format!("{root}{sent}");
        let answer = cloud.request("echo", json!({}), &[("x-amzn-trace-id", &*sent)]).await;
        let trace = answer.body["trace"].as_str().unwrap();
        // The parent is the segment of the function.
        let parent = trace.strip_prefix(&format!("{root};Parent=")).unwrap();
        assert!(!parent.starts_with("53995c3f42cd8ad8"), "{trace}");
        assert!(parent[16..].starts_with(&format!(";Sampled={sampled};Lineage=")), "{trace}");
        let environment = &answer.body["environment"];
        let daemon = environment["AWS_XRAY_DAEMON_ADDRESS"].as_str().unwrap();
        assert!(daemon.starts_with("127.0.0.1:"), "{daemon}");
        assert_eq!(environment["AWS_XRAY_CONTEXT_MISSING"], "LOG_ERROR");
    }
    let answer = cloud.invoke("echo", json!({})).await;
    assert!(answer.body["trace"].as_str().unwrap().starts_with("Root=1-"));
}

#[tokio::test]
async fn a_client_context_is_decoded_and_a_wrong_one_is_refused() {
    let cloud = TestCloud::start(1).await;
    let encoded = |context: &str| base64::engine::general_purpose::STANDARD.encode(context);
    let context = encoded(r#"{"custom": {"who": "ana"}}"#);
    let answer = cloud.request("echo", json!({}), &[("x-amz-client-context", &context)]).await;
    assert_eq!(answer.body["clientContext"]["custom"], json!({"who": "ana"}));
    assert_eq!(cloud.invoke("echo", json!({})).await.body["clientContext"], Value::Null);

    let long = encoded(&format!(r#"{{"custom": {{"who": "{}"}}}}"#, "a".repeat(2_700)));
    for wrong in ["{}", &encoded("[]"), &long] {
        let answer = cloud.request("echo", json!({}), &[("x-amz-client-context", wrong)]).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.header("x-amzn-errortype").unwrap().contains("InvalidRequestContent"));
    }
}

#[tokio::test]
async fn a_failing_function_is_a_success_with_a_header() {
    let cloud = TestCloud::start(1).await;
    let answer = cloud.invoke("echo", json!({"do": "fail"})).await;
    assert_eq!((answer.status, answer.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(answer.body["errorMessage"], "failed as requested");
    assert!(answer.body["errorType"].is_string());
}

#[tokio::test]
async fn a_crash_is_an_exit_error_and_the_next_invocation_gets_a_new_process() {
    let cloud = TestCloud::start(1).await;
    let first = cloud.invoke("echo", json!({})).await.body["pid"].clone();
    let answer = cloud.invoke("echo", json!({"do": "exit"})).await;
    assert_eq!((answer.status, answer.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(answer.body["errorType"], "Runtime.ExitError");
    let message = answer.body["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("Error: Runtime exited with error: exit status 3"), "{message}");
    let second = cloud.invoke("echo", json!({})).await.body["pid"].clone();
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_process_that_cannot_start_says_so() {
    let cloud = TestCloud::start(1).await;
    let answer = cloud.invoke("unstartable-dev", json!({})).await;
    assert_eq!(answer.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!(answer.body["errorType"], "Runtime.ExitError");
    assert!(answer.body["errorMessage"].as_str().unwrap().ends_with("exit status 7"));
}

#[tokio::test]
async fn an_invocation_is_killed_at_its_timeout() {
    let cloud = TestCloud::start(1).await;
    let started = Instant::now();
    let answer = cloud.invoke("short-dev", json!({"do": "sleep", "ms": 60_000})).await;
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(answer.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!(answer.body["errorType"], "Sandbox.Timedout");
    let message = answer.body["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("Task timed out after 1.00 seconds"), "{message}");
    cloud
        .until("the killed process is gone", async |cloud: &TestCloud| {
            cloud.function("short-dev").await["instances"] == json!([])
        })
        .await;
}

#[tokio::test]
async fn timeouts_run_on_the_scaled_clock() {
    let cloud = TestCloud::start(10).await;
    let sent_ms = local_aws::clock::real_now_ms();
    let answer = cloud.invoke("echo", json!({})).await;
    let left = answer.body["deadlineMs"].as_i64().unwrap() - sent_ms;
    assert!((2_900..18_000).contains(&left), "{left} ms to a deadline of 30 s, ten times as fast");
    assert_eq!(answer.body["environment"]["TIME_SCALE"], "10");
}

#[tokio::test]
async fn many_run_at_once_and_idle_ones_are_used_again() {
    let cloud = TestCloud::start(1).await;
    let slow = || cloud.invoke("echo", json!({"do": "sleep", "ms": 700}));
    let (a, b, c) = tokio::join!(slow(), slow(), slow());
    let mut pids = vec![a.body["pid"].clone(), b.body["pid"].clone(), c.body["pid"].clone()];
    pids.dedup();
    assert_eq!(pids.len(), 3, "three at once need three processes");
    let again = cloud.invoke("echo", json!({})).await.body["pid"].clone();
    assert!(pids.contains(&again), "an idle process is used again");
    assert_eq!(cloud.function("echo-dev").await["started"], 3);
}

#[tokio::test]
async fn reserved_concurrency_throttles() {
    let cloud = TestCloud::start(1).await;
    let slow = cloud.invoke("short-dev", json!({"do": "sleep", "ms": 800}));
    let second = async {
        cloud
            .until("the first runs", async |cloud: &TestCloud| {
                cloud.function("short-dev").await["running"] == 1
            })
            .await;
        cloud.invoke("short-dev", json!({})).await
    };
    let (first, second) = tokio::join!(slow, second);
    assert_eq!(first.status, 200);
    assert_eq!(second.status, 429);
    assert_eq!(second.header("x-amzn-errortype"), Some("TooManyRequestsException"));
    assert_eq!(second.body["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
}

#[tokio::test]
async fn wrong_requests_are_refused_as_by_aws() {
    let cloud = TestCloud::start(1).await;
    let missing = cloud.invoke("missing", json!({})).await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("x-amzn-errortype"), Some("ResourceNotFoundException"));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:missing";
    assert_eq!(missing.body["Message"], format!("Function not found: {arn}"));

    let garbled = cloud.raw("echo", b"{nope".to_vec(), &[]).await;
    assert_eq!(garbled.header("x-amzn-errortype"), Some("InvalidRequestContentException"));

    let large = format!("\"{}\"", "x".repeat(local_aws::lambda::MAX_ASYNC_PAYLOAD));
    let event = [("x-amz-invocation-type", "Event")];
    let refused = cloud.raw("echo", large.clone().into_bytes(), &event).await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.header("x-amzn-errortype"), Some("RequestTooLargeException"));
    assert_eq!(cloud.raw("echo", large.into_bytes(), &[]).await.status, 200);

    let dry = cloud.request("echo", json!({}), &[("x-amz-invocation-type", "DryRun")]).await;
    assert_eq!(dry.status, 204);
}

#[tokio::test]
async fn an_event_is_taken_at_once_and_retried_twice() {
    let cloud = TestCloud::start(200).await;
    let event = [("x-amz-invocation-type", "Event")];
    let answer = cloud.request("echo", json!({"do": "fail"}), &event).await;
    assert_eq!((answer.status, answer.body), (202, Value::Null));
    cloud
        .until("three attempts", async |cloud: &TestCloud| {
            cloud.function("echo-dev").await["errors"] == 3
        })
        .await;
    cloud
        .until("the event is given up", async |cloud: &TestCloud| {
            cloud.state().await["lambda"]["waitingEvents"] == 0
        })
        .await;
    assert_eq!(cloud.function("echo-dev").await["invocations"], 3);

    let queue = format!("{}/000000000000/dead-letters-dev", cloud.url());
    let receive = json!({ "QueueUrl": queue });
    let received = cloud.aws("sqs", "AmazonSQS.ReceiveMessage", receive).await;
    let record = received.body["Messages"][0]["Body"].as_str().unwrap();
    let record: Value = serde_json::from_str(record).unwrap();
    let context = &record["requestContext"];
    assert_eq!(context["condition"], "RetriesExhausted");
    assert_eq!(context["approximateInvokeCount"], 3);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:echo-dev:$LATEST";
    assert_eq!(context["functionArn"], arn);
    assert_eq!(record["requestPayload"], json!({"do": "fail"}));
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"]["errorMessage"], "failed as requested");
}

#[tokio::test]
async fn a_throttled_event_waits_for_its_turn() {
    let cloud = TestCloud::start(20).await;
    cloud
        .fault(json!({
            "service": "lambda", "operation": "Invoke", "target": "echo", "times": 2,
            "status": 429, "code": "TooManyRequestsException",
        }))
        .await;
    let event = [("x-amz-invocation-type", "Event")];
    assert_eq!(cloud.request("echo", json!({}), &event).await.status, 202);
    cloud
        .until("the third try", async |cloud: &TestCloud| {
            let state = cloud.function("echo-dev").await;
            state["invocations"] == 1 && state["errors"] == 0
        })
        .await;
}

#[tokio::test]
async fn faults_refuse_and_kill() {
    let cloud = TestCloud::start(1).await;
    cloud.fault(json!({"service": "lambda", "status": 500, "code": "ServiceException"})).await;
    let answer = cloud.invoke("echo", json!({})).await;
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (500, Some("ServiceException")));
    cloud.fault(json!({"service": "lambda", "kind": "kill", "delayMs": 200})).await;
    let answer = cloud.invoke("echo", json!({"do": "sleep", "ms": 20_000})).await;
    assert_eq!(answer.body["errorType"], "Runtime.ExitError");
    assert!(answer.body["errorMessage"].as_str().unwrap().ends_with("signal: killed"));
    assert_eq!(cloud.invoke("echo", json!({})).await.header("x-amz-function-error"), None);
}

#[tokio::test]
async fn a_kill_without_a_delay_wins_over_every_answer() {
    let cloud = TestCloud::start(1).await;
    for _ in 0..5 {
        cloud.fault(json!({"service": "lambda", "kind": "kill"})).await;
        let answer = cloud.invoke("echo", json!({})).await;
        assert_eq!(answer.body["errorType"], "Runtime.ExitError");
    }
}

#[tokio::test]
async fn a_chain_of_calls_is_stopped() {
    let cloud = TestCloud::start(1).await;
    let mut trace = String::new();
    for link in 0..17 {
        let headers = [("x-amzn-trace-id", trace.as_str())];
        let headers = if link == 0 { &[][..] } else { &headers[..] };
        let answer = cloud.request("echo", json!({}), headers).await;
        if link == 16 {
            assert_eq!(answer.header("x-amzn-errortype"), Some("RecursiveInvocationException"));
        } else {
            assert_eq!(answer.status, 200);
            trace = answer.body["trace"].as_str().unwrap().to_owned();
        }
    }
}

#[tokio::test]
async fn no_process_outlives_the_cloud() {
    let cloud = TestCloud::start(1).await;
    let pid = cloud.invoke("echo", json!({})).await.body["pid"].as_u64().unwrap();
    let process = std::path::PathBuf::from(format!("/proc/{pid}"));
    let known = process.exists();
    let busy = cloud.invoke("echo", json!({"do": "sleep", "ms": 60_000}));
    tokio::select! {
        _ = busy => panic!("it sleeps for a minute"),
        () = cloud.until("it runs", async |cloud: &TestCloud| {
            cloud.function("echo-dev").await["running"] == 1
        }) => {}
    }
    let started = Instant::now();
    cloud.end().await;
    assert!(started.elapsed() < Duration::from_secs(5));
    // Where there is no /proc, only the time it took is checked.
    assert!(!known || !process.exists(), "process {pid} is still there");
}

#[tokio::test]
async fn functions_can_be_listed_and_their_logs_read() {
    let cloud = TestCloud::start(1).await;
    let list = cloud.get("/2015-03-31/functions/").await;
    let names = list.body["Functions"].as_array().unwrap();
    assert_eq!(names.len(), 3);
    let one = cloud.get("/2015-03-31/functions/echo-dev").await;
    assert_eq!(one.body["Configuration"]["Timeout"], 30);
    cloud.invoke("echo", json!({})).await;
    cloud
        .until("the log line", async |cloud: &TestCloud| {
            let log = cloud.get("/_local/logs/echo").await;
            log.body.as_str().is_some_and(|log| log.contains("echo starts"))
                || log.body["message"] == "echo starts"
        })
        .await;
}
