//! Interprets the processor's responses.
//!
//! Lambda reports a function error with status 200 and the `X-Amz-Function-Error` header. Some
//! functions return an error as a success whose JSON contains `statusCode` ≥ 400. Both count as
//! failures here, and so do `accepted: false` and a `nextSample` that is not an integer. Any
//! other successful response counts as acceptance; without `nextSample`, of the whole payload.

use serde_json::Value;
use session::audio::{Answer, Refusal};

/// The outcome of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The processor accepted the samples.
    Accepted(Option<Answer>),
    /// The processor has seen a higher epoch: stop delivering.
    StaleEpoch,
    /// The processor's position is before the payload: go back to it.
    OutOfOrder {
        /// The next sample the processor expects.
        next_sample: u64,
    },
    /// The processor rejects these samples permanently.
    Invalid(String),
    /// A retryable failure: 429, 5xx, timeout or an unhandled error.
    Failed(String),
}

/// Maximum length, in characters, of an error text taken from the processor.
const REASON_LIMIT: usize = 300;

impl Reply {
    /// Parses an Invoke response: the `X-Amz-Function-Error` header and the body.
    #[must_use]
    pub fn from_invoke(function_error: Option<&str>, body: &[u8]) -> Self {
        let json: Option<Value> = serde_json::from_slice(body).ok();
        match function_error {
            Some(kind) => Self::from_error(kind, json.as_ref()),
            None => Self::from_success(json.as_ref()),
        }
    }

    fn from_error(kind: &str, json: Option<&Value>) -> Self {
        let field = |name: &str| json.and_then(|json| json.get(name)).and_then(Value::as_str);
        let message = field("errorMessage").unwrap_or_default();
        let error_type = field("errorType").unwrap_or(kind);
        match Refusal::from_function_error(error_type, message) {
            Some(Refusal::StaleEpoch { .. }) => Self::StaleEpoch,
            Some(Refusal::OutOfOrder { next_sample }) => Self::OutOfOrder { next_sample },
            Some(Refusal::InvalidPayload { reason }) => {
                Self::Invalid(clip(Refusal::INVALID_PAYLOAD, &reason))
            }
            None => Self::Failed(clip(error_type, message)),
        }
    }

    fn from_success(json: Option<&Value>) -> Self {
        let status = json.and_then(|json| json.get("statusCode")).and_then(Value::as_u64);
        match status {
            Some(status @ (408 | 409 | 425 | 429)) => Self::Failed(format!("statusCode {status}")),
            Some(status @ 400..500) => Self::Invalid(format!("statusCode {status}")),
            Some(status @ 500..) => Self::Failed(format!("statusCode {status}")),
            _ => Self::from_answer(json),
        }
    }

    fn from_answer(json: Option<&Value>) -> Self {
        let field = |name: &str| json.and_then(|json| json.get(name));
        if field("accepted") == Some(&Value::Bool(false)) {
            return Self::Failed("accepted is false".to_owned());
        }
        let Some(next_sample) = field("nextSample").filter(|next| !next.is_null()) else {
            return Self::Accepted(None);
        };
        let Some(next_sample) = next_sample.as_u64() else {
            return Self::Failed(clip("nextSample is not an integer", &next_sample.to_string()));
        };
        let duplicate = field("duplicate") == Some(&Value::Bool(true));
        Self::Accepted(Some(Answer { accepted: true, next_sample, duplicate }))
    }
}

fn clip(kind: &str, message: &str) -> String {
    format!("{kind}: {message}").chars().take(REASON_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: &str, message: &str) -> Reply {
        let body = serde_json::json!({"errorType": kind, "errorMessage": message}).to_string();
        Reply::from_invoke(Some("Unhandled"), body.as_bytes())
    }

    #[test]
    fn each_named_error_has_its_reply() {
        assert_eq!(error("StaleEpoch", "epoch 3 < 4"), Reply::StaleEpoch);
        assert_eq!(
            error("OutOfOrder", "OutOfOrder: expected earlier {\"nextSample\":123}"),
            Reply::OutOfOrder { next_sample: 123 }
        );
        assert!(matches!(error("InvalidPayload", "no format"), Reply::Invalid(_)));
    }

    #[test]
    fn everything_unknown_is_tried_again() {
        assert!(matches!(error("Runtime.ExitError", "signal: killed"), Reply::Failed(_)));
        assert!(matches!(error("OutOfOrder", "no number"), Reply::Failed(_)));
        assert!(matches!(Reply::from_invoke(Some("Unhandled"), b"not json"), Reply::Failed(_)));
    }

    #[test]
    fn an_error_status_in_the_response_is_not_acceptance() {
        let reply = |status: u64| {
            Reply::from_invoke(None, format!("{{\"statusCode\":{status}}}").as_bytes())
        };
        assert!(matches!(reply(500), Reply::Failed(_)));
        assert!(matches!(reply(429), Reply::Failed(_)));
        assert!(matches!(reply(400), Reply::Invalid(_)));
        assert_eq!(reply(200), Reply::Accepted(None));
    }

    #[test]
    fn a_success_of_any_form_is_acceptance() {
        for body in ["", "null", "\"ok\"", "{\"ok\":true}"] {
            assert_eq!(Reply::from_invoke(None, body.as_bytes()), Reply::Accepted(None), "{body}");
        }
    }

    #[test]
    fn an_answer_that_does_not_accept_or_has_no_position_is_a_failure() {
        for body in [
            r#"{"accepted":false}"#,
            r#"{"accepted":false,"nextSample":8000,"duplicate":false}"#,
            r#"{"nextSample":"8000"}"#,
            r#"{"nextSample":-1}"#,
            r#"{"nextSample":8000.5}"#,
        ] {
            let reply = Reply::from_invoke(None, body.as_bytes());
            assert!(matches!(reply, Reply::Failed(_)), "{body}: {reply:?}");
        }
    }

    #[test]
    fn the_position_alone_is_an_answer() {
        for (body, duplicate) in [
            (r#"{"nextSample":4000}"#, false),
            (r#"{"nextSample":4000,"duplicate":true}"#, true),
            (r#"{"accepted":null,"nextSample":4000,"duplicate":"yes"}"#, false),
        ] {
            let answer = Answer { accepted: true, next_sample: 4000, duplicate };
            let reply = Reply::from_invoke(None, body.as_bytes());
            assert_eq!(reply, Reply::Accepted(Some(answer)), "{body}");
        }
    }

    #[test]
    fn our_own_answer_is_read() {
        let body = br#"{"accepted":true,"nextSample":8000,"duplicate":false}"#;
        let Reply::Accepted(Some(answer)) = Reply::from_invoke(None, body) else { panic!() };
        assert_eq!(answer.next_sample, 8_000);
    }
}
