//! Guarantee: with `WarmPairs`, channels and streams exist before a POST needs them. A POST takes
//! one of them in three sequential calls, the speech of its session arrives whole, and nothing of
//! the pair remains after the session. Without a ready pair a POST creates its own.

use std::time::{Duration, Instant};

use e2e::{Cloud, Options, Packets, SessionRun};
use reqwest::Method;
use serde_json::{Value, json};

const HANDLER: &str = "session-http-handler";
const CONSUMER: &str = "kvs-stream-consumer";
/// The services that a POST calls.
const SERVICES: [&str; 3] = ["dynamodb", "kinesisvideo", "events"];
const TIMEOUT: Duration = Duration::from_secs(120);

async fn cloud(time_scale: u32, parameters: &[&str]) -> Cloud {
    let parameters = parameters.iter().map(|&parameter| parameter.to_owned()).collect();
    Cloud::start(Options { time_scale, parameters, ..Options::default() }).await.unwrap()
}

/// Returns the item of the pair in a slot.
async fn pair(cloud: &Cloud, slot: usize) -> Option<Value> {
    cloud.item("Sessions", &format!("pair#dev#{slot}")).await.unwrap()
}

/// Runs health checks until so many pairs are ready, and returns their session ids.
async fn ready(cloud: &Cloud, count: usize) -> Vec<String> {
    let start = Instant::now();
    loop {
        let check = json!({ "action": "health_check", "source": "cloudwatch_events" });
        let summary = cloud.invoke(CONSUMER, &check).await.unwrap();
        let mut ids = Vec::new();
        for slot in 0..count {
            let pair = pair(cloud, slot).await.unwrap_or_default();
            if pair["pairState"]["S"] == "ready" {
                ids.push(pair["forSession"]["S"].as_str().unwrap().to_owned());
            }
        }
        if ids.len() == count {
            return ids;
        }
        assert!(start.elapsed() < TIMEOUT, "{summary}: {}", cloud.log(CONSUMER));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Returns the names of the channels and streams, each once.
async fn names(cloud: &Cloud) -> Vec<String> {
    let mut names = cloud.media_names().await.unwrap();
    names.sort();
    names.dedup();
    names
}

#[tokio::test]
async fn a_post_takes_a_pair_in_three_sequential_calls_and_none_of_them_to_kvs() {
    // In real time, so that the budgets of the calls are longer than their latency.
    let cloud = cloud(1, &["WarmPairs=3"]).await;
    let ids = ready(&cloud, 3).await;
    assert_eq!(cloud.media_names().await.unwrap().len(), 6, "three channels and three streams");
    let unused = json!({
        "service": "lambda", "operation": "Invoke", "target": CONSUMER, "kind": "answer",
        "extra": { "answer": null }, "times": 1_000,
    });
    cloud.inject_fault(unused).await.unwrap();
    let mut took = Vec::new();
    // The first POST starts the function's process.
    for (speaker, latency) in [("ana", 0), ("ben", 100), ("eva", 1_000)] {
        for service in SERVICES {
            let slow =
                json!({ "service": service, "kind": "delay", "delayMs": latency, "times": 1_000 });
            cloud.inject_fault(slow).await.unwrap();
        }
        let token = cloud.token(json!({ "sub": speaker })).await.unwrap();
        let (body, start) = (json!({ "sourceLanguage": "en" }), Instant::now());
        let (status, session) =
            cloud.api(Method::POST, "/sessions", Some(&token), Some(body)).await.unwrap();
        took.push(start.elapsed());
        assert_eq!(status, 201, "{session}");
        assert!(ids.iter().any(|id| session["sessionId"] == id.as_str()), "{session} of {ids:?}");
        cloud.idle(HANDLER).await.unwrap();
        for service in SERVICES {
            let path = format!("/_local/faults?service={service}&kind=delay");
            cloud.api(Method::DELETE, &path, None, None).await.unwrap();
        }
    }
    // Each call took 900 ms longer, much more than a busy machine adds to them.
    let calls = took[2].saturating_sub(took[1]).as_secs_f64() / 0.9;
    println!("{calls:.2} sequential calls");
    assert!(calls.round() <= 3.0, "{calls:.2} sequential calls: {took:?}");
    let state = cloud.state().await.unwrap();
    let of_handler = state["calls"]["SessionHttpHandlerFunction"].to_string();
    assert!(of_handler.contains("dynamodb:BatchGetItem"), "{}", state["calls"]);
    assert!(!of_handler.contains("kinesisvideo:"), "{of_handler}");
    let log = cloud.log(HANDLER);
    assert_eq!(log.matches("Session created with a warm pair").count(), 3, "{log}");
}

#[tokio::test]
async fn speech_arrives_whole_through_a_pair_and_nothing_of_it_remains() {
    let cloud = cloud(30, &["WarmPairs=2", "StreamKeepMinutes=5"]).await;
    let pairs = ready(&cloud, 2).await;
    for id in &pairs {
        let (status, body) =
            cloud.api(Method::GET, &format!("/sessions/{id}"), None, None).await.unwrap();
        assert_eq!(status, 404, "a pair is no session: {body}");
    }
    let first = cloud.open("ana").await.unwrap();
    let second = cloud.open("ben").await.unwrap();
    assert!(pairs.iter().any(|id| id == first.id()) && pairs.iter().any(|id| id == second.id()));
    assert_ne!(first.id(), second.id());
    assert_eq!(names(&cloud).await.len(), 2, "no channel or stream was created");
    let third = cloud.open("eva").await.unwrap();
    assert!(!pairs.iter().any(|id| id == third.id()), "both pairs are taken");
    cloud.logged(HANDLER, "Session created without a warm pair: none was ready", 1).await.unwrap();

    let recording = testkit::recording();
    first.say(&recording).await.unwrap();
    for session in [&first, &second, &third] {
        session.end().await.unwrap();
    }
    SessionRun::drained(&first, &Packets::of(&recording)).await.unwrap().assert_whole();

    let start = Instant::now();
    loop {
        let ready: Vec<_> =
            ready(&cloud, 2).await.iter().map(|id| format!("session-{id}")).collect();
        let left: Vec<_> =
            names(&cloud).await.into_iter().filter(|name| !ready.contains(name)).collect();
        if left.is_empty() {
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "left: {left:?}, {}", cloud.log(CONSUMER));
    }
    for session in [&first, &second, &third] {
        let item = cloud.item("Sessions", session.id()).await.unwrap().unwrap();
        assert_eq!(item["status"]["S"], "removed", "{item}");
    }
    let log = cloud.log(CONSUMER);
    assert!(!log.contains("deleted orphaned KVS resource"), "{log}");
}

#[tokio::test]
async fn an_event_cannot_start_a_pair_before_its_session_exists() {
    let cloud = cloud(20, &["WarmPairs=1"]).await;
    let id = ready(&cloud, 1).await.remove(0);
    let media = pair(&cloud, 0).await.unwrap()["media"]["M"].clone();
    let forged = json!({
        "sessionId": id, "status": "ACTIVE", "sourceLanguage": "en",
        "channelArn": media["kvsChannelArn"]["S"], "streamArn": media["kvsStreamArn"]["S"],
        "timestamp": 1_732_540_620_000_u64,
    });
    cloud.put_status_change(&forged).await.unwrap();
    let record = cloud.dead_letter_events(1).await.unwrap().remove(0);
    assert!(record.to_string().contains("the session is not open yet"), "{record}");
    assert_eq!(cloud.item("Streams", &id).await.unwrap(), None);
    ready(&cloud, 1).await;
    assert_eq!(cloud.open("ana").await.unwrap().id(), id);
}
