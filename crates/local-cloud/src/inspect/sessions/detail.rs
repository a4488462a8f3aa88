//! One session in detail.

use serde::Serialize;
use serde_json::Value;

use super::super::table::aligned;
use super::row::seconds;
use local_aws::clock::rfc3339;
use local_aws::session_state::{checkpoint, delivered, session_delivery};

/// Counters of the checkpoint, in samples, with their labels.
const COUNTED: [(&str, &str); 6] = [
    ("filled", "filled"),
    ("gap", "skipped in gaps"),
    ("paused", "skipped while paused"),
    ("repeated", "repeated"),
    ("refused", "refused"),
    ("unavailable", "unavailable"),
];

/// All that was found about a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    /// Its item in Sessions.
    pub(super) session: Value,
    /// Its item in Streams.
    pub(super) stream: Option<Value>,
    /// Its item in Processed.
    pub(super) watermark: Option<Value>,
    /// Its stream.
    pub(super) kvs_stream: Option<Value>,
    /// Its signaling channel.
    pub(super) kvs_channel: Option<Value>,
    /// The statistics of its deliveries.
    pub(super) deliveries: Option<Value>,
}

impl Detail {
    /// Returns a line for each fact that is there.
    pub(super) fn text(&self, now_ms: i64) -> String {
        let (session, stream) = (&self.session, self.stream.as_ref());
        let checkpoint = checkpoint(stream);
        let delivery = session_delivery(session, stream, self.kvs_stream.as_ref(), now_ms);
        let facts = [
            ("session", text(&session["sessionId"])),
            ("status", self.status()),
            ("created", time(&session["createdAt"])),
            ("changed", time(&session["updatedAt"])),
            ("speaker", text(&session["speakerId"])),
            ("languages", self.languages()),
            (
                "channel",
                self.kvs_channel.as_ref().map_or(Some("none".to_owned()), |it| text(&it["status"])),
            ),
            ("stream", Some(self.kvs_stream.as_ref().map_or("none".to_owned(), kvs_stream))),
            ("event", pending(&session["pendingEvent"])),
            ("desired", stream.and_then(|stream| text(&stream["desired"]))),
            ("delivery", Some(delivery.to_owned())),
            ("lease", stream.and_then(lease)),
            ("last audio", stream.and_then(|stream| time(&stream["lastActivityAt"]))),
            ("position", Some(position(delivered(stream, self.watermark.as_ref())))),
            ("checkpoint", checkpoint["next"].as_u64().map(position)),
            ("samples", counted(&checkpoint["totals"])),
            ("invocations", self.deliveries.as_ref().map(invocations)),
        ];
        let facts = facts.into_iter().filter_map(|(name, fact)| Some([name.to_owned(), fact?]));
        aligned(&facts.collect::<Vec<_>>())
    }

    fn status(&self) -> Option<String> {
        let status = text(&self.session["status"])?;
        let reason =
            text(&self.session["endedReason"]).map(|reason| format!("{status} ({reason})"));
        Some(reason.unwrap_or(status))
    }

