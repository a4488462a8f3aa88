//! Guarantee: all environments of an account share the default bus, and a consumer handles only
//! sessions of its own environment. For an unknown session it writes nothing.

use e2e::{Cloud, Options};
use serde_json::{Value, json};

const CHANNEL: &str = "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-calm-river-7/1";

fn detail(id: &str, status: &str, more: Value) -> Value {
    let mut detail = json!({
        "sessionId": id, "status": status, "channelArn": CHANNEL, "sourceLanguage": "en",
        "timestamp": 1_732_540_620_000_u64
    });
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    detail
}

#[tokio::test]
async fn a_session_of_another_environment_is_ignored() {
    let cloud = Cloud::start(Options { time_scale: 20, ..Options::default() }).await.unwrap();
    let stream = json!({
        "StreamName": "session-calm-river-7", "DataRetentionInHours": 1,
        "Tags": { "app": "speech-relay", "env": "prod", "sessionId": "calm-river-7" }
    });
    let made = cloud.kinesis_video("createStream", stream).await.unwrap();
    for status in ["ACTIVE", "ENDED"] {
        let detail = detail("calm-river-7", status, json!({ "streamArn": made["StreamARN"] }));
        cloud.put_status_change(&detail).await.unwrap();
    }
    cloud.logged("kvs-stream-consumer", "belongs to another environment", 2).await.unwrap();
    assert_eq!(cloud.item("Streams", "calm-river-7").await.unwrap(), None);
}

#[tokio::test]
async fn the_end_of_an_unknown_session_writes_nothing() {
    let cloud = Cloud::start(Options { time_scale: 60, ..Options::default() }).await.unwrap();
    cloud.put_status_change(&detail("calm-river-7", "ENDED", json!({}))).await.unwrap();
    // The first attempt and Lambda's two retries.
    cloud.logged("kvs-stream-consumer", "no KVS stream is known for it", 3).await.unwrap();
    assert_eq!(cloud.item("Streams", "calm-river-7").await.unwrap(), None);
}
