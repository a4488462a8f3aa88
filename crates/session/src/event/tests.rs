//! Parsing of status changes, and the errors for invalid ones.

use super::*;
use proptest::prelude::*;

/// The two sample events of the specification, verbatim.
fn created() -> Value {
    json!({
        "sessionId": "blessed-shepherd-123",
        "status": "ACTIVE",
        "channelArn": "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-blessed-shepherd-123/1234567890",
        "sourceLanguage": "en",
        "targetLanguages": [],
        "qualityTier": "standard",
        "speakerId": "user-sub-uuid",
        "timestamp": 1_732_540_620_000_u64
    })
}

fn ended() -> Value {
    json!({
        "sessionId": "blessed-shepherd-123",
        "status": "ENDED",
        "channelArn": "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-blessed-shepherd-123/1234567890",
        "sourceLanguage": "en",
        "timestamp": 1_732_542_600_000_u64
    })
}

fn with(mut detail: Value, field: &str, value: Value) -> Value {
    detail[field] = value;
    detail
}

#[test]
fn reads_the_samples_of_the_specification() {
    let change = StatusChange::from_detail(&created()).unwrap();
    assert_eq!(change.session_id.as_str(), "blessed-shepherd-123");
    assert_eq!(change.status, EventStatus::Active);
    assert!(change.channel_arn.contains(":channel/session-blessed-shepherd-123/"));
    assert_eq!(change.stream_arn, None);
    assert_eq!(change.source_language, Language::ENGLISH);
    assert_eq!(change.target_languages, Some(Vec::new()));
    assert_eq!(change.quality_tier, Some(QualityTier::Standard));
    assert_eq!(change.speaker_id.as_deref(), Some("user-sub-uuid"));
    assert_eq!(change.timestamp_ms, 1_732_540_620_000);
    assert_eq!(change.schema_version, "1.0");

    let change = StatusChange::from_detail(&ended()).unwrap();
    assert_eq!(change.status, EventStatus::Ended);
    assert_eq!(change.speaker_id, None);
    assert_eq!(change.timestamp_ms, 1_732_542_600_000);
}

#[test]
fn writes_every_field_of_the_samples_and_only_known_ones_beside() {
    for sample in [created(), ended()] {
        let written = StatusChange::from_detail(&sample).unwrap().to_detail();
        for (field, value) in sample.as_object().unwrap() {
            assert_eq!(&written[field], value, "{field}");
        }
        let added = written.as_object().unwrap().len() - sample.as_object().unwrap().len();
        assert_eq!((added, written["schemaVersion"].as_str()), (1, Some("1.0")));
    }
}

#[test]
fn ignores_fields_it_does_not_know_and_reads_later_minor_versions() {
    let detail = with(created(), "mood", json!({"deep": [1, 2]}));
    assert!(StatusChange::from_detail(&detail).is_ok());
    let detail = with(created(), "schemaVersion", json!("1.7"));
    assert_eq!(StatusChange::from_detail(&detail).unwrap().schema_version, "1.7");
}

#[test]
fn a_whole_number_is_one_however_it_is_written() {
    for (text, number) in [("7.0", 7), ("1.732540620e12", 1_732_540_620_000), ("-0.0", 0)] {
        let value = serde_json::from_str(text).unwrap();
        let change = StatusChange::from_detail(&with(created(), "timestamp", value)).unwrap();
        assert_eq!(change.timestamp_ms, number, "{text}");
    }
    for text in ["18446744073709551616", "1e300", "-7.0", "7.5"] {
        let value = serde_json::from_str(text).unwrap();
        let error = StatusChange::from_detail(&with(created(), "timestamp", value));
        assert!(matches!(error, Err(EventError::Malformed { field: "timestamp", .. })), "{text}");
    }
}

#[test]
fn another_major_version_is_rejected_first() {
    let detail = json!({"schemaVersion": "2.0", "sessionId": 5});
    assert_eq!(
        StatusChange::from_detail(&detail),
        Err(EventError::UnsupportedVersion { major: 2 })
    );
}

#[test]
fn names_the_field_that_is_missing() {
    for field in ["sessionId", "status", "channelArn", "sourceLanguage", "timestamp"] {
        for detail in [created(), ended()] {
            let mut absent = detail.clone();
            absent.as_object_mut().unwrap().remove(field);
            for detail in [absent, with(detail, field, Value::Null)] {
                let error = StatusChange::from_detail(&detail).unwrap_err();
                assert!(matches!(error, EventError::Missing { field: f } if f == field));
            }
        }
    }
}

#[test]
fn names_the_field_that_is_malformed() {
    for (field, value) in [
        ("sessionId", json!("Blessed Shepherd")),
        ("sessionId", json!(7)),
        ("status", json!("PAUSED")),
        ("status", json!("active")),
        ("channelArn", json!("invalid")),
        ("channelArn", json!("arn:aws:kinesisvideo:us-east-1:123456789012:stream/s/1")),
        ("streamArn", json!("arn:aws:kinesisvideo:us-east-1:123456789012:channel/s/1")),
        ("sourceLanguage", json!("tlh")),
        ("targetLanguages", json!("es")),
        ("targetLanguages", json!(["es", 4])),
        ("qualityTier", json!("gold")),
        ("speakerId", json!({})),
        ("speakerId", json!("x".repeat(256))),
        ("eventId", json!("x".repeat(257))),
        ("schemaVersion", json!(format!("1.{}", "0".repeat(30)))),
        ("timestamp", json!("1732540620000")),
        ("timestamp", json!(-1)),
        ("timestamp", json!(0.5)),
        ("schemaVersion", json!(1.0)),
        ("schemaVersion", json!("one")),
        ("schemaVersion", json!("1.x")),
        ("eventId", json!([])),
    ] {
        let error = StatusChange::from_detail(&with(created(), field, value.clone()));
        assert!(
            matches!(error, Err(EventError::Malformed { field: f, .. }) if f == field),
            "{field}: {value} gave {error:?}"
        );
    }
    assert_eq!(StatusChange::from_detail(&json!([])), Err(EventError::NotAnObject));
}

prop_compose! {
    fn any_change()(
        name in "[a-z]{1,8}-[a-z]{1,8}-[0-9]{1,6}",
        active in any::<bool>(),
        stream in any::<bool>(),
        languages in proptest::collection::hash_set(0..Language::ALL.len(), 0..6),
        premium in proptest::option::of(any::<bool>()),
        speaker_id in proptest::option::of("\\PC{1,40}"),
        timestamp_ms in any::<u64>(),
        minor in 0..99_u32,
        event_id in proptest::option::of("[a-f0-9]{32}"),
    ) -> StatusChange {
        let arn = |kind| format!("arn:aws:kinesisvideo:eu-west-1:1:{kind}/session-{name}/17");
        StatusChange {
            session_id: name.parse().unwrap(),
            status: if active { EventStatus::Active } else { EventStatus::Ended },
            channel_arn: arn("channel").parse().unwrap(),
            stream_arn: stream.then(|| arn("stream").parse().unwrap()),
            source_language: Language::ENGLISH,
            target_languages: Some(languages.into_iter().map(|i| Language::ALL[i]).collect()),
            quality_tier: premium
                .map(|p| if p { QualityTier::Premium } else { QualityTier::Standard }),
            speaker_id,
            timestamp_ms,
            schema_version: format!("1.{minor}"),
            event_id,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(change in any_change()) {
        let text = change.to_detail().to_string();
        let detail: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(StatusChange::from_detail(&detail), Ok(change));
    }
}