    fn languages(&self) -> Option<String> {
        let source = text(&self.session["sourceLanguage"])?;
        let targets = self.session["targetLanguages"].as_array().into_iter().flatten();
        let targets: Vec<_> = targets.filter_map(Value::as_str).collect();
        Some(match targets.is_empty() {
            true => source,
            false => format!("{source} to {}", targets.join(", ")),
        })
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn time(value: &Value) -> Option<String> {
    value.as_i64().map(rfc3339)
}

fn pending(event: &Value) -> Option<String> {
    let since = time(&event["since"])?;
    Some(format!("pending since {since}: the health check sends it again"))
}

fn kvs_stream(stream: &Value) -> String {
    let number = |name: &str| stream[name].as_u64().unwrap_or_default();
    format!(
        "{}, fragments: {}, bytes: {}, producers: {}, readers: {}",
        stream["status"].as_str().unwrap_or("-"),
        number("fragments"),
        number("bytes"),
        number("writers"),
        number("readers")
    )
}

fn lease(stream: &Value) -> Option<String> {
    let epoch = stream["epoch"].as_u64().filter(|epoch| *epoch > 0)?;
    let expiry = time(&stream["leaseExpiresAt"])?;
    Some(match stream["owner"].as_str().filter(|owner| !owner.is_empty()) {
        Some(owner) => format!("epoch {epoch}, held by {owner} until {expiry}"),
        None => format!("epoch {epoch}, free"),
    })
}

fn position(samples: u64) -> String {
    format!("{} ({samples} samples)", seconds(samples))
}

/// Returns the counters of audio that was not delivered as sent; none if all are 0.
fn counted(totals: &Value) -> Option<String> {
    let counted = COUNTED.iter().filter_map(|(name, label)| {
        let samples = totals[*name].as_u64().filter(|samples| *samples > 0)?;
        Some(format!("{samples} {label}"))
    });
    let counted = counted.collect::<Vec<_>>().join(", ");
    Some(counted).filter(|counted| !counted.is_empty())
}

fn invocations(stats: &Value) -> String {
    let number = |name: &str| stats[name].as_u64().unwrap_or_default();
    let chunks =
        format!("{} chunks accepted, {} failed", number("chunks"), number("failedDeliveries"));
    let latency = &stats["deliveryLatencyMs"];
    match (latency["p50"].as_f64(), latency["p99"].as_f64()) {
        (Some(p50), Some(p99)) => format!("{chunks}, latency {p50:.1} ms p50, {p99:.1} ms p99"),
        _ => chunks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn detail() -> Detail {
        Detail {
            session: json!({
                "sessionId": "a-b-1", "status": "ended", "endedReason": "deleted",
                "createdAt": 1_732_540_620_007_i64, "speakerId": "ana", "sourceLanguage": "en",
                "targetLanguages": ["de", "fr"], "pendingEvent": {"since": 1_732_540_620_007_i64},
            }),
            stream: Some(json!({
                "desired": "STOP", "status": "ENDED", "epoch": 2, "leaseExpiresAt": 0,
                "checkpoint": "{\"next\":16000,\"totals\":{\"filled\":160,\"gap\":0}}",
            })),
            watermark: Some(json!({"nextSample": 16_000})),
            kvs_stream: None,
            kvs_channel: Some(json!({"status": "ACTIVE"})),
            deliveries: Some(json!({
                "chunks": 2, "failedDeliveries": 1, "deliveryLatencyMs": {"p50": 11.16, "p99": 15.8},
            })),
        }
    }

    #[test]
    fn each_fact_is_a_line() {
        let expected = "\
session      a-b-1
status       ended (deleted)
created      2024-11-25T13:17:00.007Z
speaker      ana
languages    en to de, fr
channel      ACTIVE
stream       none
event        pending since 2024-11-25T13:17:00.007Z: the health check sends it again
desired      STOP
delivery     ended
lease        epoch 2, free
position     1.0 s (16000 samples)
checkpoint   1.0 s (16000 samples)
samples      160 filled
invocations  2 chunks accepted, 1 failed, latency 11.2 ms p50, 15.8 ms p99";
        assert_eq!(detail().text(0), expected);
    }

    #[test]
    fn a_session_without_a_delivery_has_fewer_facts() {
        let mut detail = detail();
        (detail.stream, detail.watermark, detail.deliveries) = (None, None, None);
        detail.kvs_stream =
            Some(json!({"status": "ACTIVE", "fragments": 4, "bytes": 9, "readers": 1}));
        let text = detail.text(0);
        assert!(
            text.contains("stream     ACTIVE, fragments: 4, bytes: 9, producers: 0, readers: 1"),
            "{text}"
        );
        assert!(text.contains("delivery   not started\nposition   0.0 s (0 samples)"), "{text}");
    }
}
