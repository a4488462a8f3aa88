//! Turns an entry of PutEvents into the event for rules and targets.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::rfc3339;
use sam_template::Account;

/// Returns the size of an entry: 14 bytes for its time and the bytes of its texts (EventBridge User
/// Guide, "Calculating PutEvents event entry size").
pub(super) fn size(entry: &Value) -> usize {
    let text = |name: &str| entry[name].as_str().map_or(0, str::len);
    let resources = entry["Resources"].as_array().into_iter().flatten();
    let resources: usize = resources.filter_map(Value::as_str).map(str::len).sum();
    let time = if entry["Time"].is_null() { 0 } else { 14 };
    time + text("Source") + text("DetailType") + text("Detail") + resources
}

/// Returns the id and the event for rules and targets, or the entry's error code and message.
pub(super) fn envelope(
    entry: &Value,
    account: &Account,
    now: i64,
) -> Result<(String, Value), (String, String)> {
    let needed = |name: &str| match entry[name].as_str() {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err((
            "InvalidArgument".to_owned(),
            format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
        )),
    };
    let bus = entry["EventBusName"].as_str().unwrap_or("default");
    if bus.rsplit('/').next() != Some("default") {
        let message = format!("Event bus {bus} does not exist.");
        return Err(("ResourceNotFoundException".to_owned(), message));
    }
    let (source, detail_type) = (needed("Source")?, needed("DetailType")?);
    if source.starts_with("aws.") {
        let message = format!("Not authorized for the source {source}.");
        return Err(("NotAuthorizedForSourceException".to_owned(), message));
    }
    if detail_type.len() > 128 {
        let message = "Parameter DetailType is not valid. Reason: Must be at most 128 characters.";
        return Err(("InvalidArgument".to_owned(), message.to_owned()));
    }
    let detail = serde_json::from_str(needed("Detail")?).ok().filter(Value::is_object);
    let detail =
        detail.ok_or_else(|| ("MalformedDetail".to_owned(), "Detail is malformed.".to_owned()))?;
    let time = entry["Time"].as_f64().map_or(now, |seconds| (seconds * 1000.0) as i64);
    let id = Uuid::new_v4().to_string();
    let event = json!({
        "version": "0", "id": id, "detail-type": detail_type, "source": source,
        "account": account.id, "time": whole_seconds(time), "region": account.region,
        "resources": entry["Resources"].as_array().cloned().unwrap_or_default(),
        "detail": detail,
    });
    Ok((id, event))
}

/// The event of a schedule without an input.
pub(super) fn scheduled(account: &Account, rule_arn: &str, now: i64) -> Value {
    json!({
        "version": "0", "id": Uuid::new_v4().to_string(), "detail-type": "Scheduled Event",
        "source": "aws.events", "account": account.id, "time": whole_seconds(now),
        "region": account.region, "resources": [rule_arn], "detail": {},
    })
}

/// Formats a time without a fraction, as EventBridge does: `2025-11-25T12:57:00Z`.
fn whole_seconds(ms: i64) -> String {
    let mut text = rfc3339(ms);
    text.truncate(19);
    text + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Value {
        json!({"Source": "s", "DetailType": "t", "Detail": "{\"a\":1}", "EventBusName": "default"})
    }

    fn code(field: &str, value: Value) -> String {
        let mut entry = entry();
        entry[field] = value;
        envelope(&entry, &Account::default(), 0).unwrap_err().0
    }

    #[test]
    fn an_entry_becomes_an_event() {
        let mut entry = entry();
        entry["Time"] = json!(1_764_075_420.9);
        let (id, event) = envelope(&entry, &Account::default(), 0).unwrap();
        let wanted = json!({
            "version": "0", "id": id, "detail-type": "t", "source": "s", "account": "000000000000",
            "time": "2025-11-25T12:57:00Z", "region": "us-east-1", "resources": [],
            "detail": {"a": 1},
        });
        assert_eq!(event, wanted);
    }

    #[test]
    fn a_wrong_entry_fails_alone_with_its_code() {
        assert_eq!(code("Source", json!(null)), "InvalidArgument");
        assert_eq!(code("Source", json!("aws.s3")), "NotAuthorizedForSourceException");
        assert_eq!(code("DetailType", json!("x".repeat(129))), "InvalidArgument");
        assert_eq!(code("Detail", json!("{")), "MalformedDetail");
        assert_eq!(code("Detail", json!("[1]")), "MalformedDetail");
        assert_eq!(code("EventBusName", json!("other")), "ResourceNotFoundException");
    }
}
