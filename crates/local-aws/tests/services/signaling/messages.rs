//! Guarantee: a message reaches its recipient, and no other client; a refused one is answered only
//! if it has a correlation id.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Cloud, Socket};

const INVALID: &str = "InvalidArgumentException";

fn offer(sdp: &str) -> Value {
    json!({ "type": "offer", "sdp": sdp })
}

fn event(kind: &str, sender: Option<&str>, payload: &Value) -> Value {
    json!({ "type": kind, "sender": sender, "payload": payload, "status": null })
}

fn refusal(code: &str) -> (String, String) {
    (code.to_owned(), "400".to_owned())
}

#[tokio::test]
async fn a_viewer_and_the_master_exchange_offer_answer_and_candidates() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let mut master = cloud.master(&arn).await;
    let (mut ana, mut ben) = (cloud.viewer(&arn, "ana").await, cloud.viewer(&arn, "ben").await);
    // A viewer's recipient is ignored.
    ana.send("SDP_OFFER", &offer("v=0"), &json!({ "recipientClientId": "ben" })).await;
    assert_eq!(master.event().await, event("SDP_OFFER", Some("ana"), &offer("v=0")));
    let answer = json!({ "type": "answer", "sdp": "v=0" });
    master.send("SDP_ANSWER", &answer, &json!({ "recipientClientId": "ana" })).await;
    assert_eq!(ana.event().await, event("SDP_ANSWER", None, &answer));
    let candidate = json!({ "candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0 });
    ana.send("ICE_CANDIDATE", &candidate, &json!({})).await;
    assert_eq!(master.event().await, event("ICE_CANDIDATE", Some("ana"), &candidate));
    master.send("ICE_CANDIDATE", &candidate, &json!({ "recipientClientId": "ana" })).await;
    assert_eq!(ana.event().await, event("ICE_CANDIDATE", None, &candidate));
    for socket in [&mut master, &mut ana, &mut ben] {
        socket.expect_silence().await;
    }
}

#[tokio::test]
async fn messages_wait_for_their_recipient_until_they_expire() {
    let cloud = Cloud::start(10).await;
    let arn = cloud.channel("talk").await;
    let mut ana = cloud.viewer(&arn, "ana").await;
    for sdp in ["v=0", "v=1"] {
        ana.send("SDP_OFFER", &offer(sdp), &json!({})).await;
    }
    for nth in 0..2 {
        ana.send("ICE_CANDIDATE", &json!({ "candidate": nth }), &json!({})).await;
    }
    ana.expect_silence().await;
    let mut master = cloud.master(&arn).await;
    assert_eq!(master.event().await["payload"], offer("v=1"), "a newer offer replaces the older");
    assert_eq!(master.event().await["payload"]["candidate"], 0);
    assert_eq!(master.event().await["payload"]["candidate"], 1);
    master.send("SDP_OFFER", &offer("v=2"), &json!({ "recipientClientId": "ben" })).await;
    master.expect_silence().await;
    // A channel keeps a message for 60 s.
    cloud.clock().sleep(Duration::from_secs(61)).await;
    cloud.viewer(&arn, "ben").await.expect_silence().await;
}

#[tokio::test]
async fn a_refused_message_is_answered_if_it_has_a_correlation_id() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let mut master = cloud.master(&arn).await;
    let to_ana = json!({ "recipientClientId": "ana", "correlationId": "a-1" });
    master.send("SDP_OFFER", &offer("v=0"), &to_ana).await;
    for text in ["", "no JSON", "[]", r#"{"action":"SDP_OFFER","messagePayload":""}"#] {
        master.text(text).await;
    }
    master.send("SDP_ANSWER", &offer("v=0"), &json!({})).await;
    master.expect_silence().await;

    master.send("SDP_ANSWER", &offer("v=0"), &json!({ "correlationId": "a-2" })).await;
    assert_eq!(master.refusal_of("a-2").await, refusal(INVALID), "it names no recipient");
    let long = offer(&"x".repeat(10 * 1024));
    let to_ana = json!({ "recipientClientId": "ana", "correlationId": "a-3" });
    master.send("SDP_OFFER", &long, &to_ana).await;
    assert_eq!(master.refusal_of("a-3").await, refusal(INVALID));
    master.send("SDP_QUESTION", &offer("v=0"), &json!({ "correlationId": "a-4" })).await;
    assert_eq!(master.refusal_of("a-4").await, refusal(INVALID));
}

#[tokio::test]
async fn a_socket_sends_five_offers_and_twenty_candidates_a_second() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.channel("talk").await;
    let mut ana = cloud.viewer(&arn, "ana").await;
    for (action, most) in [("SDP_OFFER", 5), ("SDP_ANSWER", 5), ("ICE_CANDIDATE", 20)] {
        // Messages that are all admitted take a second, and no machine takes a minute for 60.
        let (mut sent, mut refused) = (0, None);
        while refused.is_none() && sent < 60 * most {
            for _ in 0..=most {
                let id = json!({ "correlationId": format!("{action}-{sent}") });
                ana.send(action, &offer("v=0"), &id).await;
                sent += 1;
            }
            ana.send("NOTHING", &json!({}), &json!({ "correlationId": "marker" })).await;
            loop {
                let status = ana.event().await["status"].clone();
                if status["correlationId"] == "marker" {
                    break;
                }
                refused = refused.or(Some(status));
            }
        }
        let refused: Value = refused.unwrap();
        assert_eq!(refused["errorType"], "ClientLimitExceededException");
        let id = refused["correlationId"].as_str().unwrap();
        let before: usize = id.strip_prefix(action).unwrap()[1..].parse().unwrap();
        assert!(before >= most, "{before} of {most} are admitted");
    }
}

#[tokio::test]
async fn clients_of_a_channel_that_stores_its_media_reach_no_other_client() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.storing_channel("talk").await;
    let mut master = cloud.master(&arn).await;
    let mut ana = cloud.viewer(&arn, "ana").await;
    let refused = async |socket: &mut Socket, members: Value| {
        socket.send("SDP_ANSWER", &offer("v=0"), &members).await;
        assert_eq!(socket.refusal_of("a-1").await, refusal(INVALID));
    };
    refused(&mut master, json!({ "correlationId": "a-1", "recipientClientId": "ana" })).await;
    refused(&mut master, json!({ "correlationId": "a-1" })).await;
    refused(&mut ana, json!({ "correlationId": "a-1" })).await;
    ana.expect_silence().await;
}
