use serde_json::{Value, json};

use super::*;

fn arn(kind: &str, id: &str) -> String {
    format!("arn:aws:kinesisvideo:us-east-1:1:{kind}/session-{id}/5")
}

fn record(status: &str, more: Value) -> Session {
    let mut item = json!({
        "sessionId": "calm-river-7", "speakerId": "ana", "sourceLanguage": "en", "status": status,
        "createdAt": 1, "updatedAt": 2, "expiresAt": 3, "env": "dev",
        "kvsChannelName": "session-calm-river-7", "kvsStreamName": "session-calm-river-7",
        "kvsChannelArn": arn("channel", "calm-river-7"),
        "kvsStreamArn": arn("stream", "calm-river-7"),
    });
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(item).unwrap()
}

fn event(status: &str, stream: Option<&str>) -> StatusChange {
    let stream = stream.map(|id| arn("stream", id));
    StatusChange::from_detail(&json!({
        "sessionId": "calm-river-7", "status": status, "sourceLanguage": "en", "timestamp": 1,
        "channelArn": arn("channel", "calm-river-7"), "streamArn": stream,
    }))
    .unwrap()
}

#[test]
fn an_event_that_agrees_resolves_to_the_recorded_stream() {
    let stream = arn("stream", "calm-river-7").parse().unwrap();
    let own = Recorded::Stream(stream);
    for (recorded, reported) in
        [("active", "ACTIVE"), ("paused", "ACTIVE"), ("ended", "ENDED"), ("ended", "ACTIVE")]
    {
        let record = record(recorded, json!({}));
        for named in [None, Some("calm-river-7")] {
            let recorded_stream = by_record(&event(reported, named), &record);
            assert_eq!(recorded_stream.as_ref(), Ok(&own), "{recorded} {reported} {named:?}");
        }
    }
}

#[test]
fn another_stream_or_channel_is_a_contradiction_in_every_state() {
    for recorded in ["creating", "active", "paused", "ended", "cleaning", "removed"] {
        for reported in ["ACTIVE", "ENDED"] {
            let other = event(reported, Some("dark-cave-9"));
            let error = by_record(&other, &record(recorded, json!({}))).unwrap_err();
            assert!(error.reason.contains("streamArn"), "{recorded} {reported}: {error}");
            let elsewhere = json!({ "kvsChannelArn": arn("channel", "dark-cave-9") });
            let own = event(reported, Some("calm-river-7"));
            let error = by_record(&own, &record(recorded, elsewhere)).unwrap_err();
            assert!(error.reason.contains("channelArn"), "{recorded} {reported}: {error}");
        }
    }
}

#[test]
fn an_event_cannot_open_or_end_what_the_record_does_not() {
    for (recorded, reported) in
        [("creating", "ACTIVE"), ("creating", "ENDED"), ("active", "ENDED"), ("paused", "ENDED")]
    {
        let change = event(reported, Some("calm-river-7"));
        assert!(by_record(&change, &record(recorded, json!({}))).is_err(), "{recorded} {reported}");
    }
}

#[test]
fn a_removed_session_and_one_without_a_recorded_stream_name_none() {
    let gone = json!({ "kvsChannelArn": null, "kvsStreamArn": null });
    for reported in ["ACTIVE", "ENDED"] {
        let change = event(reported, Some("dark-cave-9"));
        assert_eq!(by_record(&change, &record("removed", gone.clone())), Ok(Recorded::Removed));
    }
    let legacy = json!({ "kvsStreamArn": null });
    let change = event("ACTIVE", Some("dark-cave-9"));
    assert_eq!(by_record(&change, &record("active", legacy)), Ok(Recorded::Unnamed));
}

#[test]
fn an_event_cannot_start_a_warm_pair_before_its_session_exists() {
    let pair = |id: &str| -> WarmPair {
        serde_json::from_value(json!({
            "env": "dev", "slot": 0, "forSession": id, "pairState": "ready", "updatedAt": 1,
            "claimUntil": 0, "retentionHours": 24, "kmsKeyId": null, "media": null,
        }))
        .unwrap()
    };
    let event = event("ACTIVE", Some("calm-river-7"));
    assert_eq!(not_warm(&event, &[pair("dark-cave-9")]), Ok(()));
    let error = not_warm(&event, &[pair("dark-cave-9"), pair("calm-river-7")]).unwrap_err();
    assert!(error.reason.contains("not open yet"), "{error}");
}
