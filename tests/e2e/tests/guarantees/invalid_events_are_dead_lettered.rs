//! Guarantee: an event that cannot be handled goes to the dead-letter queue with its reason after
//! Lambda's retries; no event is retried for ever.

use e2e::{Cloud, Options};
use serde_json::{Value, json};

fn good() -> Value {
    json!({
        "sessionId": "calm-river-7", "status": "ACTIVE", "sourceLanguage": "en",
        "channelArn": "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-calm-river-7/1",
        "timestamp": 1_732_540_620_000_u64
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut detail = good();
    detail[field] = value;
    detail
}

#[tokio::test]
async fn each_invalid_event_is_dead_lettered_with_its_reason() {
    let cloud = Cloud::start(Options { time_scale: 60, ..Options::default() }).await.unwrap();
    let long = "x".repeat(257);
    let stream = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/session-calm-river-7/1";
    let invalid = [
        (with("sessionId", Value::Null), "InvalidEvent", "sessionId"),
        (with("sessionId", json!("../etc/passwd")), "InvalidEvent", "sessionId"),
        (with("channelArn", json!(stream)), "InvalidEvent", "channelArn"),
        (with("streamArn", good()["channelArn"].clone()), "InvalidEvent", "streamArn"),
        (with("speakerId", json!(long)), "InvalidEvent", "speakerId"),
        (with("eventId", json!(long)), "InvalidEvent", "eventId"),
        (with("schemaVersion", json!("9.0")), "InvalidEvent", "major number 9"),
        (good(), "StreamUnknown", "calm-river-7"),
    ];
    for (detail, ..) in &invalid {
        cloud.put_status_change(detail).await.unwrap();
    }
    let records = cloud.dead_letter_events(invalid.len()).await.unwrap();
    for (detail, error_type, named) in &invalid {
        let record = records
            .iter()
            .find(|record| record["requestPayload"]["detail"] == *detail)
            .unwrap_or_else(|| panic!("no record of {detail}"));
        assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
        let response = &record["responsePayload"];
        assert_eq!(response["errorType"], *error_type, "{response}");
        assert!(response["errorMessage"].as_str().unwrap().contains(named), "{response}");
    }
}
