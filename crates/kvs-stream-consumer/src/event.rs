//! Parses and validates an event.

use serde_json::Value;
use session::SessionId;
use session::event::{CONTINUATION, DETAIL_TYPE, StatusChange};

use crate::failure::Failure;

/// What an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// `Session Status Change` from EventBridge.
    StatusChange(Box<StatusChange>),
    /// The schedule's constant payload.
    HealthCheck,
    /// Direct event: start this session.
    Start(SessionId),
    /// Direct event: stop this session.
    Stop(SessionId),
    /// The previous run hands off, directly or over the bus (`Session Continuation`).
    Continue {
        /// The session.
        session_id: SessionId,
        /// The epoch that hands off.
        epoch: u64,
    },
}

impl Input {
    /// Parses a payload.
    ///
    /// # Errors
    /// [`Failure`] for any other payload; it names the cause.
    pub(crate) fn read(payload: &Value) -> Result<Self, Failure> {
        if let Some(kind) = payload.get("detail-type") {
            let detail = payload.get("detail").unwrap_or(&Value::Null);
            return match kind.as_str() {
                Some(DETAIL_TYPE) => {
                    Ok(Self::StatusChange(Box::new(StatusChange::from_detail(detail)?)))
                }
                Some(CONTINUATION) if detail["action"] == "continue" => continuation(detail),
                _ => Err(unknown(format!("detail-type {kind}"))),
            };
        }
        match payload.get("action").and_then(Value::as_str) {
            Some("health_check") => Ok(Self::HealthCheck),
            Some("start") => Ok(Self::Start(session_id(payload)?)),
            Some("stop") => Ok(Self::Stop(session_id(payload)?)),
            Some("continue") => continuation(payload),
            Some(other) => Err(unknown(format!("action {other:?}"))),
            None => Err(unknown("neither detail-type nor action".to_owned())),
        }
    }
}

/// Returns the error of an event that is not known. The reason is truncated, because it quotes the
/// event.
fn unknown(mut reason: String) -> Failure {
    reason.truncate(reason.floor_char_boundary(60));
    Failure::UnknownEvent(reason)
}

fn session_id(payload: &Value) -> Result<SessionId, Failure> {
    let text = payload.get("sessionId").and_then(Value::as_str).unwrap_or_default();
    Ok(text.parse()?)
}

fn continuation(payload: &Value) -> Result<Input, Failure> {
    let number = |name: &str| {
        let value = payload.get(name).and_then(Value::as_u64);
        value.ok_or_else(|| unknown(format!("continuation without {name}")))
    };
    let (found, known) = (number("version")?, relay::checkpoint::VERSION);
    if found != u64::from(known) && found + 1 != u64::from(known) {
        return Err(Failure::Version { found, known });
    }
    Ok(Input::Continue { session_id: session_id(payload)?, epoch: number("epoch")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id() -> SessionId {
        "blessed-shepherd-123".parse().unwrap()
    }

    #[test]
    fn direct_events_and_the_schedule_are_recognised() {
        let direct = |action: &str| {
            Input::read(&json!({"sessionId": "blessed-shepherd-123", "action": action})).unwrap()
        };
        assert_eq!(direct("start"), Input::Start(id()));
        assert_eq!(direct("stop"), Input::Stop(id()));
        let schedule = json!({"action": "health_check", "source": "cloudwatch_events"});
        assert_eq!(Input::read(&schedule).unwrap(), Input::HealthCheck);
    }

    #[test]
    fn a_continuation_of_this_version_and_the_previous_one_is_read() {
        let version = u64::from(relay::checkpoint::VERSION);
        let at = |version: u64| {
            Input::read(&json!({
                "sessionId": "blessed-shepherd-123", "action": "continue",
                "epoch": 3, "version": version, "traceId": "Root=1-a"
            }))
        };
        let expected = Input::Continue { session_id: id(), epoch: 3 };
        assert_eq!(at(version).unwrap(), expected);
        assert_eq!(at(version - 1).unwrap(), expected);
        assert!(matches!(at(version + 1), Err(Failure::Version { .. })));
        let event = |detail: Value| {
            Input::read(&json!({"detail-type": "Session Continuation", "detail": detail}))
        };
        let schema = include_str!("../../../events/session-continuation.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let detail = schema["examples"][0].clone();
        let expected = Input::Continue { session_id: id(), epoch: 1 };
        assert_eq!(event(detail.clone()).unwrap(), expected);
        let mut other = detail;
        other["action"] = json!("start");
        assert!(matches!(event(other), Err(Failure::UnknownEvent(_))));
    }

    #[test]
    fn a_status_change_is_read_and_a_malformed_one_refused() {
        let event = |channel: &str| {
            json!({
                "detail-type": "Session Status Change", "source": "session-management",
                "detail": {
                    "sessionId": "blessed-shepherd-123", "status": "ENDED", "sourceLanguage": "en",
                    "channelArn": format!("arn:aws:kinesisvideo:us-east-1:1:{channel}/session-blessed-shepherd-123/1"),
                    "timestamp": 1
                }
            })
        };
        assert!(matches!(Input::read(&event("channel")), Ok(Input::StatusChange(_))));
        assert!(matches!(Input::read(&event("stream")), Err(Failure::InvalidEvent(_))));
    }

    #[test]
    fn every_sample_event_parses_as_its_name_says() {
        let read = |case: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
            let file = format!("{folder}/kvs-stream-consumer.{case}.json");
            let text = std::fs::read_to_string(&file).expect(&file);
            Input::read(&serde_json::from_str(&text).expect(&file)).expect(&file)
        };
        assert!(matches!(read("session-active"), Input::StatusChange(_)));
        assert!(matches!(read("session-ended"), Input::StatusChange(_)));
        assert!(matches!(read("health-check"), Input::HealthCheck));
        assert!(matches!(read("start"), Input::Start(_)));
        assert!(matches!(read("stop"), Input::Stop(_)));
        assert!(matches!(read("continue"), Input::Continue { .. }));
    }

    #[test]
    fn an_error_quotes_no_more_than_the_beginning_of_an_event() {
        let long = "x".repeat(100_000);
        for payload in [json!({"action": long}), json!({"detail-type": long})] {
            let error = Input::read(&payload).unwrap_err().to_string();
            assert!(error.len() < 120, "{} bytes", error.len());
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for payload in [
            json!({}),
            json!(null),
            json!([1]),
            json!({"action": "dance"}),
            json!({"action": "start"}),
            json!({"action": "start", "sessionId": "../etc/passwd"}),
            json!({"action": "continue", "sessionId": "blessed-shepherd-123"}),
            json!({"detail-type": "Something Else", "detail": {}}),
            json!({"detail-type": "Session Status Change"}),
        ] {
            assert!(Input::read(&payload).is_err(), "{payload}");
        }
    }
}
