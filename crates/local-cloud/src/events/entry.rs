//! From an entry of PutEvents to the event that targets get.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Events;
use crate::account::Account;
use crate::aws_error::AwsError;
use crate::clock::rfc3339;
use crate::faults::Fault;

/// The most of all entries of a call, in bytes.
const MAX_ENTRIES_SIZE: usize = 1024 * 1024;

impl Events {
    /// PutEvents: every entry on its own, failures told inside a successful answer. `trace` is the
    /// call's header, for entries without a TraceHeader; `fault` strikes one entry.
    pub(super) fn put_events(
        self: &std::sync::Arc<Self>,
        request: &Value,
        trace: Option<String>,
        fault: Option<&Fault>,
    ) -> Result<Value, AwsError> {
        let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        let refuse = |reason: &str| {
            let message = format!(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: {reason}"
            );
            AwsError::bad_request("ValidationException", message)
        };
        match entries.len() {
            0 => return Err(refuse("Member must have length greater than or equal to 1")),
            1..=10 => {}
            _ => return Err(refuse("Member must have length less than or equal to 10")),
        }
        if entries.iter().map(size).sum::<usize>() > MAX_ENTRIES_SIZE {
            let message = "Total size of the entries in the request is over the limit.";
            return Err(AwsError::bad_request("ValidationException", message));
        }
        let struck = fault.map(|fault| (fault.extra["entry"].as_u64().unwrap_or(0), fault));
        let mut failed = 0;
        let mut answers = Vec::new();
        for (index, entry) in (0..).zip(entries) {
            let taken = match struck {
                Some((at, fault)) if at == index => {
                    let error = fault.error();
                    Err((error.code.into_owned(), error.message))
                }
                _ => self.take(entry, trace.as_deref()),
            };
            answers.push(match taken {
                Ok(id) => json!({"EventId": id}),
                Err((code, message)) => {
                    failed += 1;
                    json!({"ErrorCode": code, "ErrorMessage": message})
                }
            });
        }
        Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
    }

    /// Takes one entry: archives it and sends it to the rules.
    fn take(
        self: &std::sync::Arc<Self>,
        entry: &Value,
        trace: Option<&str>,
    ) -> Result<String, (String, String)> {
        if !self.has_room() {
            return Err(("ThrottlingException".to_owned(), "Rate exceeded".to_owned()));
        }
        let (id, event) = envelope(entry, &self.account, self.clock.now_ms())?;
        for archive in &self.archives {
            archive.keep(&event, self.clock.now_ms());
        }
        let trace = entry["TraceHeader"].as_str().or(trace);
        self.publish(&event, trace, None);
        Ok(id)
    }
}

/// What an entry weighs: 14 bytes for its time and the bytes of its texts (EventBridge User Guide,
/// "Calculating PutEvents event entry size").
fn size(entry: &Value) -> usize {
    let text = |name: &str| entry[name].as_str().map_or(0, str::len);
    let resources = entry["Resources"].as_array().into_iter().flatten();
    let resources: usize = resources.filter_map(Value::as_str).map(str::len).sum();
    let time = if entry["Time"].is_null() { 0 } else { 14 };
    time + text("Source") + text("DetailType") + text("Detail") + resources
}

/// The event that rules and targets see, with its id; or the entry's error, code and message.
fn envelope(
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

/// EventBridge's times have no fraction: `2025-11-25T12:57:00Z`.
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
