//! Converts records to DynamoDB items and back through their JSON form, so that only the record
//! defines the attribute names.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};
use session::{ErrorKind, PortError};

/// Attributes of an item by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Converts a record to an item.
#[cfg(feature = "sessions")]
pub(super) fn to_item(operation: &'static str, record: &impl Serialize) -> Result<Item, PortError> {
    match to_attribute(record) {
        AttributeValue::M(item) => Ok(item),
        _ => Err(PortError::new(operation, ErrorKind::Invalid, "the record is not an object")),
    }
}

/// Converts a value to an attribute. Values without a JSON form become NULL.
pub(super) fn to_attribute(value: &impl Serialize) -> AttributeValue {
    attribute(serde_json::to_value(value).unwrap_or_default())
}

/// Converts an item to a record. Unknown attributes are ignored.
pub(super) fn from_item<T: DeserializeOwned>(
    operation: &'static str,
    item: Item,
) -> Result<T, PortError> {
    let members = item.into_iter().map(|(name, value)| (name, json(value))).collect();
    serde_json::from_value(Value::Object(members)).map_err(|error| {
        PortError::new(operation, ErrorKind::Invalid, format!("the item is malformed: {error}"))
    })
}

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(list) => AttributeValue::L(list.into_iter().map(attribute).collect()),
        Value::Object(members) => AttributeValue::M(
            members.into_iter().map(|(name, value)| (name, attribute(value))).collect(),
        ),
    }
}

/// Converts an attribute to JSON: string sets to lists, binary values to null.
fn json(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::N(text) => text.parse::<Number>().map_or(Value::Null, Value::Number),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(list) => Value::Array(list.into_iter().map(json).collect()),
        AttributeValue::Ss(set) => Value::Array(set.into_iter().map(Value::String).collect()),
        AttributeValue::M(members) => {
            let members: Map<String, Value> =
                members.into_iter().map(|(name, value)| (name, json(value))).collect();
            Value::Object(members)
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use session::{PendingEvent, Session, SignalingEndpoints};

    fn session(id: &str, listeners: u64, at: u64, detail: &str, whole: bool) -> Session {
        let arn =
            |kind| format!("arn:aws:kinesisvideo:eu-west-1:123456789012:{kind}/session-{id}/1");
        let url = || "https://m-1.kinesisvideo.eu-west-1.amazonaws.com".to_owned();
        Session {
            session_id: id.parse().unwrap(),
            speaker_id: "user-sub-uuid".to_owned(),
            source_language: "en".parse().unwrap(),
            target_languages: vec!["de".parse().unwrap(), "es".parse().unwrap()],
            quality_tier: session::QualityTier::Premium,
            settings_version: 1,
            status: session::SessionStatus::Active,
            listener_count: listeners,
            created_at: at,
            updated_at: at,
            expires_at: at / 1000,
            kvs_channel_arn: whole.then(|| arn("channel").parse().unwrap()),
            kvs_channel_name: format!("session-{id}"),
            kvs_stream_arn: whole.then(|| arn("stream").parse().unwrap()),
            kvs_stream_name: format!("session-{id}"),
            kvs_signaling_endpoints: whole.then(|| SignalingEndpoints {
                wss: url(),
                https: url(),
                webrtc: url(),
            }),
            pending_event: whole.then(|| PendingEvent {
                detail: detail.to_owned(),
                trace_header: None,
                since: at,
            }),
            ended_reason: None,
            claim_until: None,
            env: "dev".to_owned(),
        }
    }

    proptest! {
        #[test]
        fn a_session_is_read_as_it_was_written(
            id in "[a-z]{1,9}-[a-z]{1,9}-[0-9]{1,9}",
            listeners in any::<u64>(),
            at in any::<u64>(),
            detail in "\\PC{0,60}",
            whole in any::<bool>(),
        ) {
            let session = session(&id, listeners, at, &detail, whole);
            let item = to_item("PutItem", &session).unwrap();
            prop_assert_eq!(from_item::<Session>("GetItem", item).unwrap(), session);
        }
    }

    #[test]
    fn attributes_have_the_types_of_the_table() {
        let item = to_item("PutItem", &session("a-b-1", 0, 1_732_540_620_000, "{}", true)).unwrap();
        assert_eq!(item["sessionId"], AttributeValue::S("a-b-1".to_owned()));
        assert_eq!(item["status"], AttributeValue::S("active".to_owned()));
        assert_eq!(item["updatedAt"], AttributeValue::N("1732540620000".to_owned()));
        assert!(matches!(&item["targetLanguages"], AttributeValue::L(list) if list.len() == 2));
        let AttributeValue::M(endpoints) = &item["kvsSignalingEndpoints"] else { panic!() };
        assert!(endpoints.contains_key("WSS") && endpoints.contains_key("WEBRTC"));
        let reserved = to_item("PutItem", &session("a-b-1", 0, 1, "", false)).unwrap();
        for absent in ["kvsChannelArn", "pendingEvent", "endedReason", "claimUntil"] {
            assert!(!reserved.contains_key(absent), "{absent} is absent, not NULL");
        }
    }

    #[test]
    fn unknown_attributes_are_ignored_and_malformed_ones_are_a_fault() {
        let mut item = to_item("PutItem", &session("a-b-1", 0, 1, "", false)).unwrap();
        item.insert("later".to_owned(), AttributeValue::Ss(vec!["x".to_owned()]));
        assert!(from_item::<Session>("GetItem", item.clone()).is_ok());
        item.insert("status".to_owned(), AttributeValue::S("asleep".to_owned()));
        let error = from_item::<Session>("GetItem", item).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
    }
}
