//! Guarantee: a fault of the network holds what a channel's clients and the service send each other
//! by TCP, as an outage does, and delivers it afterwards.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Cloud};

/// Long enough for a message that is not held.
const MOMENT: Duration = Duration::from_millis(500);

async fn add(cloud: &Cloud, fault: &Value) -> Answer {
    cloud.send(cloud.request(Method::POST, "/_local/faults").json(fault)).await
}

#[tokio::test]
async fn messages_and_connects_wait_for_the_end_of_an_outage() {
    let cloud = Cloud::start(1).await;
    let (arn, other) = (cloud.channel("talk").await, cloud.channel("tale").await);
    let (mut master, mut ana) = (cloud.master(&arn).await, cloud.viewer(&arn, "ana").await);
    let outage = json!({ "service": "kinesisvideo", "operation": "ClientNetwork",
                         "target": "talk", "kind": "outage" });
    assert_eq!(add(&cloud, &outage).await.status, 201);
    let offer = json!({ "type": "offer", "sdp": "v=0" });
    ana.send("SDP_OFFER", &offer, &json!({})).await;
    cloud.master(&other).await.expect_silence().await;
    assert!(tokio::time::timeout(MOMENT, master.event()).await.is_err(), "nothing arrives");
    let connecting = cloud.viewer(&arn, "ben");
    tokio::pin!(connecting);
    assert!(tokio::time::timeout(MOMENT, &mut connecting).await.is_err(), "nor is ben connected");

    let removed = "/_local/faults?service=kinesisvideo&operation=ClientNetwork&target=talk";
    assert_eq!(cloud.send(cloud.request(Method::DELETE, removed)).await.status, 204);
    assert_eq!(master.event().await["sender"], "ana");
    connecting.await.expect_silence().await;
    ana.expect_silence().await;
}

#[tokio::test]
async fn an_outage_ends_after_its_delay() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let outage = json!({ "service": "kinesisvideo", "operation": "ClientNetwork",
                         "kind": "outage", "delayMs": 600 });
    let added = tokio::time::Instant::now();
    assert_eq!(add(&cloud, &outage).await.status, 201);
    cloud.master(&arn).await.expect_silence().await;
    assert!(added.elapsed() >= Duration::from_millis(600), "{:?}", added.elapsed());
    let pending = cloud.send(cloud.request(Method::GET, "/_local/faults")).await.body;
    assert_eq!(pending, json!({ "faults": [] }));
}

#[tokio::test]
async fn a_share_that_is_none_is_refused_with_the_rule() {
    let cloud = Cloud::start(1).await;
    for extra in [json!({ "dropPercent": 0 }), json!({ "dropPercent": "5" }), json!({ "drop": 5 })]
    {
        let loss = json!({ "service": "kinesisvideo", "operation": "ClientAudio", "kind": "loss",
                           "extra": extra });
        let answer = add(&cloud, &loss).await;
        assert_eq!(answer.status, 400);
        let error = answer.body["error"].as_str().unwrap();
        assert!(error.contains("dropPercent") && error.contains("1 to 100"), "{error}");
    }
}
