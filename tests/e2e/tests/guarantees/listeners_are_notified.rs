//! Guarantee: each listener receives `sessionEnding` and then `sessionEnded`. A listener that hangs
//! delays no other, and if the sender crashes, another one sends the message.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use e2e::{Cloud, Options, Packets, Session, SessionRun, signal};
use serde_json::{Value, json};

const LANGUAGES: [&str; 3] = ["de", "es", "fr"];
const BOTH: [&str; 2] = ["sessionEnding", "sessionEnded"];
/// Maximum real time until a session of these tests has ended.
const TIMEOUT: Duration = Duration::from_secs(90);

fn connection(number: usize) -> String {
    format!("listener-{number:02}")
}

async fn local(cloud: &Cloud, method: reqwest::Method, id: &str) -> (u16, Value) {
    let path = format!("/_local/connections/{id}");
    cloud.api(method, &path, None, None).await.unwrap()
}

/// Opens `count` connections and writes their items as the WebSocket API does.
async fn listen(cloud: &Cloud, session: &Session<'_>, count: usize) {
    for number in 0..count {
        let id = connection(number);
        assert_eq!(local(cloud, reqwest::Method::PUT, &id).await.0, 200);
        let item = json!({
            "connectionId": { "S": id }, "sessionId": { "S": session.id() },
            "targetLanguage": { "S": LANGUAGES[number % LANGUAGES.len()] },
        });
        let put = json!({ "TableName": "Connections-dev", "Item": item });
        cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", put).await.unwrap();
    }
}

/// Returns the ids of all items in the Connections table.
async fn listeners(cloud: &Cloud) -> Vec<String> {
    let scan = json!({ "TableName": "Connections-dev" });
    let answer = cloud.aws("dynamodb", "DynamoDB_20120810.Scan", scan).await.unwrap();
    let items = answer["Items"].as_array().unwrap().iter();
    items.map(|item| item["connectionId"]["S"].as_str().unwrap().to_owned()).collect()
}

/// Returns the messages that a connection received.
async fn received(cloud: &Cloud, id: &str) -> Vec<Value> {
    let (status, shown) = local(cloud, reqwest::Method::GET, id).await;
    assert_eq!(status, 200, "{shown}");
    let messages = shown["messages"].as_array().unwrap().iter();
    messages.map(|it| serde_json::from_str(it["text"].as_str().unwrap()).unwrap()).collect()
}

/// Returns the types of the messages in order. A message whose answer is late, as on a busy
/// machine, is sent again.
fn types(messages: &[Value]) -> Vec<&str> {
    let mut types: Vec<_> =
        messages.iter().map(|message| message["type"].as_str().unwrap()).collect();
    types.dedup();
    types
}

