//! `/_local/deliveries` returns the deliveries of a session, and no figures for an unknown one.

use reqwest::Method;
use serde_json::json;

use crate::support::TestCloud;

#[tokio::test]
async fn a_session_that_was_never_seen_has_no_figures() {
    let cloud = TestCloud::start(1).await;
    let answer = cloud.get("/_local/deliveries/never-seen-1").await;
    assert_eq!(answer.status, 404);
    let error = answer.body["error"].as_str().unwrap();
    assert!(error.contains("never-seen-1"), "{error}");
}

#[tokio::test]
async fn a_session_of_which_nothing_arrived_yet_has_zeros() {
    let cloud = TestCloud::start(1).await;
    let signed = "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/kinesisvideo/aws4_request, \
                  SignedHeaders=host, Signature=0";
    let create = cloud.call(Method::POST, "/createStream").header("authorization", signed);
    let create = create.json(&json!({"StreamName": "session-silent-1", "DataRetentionInHours": 1}));
    assert_eq!(cloud.send(create).await.status, 200);
    let answer = cloud.get("/_local/deliveries/silent-1").await;
    assert_eq!((answer.status, &answer.body["samplesDelivered"]), (200, &json!(0)));
}

#[tokio::test]
async fn a_session_whose_audio_was_offered_has_figures_without_a_stream() {
    let cloud = TestCloud::start(1).await;
    let chunk = json!({
        "action": "process", "sessionId": "offered-1", "startSample": 0, "sampleCount": 8000,
    });
    cloud.invoke("echo", chunk).await;
    let answer = cloud.get("/_local/deliveries/offered-1").await;
    assert_eq!((answer.status, &answer.body["samplesDelivered"]), (200, &json!(8000)));
}
