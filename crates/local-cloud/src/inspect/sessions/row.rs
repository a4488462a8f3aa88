//! A session in the list.

use serde::Serialize;
use serde_json::Value;

use super::super::table::aligned;
use local_aws::clock::rfc3339;
use local_aws::session_state::{delivered, session_delivery};

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
            delivery: session_delivery(session, stream, kvs, now_ms),
            created_at: session["createdAt"].as_i64().unwrap_or_default(),
            epoch: number(stream, "epoch"),
            lease_expires_at: number(stream, "leaseExpiresAt"),
            delivered_samples: delivered(stream, watermark),
            stream_status: kvs.and_then(|kvs| text(&kvs["status"])),
            fragments: number(kvs, "fragments"),
        }
    }
}

/// Formats samples as seconds.
pub(super) fn seconds(samples: u64) -> String {
    format!("{:.1} s", samples as f64 / SAMPLE_RATE)
}

/// Returns the list as text.
pub(super) fn table(rows: &[Row]) -> String {
    let head =
        ["SESSION", "STATUS", "DESIRED", "DELIVERY", "EPOCH", "POSITION", "STREAM", "CREATED"];
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
SESSION  STATUS  DESIRED  DELIVERY  EPOCH  POSITION  STREAM               CREATED
a-b-1    active  RUN      running   2      7.5 s     ACTIVE, 4 fragments  2024-11-25T13:17:00.007Z";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_session_without_a_stream_says_so() {
        let row = row(None, None);
        let text = table(std::slice::from_ref(&row));
        assert!(
            text.ends_with("-        no stream  0      7.5 s     none    2024-11-25T13:17:00.007Z"),
            "{text}"
        );
        let json = json!(row);
        assert_eq!(
            (&json["streamStatus"], &json["deliveredSamples"]),
            (&Value::Null, &json!(120_000))
        );
    }
}
