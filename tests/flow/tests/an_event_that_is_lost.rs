//! Promise: an event that cannot be emitted fails no request and loses no audio. The session is
//! made, the log says `Failed to emit EventBridge event`, and the health check sends it later; the
//! stream has kept the speech until then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use flow::{Cloud, Journey, Options, Packets};
use serde_json::json;

async fn audio_arrives_in_spite_of(fault: serde_json::Value) {
    let cloud = Cloud::start(Options { time_scale: 20, ..Options::default() }).await.unwrap();
    cloud.fault(fault).await.unwrap();
    let session = cloud.open("ana").await.unwrap(); // 201 all the same
    let log = cloud.log("session-http-handler");
    assert!(log.contains("Failed to emit EventBridge event: "), "{log}");
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
    let journey = Journey::drained(&session, &Packets::of(&recording)).await.unwrap();
    journey.assert_whole();
}

#[tokio::test]
async fn a_failed_entry_is_sent_again() {
    audio_arrives_in_spite_of(json!({
        "service": "events", "operation": "PutEvents", "kind": "entry", "times": 1,
        "code": "ThrottlingException", "message": "Rate exceeded"
    }))
    .await;
}

#[tokio::test]
async fn a_refused_call_is_sent_again() {
    // The SDK tries three times within one PutEvents.
    audio_arrives_in_spite_of(json!({
        "service": "events", "operation": "PutEvents", "times": 3, "status": 500,
        "code": "InternalException", "message": "the bus is down"
    }))
    .await;
}
