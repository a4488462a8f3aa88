//! Managed instances as AWS documents them, through real processes: many invocations in one
//! process, throttling when no worker is free, timeouts that interrupt nothing, crashes, aliases,
//! and extensions.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::{Answer, TestCloud};
use local_aws::Options;
use serde_json::{Value, json};

const TEMPLATE: &str = "Resources:
  Provider:
    Type: AWS::Serverless::CapacityProvider
    Properties:
      CapacityProviderName: many-dev
      VpcConfig: { SubnetIds: [subnet-1], SecurityGroupIds: [sg-1] }
  Many:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: many-dev
      CodeUri: echo
      Timeout: 5400
      MemorySize: 2048
      AutoPublishAlias: live
      CapacityProviderConfig: { Arn: !GetAtt Provider.Arn, PerExecutionEnvironmentMaxConcurrency: 3 }
  Short:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: short-dev
      CodeUri: echo
      Timeout: 1
      MemorySize: 2048
      AutoPublishAlias: live
      CapacityProviderConfig: { Arn: !GetAtt Provider.Arn, PerExecutionEnvironmentMaxConcurrency: 2 }
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [test] }
      Targets: [ { Id: many, Arn: !Ref Many.Alias } ]
";

/// A template in a file, which the end of the test removes.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("{}.yaml", uuid::Uuid::new_v4()));
        std::fs::write(&path, TEMPLATE).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn start(environments: u32) -> TestCloud {
    let file = File::new();
    TestCloud::with(Options {
        template: Some(file.0.clone()),
        workers: environments,
        ..Options::default()
    })
    .await
}

async fn sleeps(cloud: &TestCloud, function: &str, ms: u64) -> Answer {
    cloud.invoke(function, json!({"do": "sleep", "ms": ms})).await
}

fn is_throttled(answer: &Answer) -> bool {
    let kind = answer.header("x-amzn-errortype").unwrap_or_default();
    answer.status == 429 && kind.contains("TooManyRequestsException")
}

#[tokio::test]
async fn one_process_runs_many_invocations_as_aws_sets_it_up() {
    let cloud = start(1).await;
    let name = "many-dev:live";
    let started = Instant::now();
    let (a, b, c) = tokio::join!(
        sleeps(&cloud, name, 1_000),
        sleeps(&cloud, name, 1_000),
        sleeps(&cloud, name, 1_000),
    );
    assert!(started.elapsed() < Duration::from_millis(2_900), "one after the other");
    assert!(a.body["pid"] == b.body["pid"] && b.body["pid"] == c.body["pid"]);
    assert_ne!(a.body["requestId"], b.body["requestId"]);
    let environment = &a.body["environment"];
    assert_eq!(environment["AWS_LAMBDA_MAX_CONCURRENCY"], "3");
    assert_eq!(environment["AWS_LAMBDA_INITIALIZATION_TYPE"], "lambda-managed-instances");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_VERSION"], "1");
    assert_eq!(environment["_X_AMZN_TRACE_ID"], Value::Null);
    assert_eq!(a.body["arn"], "arn:aws:lambda:us-east-1:000000000000:function:many-dev:live");
    assert_eq!(a.header("x-amz-executed-version"), Some("1"));
    let left = a.body["deadlineMs"].as_i64().unwrap() - local_aws::clock::real_now_ms();
    assert!(left < 900_000, "a synchronous invocation has 900 s, not {left} ms");
    assert_eq!(cloud.function("many-dev").await["started"], 1);
}

#[tokio::test]
async fn without_a_free_worker_an_invocation_is_throttled_and_starts_no_process() {
    let cloud = start(1).await;
    // A worker is free only when it has requested an invocation.
    let taken = async || {
        let mut refused = 0;
        while sleeps(&cloud, "many-dev:live", 1_500).await.status != 200 {
            refused += 1;
        }
        refused
    };
    let busy = async { futures_util::future::join_all([(); 3].map(|()| taken())).await };
    let refused = async {
        let full = async |cloud: &TestCloud| cloud.function("many-dev").await["running"] == 3;
        cloud.until("three run", full).await;
        sleeps(&cloud, "many-dev:live", 0).await
    };
    let (busy, refused) = tokio::join!(busy, refused);
    assert!(is_throttled(&refused), "{} {}", refused.status, refused.body);
    let throttles = busy.iter().sum::<u64>() + 1;
    let state = cloud.function("many-dev").await;
    let counts = (&state["throttles"], &state["started"]);
    assert_eq!(counts, (&json!(throttles), &json!(1)), "{state}");
    assert_eq!(state["invocations"], 3, "a throttled one is none");
    // A worker requests an invocation only after the answer to the one before.
    let is_free = async |cloud: &TestCloud| sleeps(cloud, "many-dev:live", 0).await.status == 200;
    cloud.until("a worker waits", is_free).await;
}

