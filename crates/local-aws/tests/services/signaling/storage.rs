//! Guarantee: a storage session talks to the master of its channel.

use serde_json::json;

use super::support::Cloud;

#[tokio::test]
async fn a_master_that_joins_gets_an_offer_and_its_bad_answer_a_status() {
    let cloud = Cloud::start(1).await;
    let arn = cloud.storing_channel("talk").await;
    let join = || cloud.call("/joinStorageSession", json!({ "channelArn": arn }));
    let early = join().await;
    assert_eq!((early.status, early.code.as_str()), (400, "InvalidArgumentException"));
    let mut master = cloud.master(&arn).await;
    assert_eq!(join().await.status, 200);
    let offer = master.event().await;
    assert_eq!((&offer["type"], &offer["sender"]), (&json!("SDP_OFFER"), &json!(null)));
    assert!(offer["payload"]["sdp"].as_str().unwrap().contains("H264"), "{offer}");
    let candidate = master.event().await;
    assert_eq!(candidate["type"], "ICE_CANDIDATE");
    assert!(candidate["payload"].get("sdpMid").is_none(), "{candidate}");
    let answer = json!({ "type": "answer", "sdp": "v=0" });
    master.send("SDP_ANSWER", &answer, &json!({ "correlationId": "one" })).await;
    let status = master.event().await;
    assert_eq!(status["type"], "STATUS_RESPONSE", "{status}");
    assert!(status.to_string().contains("InvalidArgumentException"), "{status}");
}
