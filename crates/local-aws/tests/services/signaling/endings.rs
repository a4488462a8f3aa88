//! Guarantee: a connection ends when AWS ends it, and the client sees a close with code 1001.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::support::{Answer, Cloud};

const GOING_AWAY: u16 = 1001;

async fn send_message(cloud: &Cloud, channel: &str, message_type: &str) -> Answer {
    let request = cloud.request(Method::POST, &format!("/_local/signaling/{channel}"));
    cloud.send(request.json(&json!({ "messageType": message_type }))).await
}

#[tokio::test]
async fn the_newest_client_of_a_kind_replaces_the_one_before() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let (mut first, mut ana) = (cloud.master(&arn).await, cloud.viewer(&arn, "ana").await);
    let mut second = cloud.master(&arn).await;
    assert_eq!(first.closed().await, GOING_AWAY);
    let mut ana_again = cloud.viewer(&arn, "ana").await;
    assert_eq!(ana.closed().await, GOING_AWAY);
    ana_again.send("SDP_OFFER", &json!({ "type": "offer" }), &json!({})).await;
    assert_eq!(second.event().await["sender"], "ana");
    assert_eq!(cloud.connections().await[0]["viewers"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_connection_ends_after_ten_idle_minutes() {
    // Ten minutes take 10 s, the minimum at any scale.
    let cloud = Cloud::start(60).await;
    let arn = cloud.channel("talk").await;
    let opened_ms = cloud.clock().now_ms();
    let mut master = cloud.master(&arn).await;
    assert_eq!(master.closed().await, GOING_AWAY);
    let lasted_ms = cloud.clock().now_ms() - opened_ms;
    assert!(lasted_ms >= 599_000, "{lasted_ms}");
    assert!(lasted_ms < 3_500_000, "it does not wait for the hour: {lasted_ms}");
    assert_eq!(cloud.connections().await, json!([]));
}

#[tokio::test]
async fn a_connection_that_pings_ends_after_an_hour_with_a_warning() {
    let cloud = Cloud::start(300).await;
    let arn = cloud.channel("talk").await;
    let opened_ms = cloud.clock().now_ms();
    let mut master = cloud.master(&arn).await;
    let warning = loop {
        master.ping().await;
        if let Ok(event) = tokio::time::timeout(Duration::from_millis(50), master.event()).await {
            break event;
        }
    };
    assert_eq!(warning["type"], "GO_AWAY");
    let lasted_ms = cloud.clock().now_ms() - opened_ms;
    assert!(lasted_ms >= 59 * 60_000 - 1000, "{lasted_ms}");
    assert_eq!(master.closed().await, GOING_AWAY);
    let lasted_ms = cloud.clock().now_ms() - opened_ms;
    assert!(lasted_ms >= 60 * 60_000 - 1000, "{lasted_ms}");
}

#[tokio::test]
async fn go_away_leaves_a_minute() {
    let cloud = Cloud::start(20).await;
    let arn = cloud.channel("talk").await;
    let mut master = cloud.master(&arn).await;
    let warned_ms = cloud.clock().now_ms();
    let answer = send_message(&cloud, "talk", "GO_AWAY").await;
    assert_eq!((answer.status, answer.body), (200, json!({ "connections": 1 })));
    assert_eq!(master.event().await["type"], "GO_AWAY");
    master.expect_silence().await;
    assert_eq!(master.closed().await, GOING_AWAY);
    let lasted_ms = cloud.clock().now_ms() - warned_ms;
    assert!(lasted_ms >= 59_000, "{lasted_ms}");
    assert_eq!(send_message(&cloud, "talk", "GO_AWAY").await.status, 404);
    assert_eq!(send_message(&cloud, "talk", "COME_BACK").await.status, 400);
}

#[tokio::test]
async fn reconnect_ice_server_ends_nothing() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let (mut master, mut ana) = (cloud.master(&arn).await, cloud.viewer(&arn, "ana").await);
    let path = "/_local/signaling/talk?client=master";
    let request = cloud.request(Method::POST, path);
    let request = request.json(&json!({ "messageType": "RECONNECT_ICE_SERVER" }));
    assert_eq!(cloud.send(request).await.body, json!({ "connections": 1 }));
    assert_eq!(master.event().await["type"], "RECONNECT_ICE_SERVER");
    master.expect_silence().await;
    ana.expect_silence().await;
}

#[tokio::test]
async fn a_connection_can_be_cut() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let (mut master, mut ana) = (cloud.master(&arn).await, cloud.viewer(&arn, "ana").await);
    let cut = async |path: &str| cloud.send(cloud.request(Method::DELETE, path)).await;
    let answer = cut("/_local/signaling/talk?client=ana").await;
    assert_eq!((answer.status, answer.body), (200, json!({ "connections": 1 })));
    assert_eq!(ana.closed().await, GOING_AWAY);
    master.expect_silence().await;
    assert_eq!(cut("/_local/signaling/talk").await.status, 200);
    assert_eq!(master.closed().await, GOING_AWAY);
    assert_eq!(cut("/_local/signaling/talk").await.status, 404);
}

#[tokio::test]
async fn the_connections_of_a_deleted_channel_end() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let mut master = cloud.master(&arn).await;
    cloud.ok("/deleteSignalingChannel", json!({ "ChannelARN": arn })).await;
    assert_eq!(master.closed().await, GOING_AWAY);
}
