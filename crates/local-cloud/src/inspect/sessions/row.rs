//! A session in the list.

use serde::Serialize;
use serde_json::Value;

use super::super::table::aligned;
use local_aws::clock::rfc3339;

/// Samples in a second.
const SAMPLE_RATE: f64 = 16_000.0;

/// A session in the list. Times are Unix ms.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    session_id: String,
    status: String,
    /// RUN, PAUSE or STOP; absent without a Streams item.
    desired: Option<String>,
    delivery: &'static str,
    created_at: i64,
    epoch: u64,
    lease_expires_at: u64,
    delivered_samples: u64,
    /// State of the stream in KVS; absent if there is no stream.
    stream_status: Option<String>,
    fragments: u64,
}

impl Row {
    /// Reads a session's item, its Streams item, its watermark and its stream.
    pub(super) fn of(
        session: &Value,
        stream: Option<&Value>,
        watermark: Option<&Value>,
        kvs: Option<&Value>,
        now_ms: i64,
    ) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let number = |item: Option<&Value>, name: &str| {
            item.and_then(|item| item[name].as_u64()).unwrap_or_default()
        };
        Self {
            session_id: text(&session["sessionId"]).unwrap_or_default(),
            status: text(&session["status"]).unwrap_or_default(),
            desired: stream.and_then(|stream| text(&stream["desired"])),
            delivery: delivery(stream, now_ms),
            created_at: session["createdAt"].as_i64().unwrap_or_default(),
            epoch: number(stream, "epoch"),
            lease_expires_at: number(stream, "leaseExpiresAt"),
            delivered_samples: delivered(stream, watermark),
            stream_status: kvs.and_then(|kvs| text(&kvs["status"])),
            fragments: number(kvs, "fragments"),
        }
    }
}

/// Returns the state of a session's delivery.
pub(super) fn delivery(stream: Option<&Value>, now_ms: i64) -> &'static str {
    let Some(stream) = stream else { return "not started" };
    let held = stream["owner"].as_str().is_some_and(|owner| !owner.is_empty());
    let valid = stream["leaseExpiresAt"].as_i64().is_some_and(|expiry| expiry > now_ms);
    match (stream["status"] == "ENDED", held, stream["epoch"].as_u64()) {
        (true, ..) => "ended",
        (_, true, _) if valid => "running",
        (_, true, _) => "lease expired",
        (_, _, None | Some(0)) => "not started",
        _ => "lease free",
    }
}

/// Returns the position up to which the processor has accepted samples. A watermark in Processed is
/// newer than the checkpoint, but only a processor that keeps it there has one.
pub(super) fn delivered(stream: Option<&Value>, watermark: Option<&Value>) -> u64 {
    let stored = watermark.and_then(|item| item["nextSample"].as_u64()).unwrap_or_default();
    stored.max(checkpoint(stream)["acknowledged"].as_u64().unwrap_or_default())
}

/// Returns the checkpoint of a Streams item; null without one.
pub(super) fn checkpoint(stream: Option<&Value>) -> Value {
    let text = stream.and_then(|stream| stream["checkpoint"].as_str()).unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// Formats samples as seconds.
pub(super) fn seconds(samples: u64) -> String {
    format!("{:.1} s", samples as f64 / SAMPLE_RATE)
}

/// Returns the list as text.
pub(super) fn table(rows: &[Row]) -> String {
    let head =
        ["SESSION", "STATUS", "DESIRED", "DELIVERY", "EPOCH", "DELIVERED", "STREAM", "CREATED"];
    let line = |row: &Row| {
        let stream = row.stream_status.as_ref();
        let stream = stream.map(|status| format!("{status}, {} fragments", row.fragments));
        [
            row.session_id.clone(),
            row.status.clone(),
            row.desired.clone().unwrap_or_else(|| "-".to_owned()),
            row.delivery.to_owned(),
            row.epoch.to_string(),
            seconds(row.delivered_samples),
            stream.unwrap_or_else(|| "none".to_owned()),
            rfc3339(row.created_at),
        ]
    };
    let rows = [head.map(str::to_owned)].into_iter().chain(rows.iter().map(line));
    aligned(&rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(stream: Option<&Value>, kvs: Option<&Value>) -> Row {
        let session =
            json!({"sessionId": "a-b-1", "status": "active", "createdAt": 1_732_540_620_007_i64});
        let watermark = json!({"nextSample": 120_000});
        Row::of(&session, stream, Some(&watermark), kvs, 1000)
    }

    #[test]
    fn a_running_session_is_one_line() {
        let stream = json!({
            "desired": "RUN", "status": "RUNNING", "owner": "me", "epoch": 2, "leaseExpiresAt": 1001,
        });
        let kvs = json!({"status": "ACTIVE", "fragments": 4});
        let text = table(&[row(Some(&stream), Some(&kvs))]);
        let expected = "\
SESSION  STATUS  DESIRED  DELIVERY  EPOCH  DELIVERED  STREAM               CREATED
a-b-1    active  RUN      running   2      7.5 s      ACTIVE, 4 fragments  2024-11-25T13:17:00.007Z";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_session_without_a_stream_says_so() {
        let row = row(None, None);
        let text = table(std::slice::from_ref(&row));
        assert!(
            text.ends_with(
                "-        not started  0      7.5 s      none    2024-11-25T13:17:00.007Z"
            ),
            "{text}"
        );
        let json = json!(row);
        assert_eq!(
            (&json["streamStatus"], &json["deliveredSamples"]),
            (&Value::Null, &json!(120_000))
        );
    }

    #[test]
    fn the_state_of_a_delivery_is_that_of_its_lease() {
        let at = |item: Value| delivery(Some(&item), 1000);
        assert_eq!(at(json!({"epoch": 0})), "not started");
        assert_eq!(at(json!({"epoch": 1, "owner": "me", "leaseExpiresAt": 1001})), "running");
        assert_eq!(at(json!({"epoch": 1, "owner": "me", "leaseExpiresAt": 1000})), "lease expired");
        assert_eq!(at(json!({"epoch": 1, "leaseExpiresAt": 1001})), "lease free");
        assert_eq!(at(json!({"epoch": 1, "status": "ENDED"})), "ended");
        assert_eq!(delivery(None, 1000), "not started");
    }

    #[test]
    fn the_newer_position_counts() {
        let stream = json!({"checkpoint": "{\"acknowledged\": 9}"});
        assert_eq!(delivered(Some(&stream), None), 9);
        assert_eq!(delivered(Some(&stream), Some(&json!({"nextSample": 10}))), 10);
        assert_eq!(delivered(Some(&json!({"checkpoint": "?"})), None), 0);
    }
}
