//! Guarantee: the command starts quickly, and lists any number of sessions in the same memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use e2e::{Cloud, Options};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

/// Items of one BatchWriteItem.
const BATCH: usize = 25;

async fn put_sessions(cloud: &Cloud, from: usize, to: usize) {
    let put = |number: usize| {
        let item = json!({
            "sessionId": {"S": format!("calm-river-{number}")}, "status": {"S": "active"},
            "speakerId": {"S": "x".repeat(100)}, "sourceLanguage": {"S": "en"},
            "createdAt": {"N": "1732540620007"}, "updatedAt": {"N": number.to_string()},
            "kvsStreamArn": {"S": "x".repeat(200)}, "kvsChannelArn": {"S": "x".repeat(200)},
        });
        json!({"PutRequest": {"Item": item}})
    };
    for start in (from..to).step_by(BATCH) {
        let items: Vec<Value> = (start..(start + BATCH).min(to)).map(put).collect();
        let write = json!({"RequestItems": {"Sessions-dev": items}});
        let answer = cloud.aws("dynamodb", "DynamoDB_20120810.BatchWriteItem", write).await;
        assert_eq!(answer.unwrap()["UnprocessedItems"], json!({}));
    }
}

/// Returns how many sessions are listed.
async fn listed(cloud: &Cloud, arguments: &[&str]) -> usize {
    let arguments = [&["--json", "sessions", "list"], arguments].concat();
    let output = cloud.session_ops(&arguments).unwrap().output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.iter().filter(|byte| **byte == b'\n').count()
}

/// Returns the most memory that a child which has ended has used.
fn most_memory() -> i64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss()
}

#[tokio::test]
async fn ten_thousand_sessions_need_no_more_memory_than_five_hundred() {
    let cloud = Cloud::start(Options { time_scale: 1, ..Options::default() }).await.unwrap();
    put_sessions(&cloud, 0, 500).await;
    assert_eq!(listed(&cloud, &[]).await, 500);
    let before = most_memory();
    put_sessions(&cloud, 500, 10_000).await;
    assert_eq!(listed(&cloud, &[]).await, 10_000);
    assert_eq!(listed(&cloud, &["--status", "active"]).await, 10_000);
    let after = most_memory();
    println!("memory (KB on Linux): 500 sessions {before}, 10,000 sessions {after}");
    assert!(after < before * 5 / 4, "{before} became {after}");
}

/// 50 ms in the release profile. The dev profile needs most of its time to read the system's root
/// certificates.
const START: Duration = Duration::from_millis(if cfg!(debug_assertions) { 250 } else { 50 });

#[test]
fn the_first_request_is_sent_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let first_request = || {
        let began = Instant::now();
        let mut child = std::process::Command::new(e2e::binary("session-ops").unwrap())
            .args(["--endpoint-url", &url, "--region", "us-east-1", "sessions", "list"])
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .spawn()
            .unwrap();
        let connection = listener.accept().unwrap();
        let elapsed = began.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        drop(connection);
        elapsed
    };
    // The fastest of many starts, because the machine may be busy with other work.
    let fastest = (0..20).map(|_| first_request()).min().unwrap();
    println!("from the start to the first request: {fastest:?}, of at most {START:?}");
    assert!(fastest <= START, "{fastest:?}");
}
