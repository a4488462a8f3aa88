//! The state of a session's delivery, read from its Streams item and its watermark.

use serde_json::Value;

/// Returns the state of a session's delivery at `now_ms`: `not started`; `running` (a run holds the
/// lease); `lease expired` (a run held it and did not renew it); `lease free` (no run holds it);
/// `ended`.
pub fn delivery(stream: Option<&Value>, now_ms: i64) -> &'static str {
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

/// Returns the state of a session's delivery as [`delivery`] does, or `no stream` if the delivery
/// has not ended and the Kinesis Video stream of the session does not exist, for example because a
/// data folder does not keep streams: the health check ends such a session.
pub fn session_delivery(
    session: &Value,
    stream: Option<&Value>,
    kvs: Option<&Value>,
    now_ms: i64,
) -> &'static str {
    let delivery = delivery(stream, now_ms);
    let has_stream = kvs.is_some() || session["status"] == "creating";
    if has_stream || delivery == "ended" { delivery } else { "no stream" }
}

/// Returns the position up to which the processor has accepted samples. A watermark in Processed is
/// newer than the checkpoint, but only a processor that keeps it there has one.
pub fn delivered(stream: Option<&Value>, watermark: Option<&Value>) -> u64 {
    let stored = watermark.and_then(|item| item["nextSample"].as_u64()).unwrap_or_default();
    stored.max(checkpoint(stream)["acknowledged"].as_u64().unwrap_or_default())
}

/// Returns the checkpoint of a Streams item; null without one.
pub fn checkpoint(stream: Option<&Value>) -> Value {
    let text = stream.and_then(|stream| stream["checkpoint"].as_str()).unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn a_delivery_whose_stream_does_not_exist_has_no_stream() {
        let running = json!({"epoch": 1, "owner": "me", "leaseExpiresAt": 1001});
        let ended = json!({"epoch": 1, "status": "ENDED"});
        let of = |status: &str, stream: &Value, kvs: Option<&Value>| {
            session_delivery(&json!({"status": status}), Some(stream), kvs, 1000)
        };
        for status in ["active", "paused", "ended"] {
            assert_eq!(of(status, &running, None), "no stream", "{status}");
            assert_eq!(of(status, &ended, None), "ended", "{status}");
            assert_eq!(of(status, &running, Some(&json!({}))), "running", "{status}");
        }
        assert_eq!(of("creating", &running, None), "running");
    }

    #[test]
    fn the_newer_position_counts() {
        let stream = json!({"checkpoint": "{\"acknowledged\": 9}"});
        assert_eq!(delivered(Some(&stream), None), 9);
        assert_eq!(delivered(Some(&stream), Some(&json!({"nextSample": 10}))), 10);
        assert_eq!(delivered(Some(&json!({"checkpoint": "?"})), None), 0);
    }
}