#[tokio::test]
async fn a_timeout_interrupts_neither_the_invocation_nor_the_process() {
    let cloud = start(1).await;
    let pid = cloud.invoke("short-dev:live", json!({})).await.body["pid"].clone();
    let answer = sleeps(&cloud, "short-dev:live", 4_000).await;
    assert_eq!(answer.body["errorType"], "Sandbox.Timedout", "{}", answer.body);
    // It keeps its worker until it ends by itself.
    let state = cloud.function("short-dev").await;
    assert_eq!(state["instances"][0]["running"], 1, "{state}");
    assert_eq!((&state["timeouts"], &state["started"]), (&json!(1), &json!(1)));
    let other = cloud.invoke("short-dev:live", json!({})).await;
    assert_eq!((&other.body["pid"], other.status), (&pid, 200), "the other worker is free");
    let ended =
        async |cloud: &TestCloud| cloud.function("short-dev").await["instances"][0]["running"] == 0;
    cloud.until("the end of the invocation", ended).await;
    assert_eq!(cloud.invoke("short-dev:live", json!({})).await.body["pid"], pid);
}

#[tokio::test]
async fn a_crash_fails_every_invocation_of_the_process_and_another_is_started() {
    let cloud = start(1).await;
    let before = cloud.invoke("many-dev:live", json!({})).await.body["pid"].clone();
    let crash = async {
        let two = async |cloud: &TestCloud| cloud.function("many-dev").await["running"] == 2;
        cloud.until("two run", two).await;
        cloud.invoke("many-dev:live", json!({"do": "exit"})).await
    };
    let (a, b, crash) = tokio::join!(
        sleeps(&cloud, "many-dev:live", 60_000),
        sleeps(&cloud, "many-dev:live", 60_000),
        crash,
    );
    for answer in [a, b, crash] {
        assert_eq!(answer.body["errorType"], "Runtime.ExitError", "{}", answer.body);
    }
    let again = async |cloud: &TestCloud| {
        cloud.function("many-dev").await["instances"][0]["pid"].is_u64()
            && cloud.invoke("many-dev:live", json!({})).await.status == 200
    };
    cloud.until("another process", again).await;
    assert_ne!(cloud.invoke("many-dev:live", json!({})).await.body["pid"], before);
}

#[tokio::test]
async fn invocations_are_spread_over_the_processes_that_are_kept() {
    let cloud = start(2).await;
    let started = cloud.function("many-dev").await;
    assert_eq!(started["instances"].as_array().unwrap().len(), 2, "before the first invocation");
    let all = [(); 6].map(|()| sleeps(&cloud, "many-dev:live", 1_000));
    let answers = futures_util::future::join_all(all).await;
    let pids: Vec<_> = answers.iter().map(|answer| answer.body["pid"].to_string()).collect();
    for pid in &pids {
        assert_eq!(pids.iter().filter(|it| *it == pid).count(), 3, "{pids:?}");
    }
}

#[tokio::test]
async fn an_unknown_qualifier_is_not_found() {
    let cloud = start(1).await;
    for name in ["many-dev:live", "many-dev:1"] {
        assert_eq!(cloud.invoke(name, json!({})).await.status, 200, "{name}");
    }
    for name in ["many-dev:other", "many-dev:2", "many-dev", "many-dev:$LATEST"] {
        let answer = cloud.invoke(name, json!({})).await;
        assert_eq!(answer.status, 404, "{name}: {}", answer.body);
        assert!(answer.header("x-amzn-errortype").unwrap().contains("ResourceNotFoundException"));
    }
}

#[tokio::test]
async fn an_event_reaches_the_alias_and_has_the_whole_timeout() {
    let cloud = start(1).await;
    let entry = json!({"Source": "test", "DetailType": "t", "Detail": "{}"});
    let put = cloud.aws("events", "AWSEvents.PutEvents", json!({"Entries": [entry]})).await;
    assert_eq!(put.body["FailedEntryCount"], 0);
    let ran = async |cloud: &TestCloud| cloud.function("many-dev").await["invocations"] == 1;
    cloud.until("the invocation", ran).await;
    assert_eq!(cloud.function("many-dev").await["timeoutSeconds"], 5_400);
}

#[tokio::test]
async fn an_extension_may_not_register_for_invocations() {
    let cloud = start(1).await;
    let register = async |events: Value| {
        let payload = json!({"do": "register", "events": events});
        cloud.invoke("many-dev:live", payload).await.body.as_str().unwrap().to_owned()
    };
    let refused = register(json!(["INVOKE", "SHUTDOWN"])).await;
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("SHUTDOWN only"), "{refused}");
    let taken = register(json!(["SHUTDOWN"])).await;
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
}
