//! `sessions`, `logs` and `events` show what a running cloud holds, as text and as JSON lines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::Stdio;

use local_aws::{LocalAws, Options};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// A cloud of the deployed template, without function binaries.
struct Cloud(LocalAws);

impl Cloud {
    async fn start() -> Self {
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/template.yaml");
        let options = Options { template: Some(template), ..Options::default() };
        Self(local_aws::start(options).await.unwrap())
    }

    /// Calls an operation of DynamoDB or EventBridge.
    async fn call(&self, target: &str, request: Value) {
        let service = if target.starts_with("DynamoDB") { "dynamodb" } else { "events" };
        let scope = format!("any/20260101/us-east-1/{service}/aws4_request");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let call = http
            .post(format!("{}/", self.0.url()))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .header("x-amz-date", "20260101T000000Z")
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0");
        let answer = call.body(request.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    async fn put(&self, table: &str, item: Value) {
        self.call("DynamoDB_20120810.PutItem", json!({"TableName": table, "Item": item})).await;
    }

    /// Stores a session with a delivery of 16,000 samples, and its speaker's slots.
    async fn put_session(&self, id: &str, created_at: &str) {
        let key = json!({"S": id});
        self.put(
            "Sessions-dev",
            json!({
                "sessionId": key, "status": {"S": "active"}, "createdAt": {"N": created_at},
                "kvsStreamName": {"S": format!("session-{id}")}, "speakerId": {"S": "ana"},
            }),
        )
        .await;
        self.put("Sessions-dev", json!({"sessionId": {"S": "speaker#ana"}})).await;
        self.put(
            "Streams-dev",
            json!({
                "sessionId": key, "desired": {"S": "RUN"}, "epoch": {"N": "1"},
                "owner": {"S": "a run"}, "leaseExpiresAt": {"N": "9999999999999"},
            }),
        )
        .await;
        self.put("Processed-dev", json!({"sessionId": key, "nextSample": {"N": "16000"}})).await;
    }

    async fn put_event(&self, detail_type: &str) {
        let detail = json!({"sessionId": "a-b-1", "status": "ACTIVE"}).to_string();
        let entry = json!({"Source": "test", "DetailType": detail_type, "Detail": detail});
        self.call("AWSEvents.PutEvents", json!({"Entries": [entry]})).await;
    }

    fn log(&self, function: &str, line: &str) {
        use std::io::Write;
        let path = self.0.services().logs.join(format!("{function}.log"));
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-cloud"));
        command.args(["--url", self.0.url()]).args(arguments).kill_on_drop(true);
        command
    }

    /// Runs a command that succeeds, and returns the lines that it prints.
    async fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.command(arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Runs a command that fails, and returns its message.
    async fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().await.unwrap();
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[tokio::test]
async fn sessions_are_listed_by_age_and_shown_by_id() {
    let cloud = Cloud::start().await;
    assert_eq!(cloud.lines(&["sessions"]).await, Vec::<String>::new());
    cloud.put_session("a-b-2", "1732540620007").await;
    cloud.put_session("a-b-1", "1732540620006").await;
    let list = cloud.lines(&["sessions"]).await;
    assert_eq!(list.len(), 3, "{list:?}");
    assert!(
        list[0].starts_with("SESSION") && list[1].starts_with("a-b-1    active  RUN"),
        "{list:?}"
    );
    assert!(list[2].contains("no stream") && list[2].contains("1.0 s"), "{list:?}");

    let rows = cloud.lines(&["sessions", "--json"]).await;
    let row = json_of(&rows[0]);
    assert_eq!((&row["sessionId"], &row["deliveredSamples"]), (&json!("a-b-1"), &json!(16_000)));

    for arguments in [vec!["sessions", "a-b-1"], vec!["sessions", "show", "a-b-1"]] {
        let shown = cloud.lines(&arguments).await;
        let speaker = shown.iter().find_map(|line| line.strip_prefix("speaker "));
        assert_eq!(speaker.map(str::trim), Some("ana"), "{shown:?}");
    }
    let shown = cloud.lines(&["sessions", "a-b-1", "--json"]).await;
    assert_eq!(json_of(&shown[0])["stream"]["owner"], "a run");
    let message = cloud.refused(&["sessions", "speaker#ana"]).await;
    assert!(
        message.contains("`local-cloud sessions` lists") && message.lines().count() == 1,
        "{message}"
    );
    cloud.0.shutdown().await;
}

#[tokio::test]
async fn logs_are_those_of_a_function_or_of_a_session_by_time() {
    let cloud = Cloud::start().await;
    let consumer = r#"{"timestamp":"2026-11-29T01:56:23.000Z","level":"INFO","message":"lease acquired","sessionId":"a-b-1"}"#;
    cloud.log("kvs-stream-consumer", consumer);
    cloud.log("kvs-stream-consumer", r#"{"message":"another","sessionId":"a-b-12"}"#);
    cloud.log("session-http-handler", r#"{"timestamp":"2026-11-29T01:56:22.000Z","message":"Session created","sessionId":"a-b-1"}"#);
    let session = cloud.lines(&["logs", "a-b-1"]).await;
    assert_eq!(session.len(), 2, "{session:?}");
    assert!(session[0].contains("session-http-handler  Session created"), "{session:?}");
    assert_eq!(cloud.lines(&["logs", "kvs-stream-consumer"]).await.len(), 2);
    assert_eq!(cloud.lines(&["logs", "kvs-stream-consumer-dev"]).await.len(), 2);
    assert_eq!(cloud.lines(&["logs", "audio-processor"]).await, Vec::<String>::new());
    let lines = cloud.lines(&["logs", "a-b-1", "--json"]).await;
    let line = json_of(&lines[1]);
    assert_eq!(
        (&line["function"], &line["message"]),
        (&json!("kvs-stream-consumer"), &json!("lease acquired"))
    );
    let message = cloud.refused(&["logs", "no-such-1"]).await;
    assert!(message.contains("the functions are audio-processor"), "{message}");
    cloud.0.shutdown().await;
}

#[tokio::test]
async fn a_followed_log_gets_each_new_line_once() {
    let cloud = Cloud::start().await;
    cloud.log("audio-processor", "first a-b-1");
    let mut follow = cloud.command(&["logs", "a-b-1", "--follow"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut next = async || lines.next_line().await.unwrap().unwrap();
    assert!(next().await.ends_with("first a-b-1"));
    cloud.log("kvs-stream-consumer", "second a-b-1");
    assert!(next().await.ends_with("second a-b-1"));
    cloud.log("audio-processor", "third a-b-1");
    assert!(next().await.ends_with("third a-b-1"));
    cloud.0.shutdown().await;
}

#[tokio::test]
async fn events_are_printed_and_followed_with_their_rules() {
    let cloud = Cloud::start().await;
    assert_eq!(cloud.lines(&["events"]).await, Vec::<String>::new());
    cloud.put_event("First").await;
    let printed = cloud.lines(&["events"]).await;
    let words: Vec<_> = printed[0].split_whitespace().skip(1).collect();
    assert_eq!(words, ["First", "test", "a-b-1", "ACTIVE", "no", "rule"]);

    let mut follow = cloud.command(&["events", "--follow", "--json"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut next = async || json_of(&lines.next_line().await.unwrap().unwrap());
    let first = next().await;
    assert_eq!((&first["number"], &first["event"]["detail-type"]), (&json!(1), &json!("First")));
    cloud.put_event("Second").await;
    let second = next().await;
    assert_eq!(
        (&second["number"], &second["event"]["detail"]["sessionId"]),
        (&json!(2), &json!("a-b-1"))
    );
    cloud.0.shutdown().await;
}

#[tokio::test]
async fn a_cloud_without_the_tables_is_named_as_the_reason() {
    let cloud = Cloud(local_aws::start(Options::default()).await.unwrap());
    let message = cloud.refused(&["sessions"]).await;
    assert!(message.contains("has no table Sessions"), "{message}");
    cloud.0.shutdown().await;
}
