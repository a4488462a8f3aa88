//! Guarantee: the role of a worker allows what a session can need besides its delivery: a refused
//! chunk is kept, listeners are notified and removed, and a stream that is gone ends its session.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Session};
use reqwest::Method;
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(90);

async fn start() -> Cloud {
    let arguments = ["--consumer-host", "container", "--workers", "1"].map(str::to_owned).to_vec();
    Cloud::start(Options { arguments, ..Options::default() }).await.unwrap()
}

async fn until(what: &str, mut wanted: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !wanted().await {
        assert!(start.elapsed() < TIMEOUT, "{what} did not happen within {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_refused_chunk_is_kept() {
    let cloud = start().await;
    let refusal =
        json!({"errorType": "InvalidPayload", "errorMessage": "a test refuses this chunk"});
    let fault = json!({
        "service": "lambda", "operation": "Invoke", "target": "audio-processor", "kind": "answer",
        "extra": {"answer": refusal, "functionError": "Unhandled"}, "times": 100,
    });
    cloud.inject_fault(fault).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    session.say(&testkit::recording()).await.unwrap();
    until("a dead letter", async || {
        cloud.state().await.unwrap()["sqs"]["chunk-dlq-dev"]["visible"].as_u64() > Some(0)
    })
    .await;
    cloud.clear_faults().await.unwrap();
    session.end().await.unwrap();
    session.drained(TIMEOUT).await.unwrap();
}

/// Opens a connection and writes its item as the WebSocket API does.
async fn listen(cloud: &Cloud, session: &Session<'_>, id: &str) {
    let path = format!("/_local/connections/{id}");
    assert_eq!(cloud.api(Method::PUT, &path, None, None).await.unwrap().0, 200);
    let item = json!({
        "connectionId": { "S": id }, "sessionId": { "S": session.id() },
        "targetLanguage": { "S": "de" },
    });
    let put = json!({ "TableName": "Connections-dev", "Item": item });
    cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", put).await.unwrap();
}

#[tokio::test]
async fn listeners_are_notified_and_removed() {
    let cloud = start().await;
    let session = cloud.open("ana").await.unwrap();
    listen(&cloud, &session, "listener").await;
    session.say(&testkit::recording()).await.unwrap();
    session.end().await.unwrap();
    session.drained(TIMEOUT).await.unwrap();
    let scan = json!({ "TableName": "Connections-dev" });
    until("the removal of the listener", async || {
        let left = cloud.aws("dynamodb", "DynamoDB_20120810.Scan", scan.clone()).await.unwrap();
        left["Count"] == 0
    })
    .await;
    let shown = cloud.api(Method::GET, "/_local/connections/listener", None, None).await.unwrap().1;
    let messages = shown["messages"].as_array().unwrap().iter();
    let messages: Vec<Value> =
        messages.map(|it| serde_json::from_str(it["text"].as_str().unwrap()).unwrap()).collect();
    assert_eq!(messages.last().unwrap()["type"], "sessionEnded", "{messages:?}");
}

#[tokio::test]
async fn a_stream_that_is_gone_ends_its_session() {
    let cloud = start().await;
    let session = cloud.open("ana").await.unwrap();
    session.say(&testkit::recording()).await.unwrap();
    let read = |item: &Value| item["checkpoint"].is_object();
    session.streams_item("the first checkpoint", TIMEOUT, read).await.unwrap();
    let item = cloud.item("Sessions", session.id()).await.unwrap().unwrap();
    let unmap = json!({
        "ChannelARN": item["kvsChannelArn"]["S"],
        "MediaStorageConfiguration": { "Status": "DISABLED" },
    });
    cloud.kinesis_video("updateMediaStorageConfiguration", unmap).await.unwrap();
    let stream = json!({ "StreamARN": item["kvsStreamArn"]["S"] });
    cloud.kinesis_video("deleteStream", stream).await.unwrap();
    session.end().await.unwrap();
    session.drained(TIMEOUT).await.unwrap();
    let denied = cloud.own_log();
    assert!(!denied.contains("may not"), "{denied}");
}
