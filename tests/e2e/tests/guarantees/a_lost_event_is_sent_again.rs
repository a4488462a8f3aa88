//! Guarantee: an event that cannot be emitted neither fails nor delays a request, and loses no
//! audio. The session is created, the log contains `Failed to emit EventBridge event`, and the
//! health check sends the event later; until then KVS keeps the audio.

use std::time::Duration;

use e2e::{Cloud, Options, Packets, Session, SessionRun, signal};
use serde_json::json;

const HANDLER: &str = "session-http-handler";

/// The stream stores all audio, in fragments of this length, before a consumer reads it.
async fn audio_arrives_in_spite_of(fault: serde_json::Value, fragment_ms: u32) {
    let options = Options { time_scale: 20, fragment_ms, ..Options::default() };
    let cloud = Cloud::start(options).await.unwrap();
    cloud.inject_fault(fault).await.unwrap();
    let session = cloud.open("ana").await.unwrap(); // 201 despite the fault
    let failure = "Failed to emit EventBridge event: ";
    cloud.logged(HANDLER, failure, 1).await.unwrap();
    arrives_late(&cloud, &session).await;
}

/// Asserts that the audio is delivered after the health check has sent the event.
async fn arrives_late(cloud: &Cloud, session: &Session<'_>) {
    let (_, view) = cloud.api(reqwest::Method::GET, &session.path(), None, None).await.unwrap();
    assert_eq!(view["status"], "active");

    let recording = testkit::recording();
    session.say(&recording).await.unwrap();
    session
        .streams_item("the health check to start a consumer", Duration::from_secs(60), |item| {
            item["epoch"]["N"].is_string()
        })
        .await
        .unwrap();
    session.end().await.unwrap();
    let run = SessionRun::drained(session, &Packets::of(&recording)).await.unwrap();
    run.assert_whole();
}

#[tokio::test]
async fn a_failed_entry_is_sent_again() {
    let fault = json!({
        "service": "events", "operation": "PutEvents", "kind": "entry", "times": 1,
        "code": "ThrottlingException", "message": "Rate exceeded"
    });
    audio_arrives_in_spite_of(fault, 2_000).await;
}

#[tokio::test]
async fn a_refused_call_is_sent_again() {
    // The SDK tries three times within one PutEvents.
    let fault = json!({
        "service": "events", "operation": "PutEvents", "times": 3, "status": 500,
        "code": "InternalException", "message": "the bus is down"
    });
    audio_arrives_in_spite_of(fault, 10_000).await;
}

#[tokio::test]
async fn a_resend_that_fails_counts_for_the_alarm_and_one_that_succeeds_is_logged() {
    let cloud = Cloud::start(Options { time_scale: 30, ..Options::default() }).await.unwrap();
    let down = json!({
        "service": "events", "operation": "PutEvents", "times": 1000, "status": 500,
        "code": "InternalException", "message": "the bus is down"
    });
    cloud.inject_fault(down).await.unwrap();
    cloud.open("ana").await.unwrap();
    let health_check = "kvs-stream-consumer";
    cloud.logged(health_check, "\"EventEmissionFailure\":1", 1).await.unwrap();
    cloud.logged(health_check, "Failed to emit EventBridge event: ", 1).await.unwrap();
    cloud.clear_faults().await.unwrap();
    let emitted = "EventBridge event emitted for session creation";
    cloud.logged(health_check, emitted, 1).await.unwrap();
    cloud.logged(health_check, "\"EventEmissionSuccess\":1", 1).await.unwrap();
}

#[tokio::test]
async fn the_event_of_a_function_that_crashes_after_its_response_is_sent_again() {
    // With this time scale, the function crashes between its response and the timeout of PutEvents.
    let cloud = Cloud::start(Options { time_scale: 2, ..Options::default() }).await.unwrap();
    let hangs = json!({ "service": "events", "operation": "PutEvents", "kind": "delay", "delayMs": 60_000, "times": 1 });
    cloud.inject_fault(hangs).await.unwrap();
    let session = cloud.open("ana").await.unwrap();
    let log = cloud.log(HANDLER);
    assert!(!log.contains("EventBridge event emitted") && !log.contains("Failed to emit"), "{log}");
    while !cloud.pending_faults().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    signal("KILL", &cloud.processes(HANDLER).await.unwrap());
    tokio::select! {
        () = arrives_late(&cloud, &session) => {}
        () = checks(&cloud) => {}
    }
}

/// Runs the health check every second, without end.
async fn checks(cloud: &Cloud) {
    let check = json!({ "action": "health_check", "source": "cloudwatch_events" });
    loop {
        cloud.invoke("kvs-stream-consumer", &check).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