/// Waits until the Connections table is empty.
async fn all_are_removed(cloud: &Cloud) {
    let start = Instant::now();
    loop {
        let left = listeners(cloud).await;
        if left.is_empty() {
            return;
        }
        assert!(start.elapsed() < TIMEOUT, "not removed: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

fn delay(id: &str, millis: u64) -> Value {
    json!({
        "service": "execute-api", "operation": "PostToConnection", "target": id,
        "kind": "delay", "delayMs": millis,
    })
}

#[tokio::test]
async fn each_listener_receives_both_messages_and_none_is_delayed_by_a_hanging_one() {
    // In real time: the budget for all listeners scales, the work of a busy machine does not.
    let cloud = Cloud::start(Options::default()).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    listen(&cloud, &session, 25).await;
    let (gone, slow, hanging) = (connection(3), connection(7), connection(11));
    assert_eq!(local(&cloud, reqwest::Method::DELETE, &gone).await.0, 204);
    cloud.inject_fault(delay(&slow, 60)).await.unwrap();
    cloud.inject_fault(delay(&hanging, 120_000)).await.unwrap();
    let recording = testkit::recording();
    session.say(&recording).await.unwrap();

    let (began, before) = (Instant::now(), now_ms());
    session.end().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // Messages are sent after the response to DELETE.
    while cloud.all_faults_triggered().await.is_err() {
        assert!(began.elapsed() < TIMEOUT, "no message to listener 11");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut with_first = Vec::new();
    for number in (0..25).filter(|number| ![3, 11].contains(number)) {
        let mut messages = received(&cloud, &connection(number)).await;
        while messages.is_empty() {
            assert!(began.elapsed() < TIMEOUT, "no message to listener {number}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            messages = received(&cloud, &connection(number)).await;
        }
        if types(&messages)[0] == BOTH[0] {
            with_first.push(number);
        }
        assert_eq!(messages[0]["sessionId"], session.id());
        assert!((before..=now_ms()).contains(&messages[0]["timestamp"].as_u64().unwrap()));
    }
    // The handler sends the first message for two seconds, in which a busy machine may not reach
    // all of them.
    assert!(with_first.iter().any(|number| *number > 11), "{with_first:?}");

    all_are_removed(&cloud).await;
    let run = SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap();
    run.assert_whole();
    let checkpoint = run.streams_item["checkpoint"]["S"].as_str().unwrap();
    let checkpoint: Value = serde_json::from_str(checkpoint).unwrap();
    let drained = checkpoint["releasedAtMs"].as_u64().unwrap();
    for number in 0..25 {
        let messages = received(&cloud, &connection(number)).await;
        // The listener that hung during the first message receives the second.
        let wanted = match number {
            3 => &BOTH[..0],
            _ if with_first.contains(&number) => &BOTH[..],
            _ => &BOTH[1..],
        };
        assert_eq!(types(&messages), wanted, "listener {number}");
        if let Some(last) = messages.last() {
            assert!(last["timestamp"].as_u64() >= Some(drained), "{last} before {drained}");
        }
    }
}

#[tokio::test]
async fn listeners_of_a_session_that_cannot_be_drained_are_notified_after_a_minute() {
    let cloud = Cloud::start(Options { time_scale: 20, ..Options::default() }).await.unwrap();
    let down = json!({
        "service": "lambda", "operation": "Invoke", "target": "audio-processor",
        "times": 1_000_000, "status": 500, "code": "ServiceException",
    });
    cloud.inject_fault(down).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    listen(&cloud, &session, 4).await;
    let recording = testkit::recording();
    session.say(&recording).await.unwrap();
    let (status, ended) = session.change(json!({ "status": "ended" })).await.unwrap();
    assert_eq!((status, ended["status"].as_str()), (200, Some("ended")));

    all_are_removed(&cloud).await;
    let item = cloud.item("Streams", session.id()).await.unwrap().unwrap();
    assert_ne!(item["status"]["S"], "ENDED", "{item}");
    let minute = Duration::from_secs(60).as_millis() as u64 / u64::from(cloud.time_scale());
    for number in 0..4 {
        let messages = received(&cloud, &connection(number)).await;
        assert_eq!(types(&messages), BOTH, "listener {number}");
        let [first, last] = [0, 1].map(|at| messages[at]["timestamp"].as_u64().unwrap());
        // The consumer reads the stop shortly after the session's end.
        assert!(last + 200 >= first + minute, "{first} {last}");
    }
    let notified = "Listeners notified of sessionEnded: 4, gone: 0, only removed: 0, failed: 0";
    cloud.logged("kvs-stream-consumer", notified, 1).await.unwrap();

    cloud.clear_faults().await.unwrap();
    SessionRun::drained(&session, &Packets::of(&recording)).await.unwrap().assert_whole();
}

#[tokio::test]
async fn the_health_check_notifies_listeners_of_a_killed_consumer() {
    // In real time, so that only this test runs the health check, and no event is retried
    // meanwhile.
    let cloud = Cloud::start(Options { time_scale: 1, ..Options::default() }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    session
        .streams_item("a consumer", TIMEOUT, |item| item["epoch"]["N"].is_string())
        .await
        .unwrap();
    listen(&cloud, &session, 4).await;
    session.end().await.unwrap();
    // A drain takes at least four seconds.
    signal("KILL", &cloud.processes("kvs-stream-consumer").await.unwrap());
    let check = json!({ "action": "health_check", "source": "cloudwatch_events" });
    let summary = cloud.invoke("kvs-stream-consumer", &check).await.unwrap();
    assert_eq!(summary["notified"], 0, "the consumer has a minute to notify them: {summary}");
    assert_eq!(listeners(&cloud).await.len(), 4);

    let update = json!({
        "TableName": "Sessions-dev", "Key": { "sessionId": { "S": session.id() } },
        "UpdateExpression": "SET updatedAt = :then",
        "ExpressionAttributeValues": { ":then": { "N": (now_ms() - 80_000).to_string() } },
    });
    cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await.unwrap();
    let summary = cloud.invoke("kvs-stream-consumer", &check).await.unwrap();
    assert_eq!(summary["notified"], 4, "{summary}");
    assert!(listeners(&cloud).await.is_empty());
    for number in 0..4 {
        assert_eq!(types(&received(&cloud, &connection(number)).await), BOTH, "listener {number}");
    }
}

#[tokio::test]
async fn listeners_of_a_session_that_the_health_check_ends_are_notified() {
    let parameters = vec!["SessionIdleMinutes=5".to_owned()];
    let cloud =
        Cloud::start(Options { time_scale: 30, parameters, ..Options::default() }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    listen(&cloud, &session, 4).await;
    all_are_removed(&cloud).await;
    for number in 0..4 {
        assert_eq!(types(&received(&cloud, &connection(number)).await), BOTH, "listener {number}");
    }
}

#[tokio::test]
async fn without_an_endpoint_listeners_are_only_removed() {
    let parameters = vec!["WebSocketApiEndpoint=".to_owned()];
    let cloud =
        Cloud::start(Options { time_scale: 10, parameters, ..Options::default() }).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    listen(&cloud, &session, 4).await;
    session.end().await.unwrap();
    assert_eq!(listeners(&cloud).await.len(), 4, "the consumer removes them, at the end");
    all_are_removed(&cloud).await;
    for number in 0..4 {
        assert!(received(&cloud, &connection(number)).await.is_empty(), "listener {number}");
    }
}
