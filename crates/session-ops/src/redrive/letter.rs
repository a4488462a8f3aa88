//! The request in a dead letter, which has one of three forms:
//!
//! - `event`: EventBridge could not deliver it, or workers failed to handle it. The body is the
//!   event; EventBridge adds rule and target as attributes (User Guide, "Using dead-letter
//!   queues").
//! - `failure`: a function failed. The body is Lambda's record, with the event in `requestPayload`
//!   (developer guide, "Capturing records of Lambda asynchronous invocations").
//! - `chunk`: the processor rejected it. The body is the consumer's `relay::ports::DeadLetter`:
//!   position, reason, and the request in `payload`.

use serde_json::{Value, json};

use crate::aws::Letter;
use crate::environment::Environment;

/// The delivery of a letter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivery {
    /// The letter's form: `event`, `failure` or `chunk`.
    pub(super) form: &'static str,
    /// Where the samples of a chunk end: its invocation is synchronous, because only the answer
    /// shows whether they were accepted. Absent for any other letter, whose invocation is
    /// asynchronous.
    pub(super) chunk_end: Option<u64>,
    /// The function.
    pub(super) function: String,
    /// Its payload.
    pub(super) payload: String,
}

impl Delivery {
    /// Reads a letter. `to` replaces its function.
    ///
    /// # Errors
    /// Why it is not understood. Such a letter is kept.
    pub(super) fn of(
        letter: &Letter,
        env: &Environment,
        to: Option<&str>,
    ) -> Result<Self, &'static str> {
        let body: Value = serde_json::from_str(&letter.body).map_err(|_| "not JSON")?;
        let is_event = body["detail-type"].is_string() || body["action"].is_string();
        let (form, function, payload) = if is_event {
            event(letter, &body, env)
        } else if body["requestContext"]["functionArn"].is_string() {
            let arn = body["requestContext"]["functionArn"].as_str().unwrap_or_default();
            ("failure", function_of(arn, env), required(&body, "requestPayload")?)
        } else if body["startSample"].is_u64() {
            ("chunk", env.processor(), required(&body, "payload")?)
        } else {
            return Err("neither an event, a failed invocation nor a chunk");
        };
        let function = match to {
            Some(to) => to.to_owned(),
            None if is_function(&function) => function,
            None => return Err("its target is no function"),
        };
        let number = |name: &str| payload[name].as_u64().unwrap_or_default();
        let end = number("startSample").saturating_add(number("sampleCount"));
        let chunk_end = (form == "chunk").then_some(end);
        Ok(Self { form, chunk_end, function, payload: payload.to_string() })
    }
}

/// Returns the session that a letter names, and why it is in its queue: as the processor,
/// Lambda or EventBridge recorded it. `-` stands for what is not known.
pub(super) fn session_and_reason(letter: &Letter) -> (String, String) {
    let body: Value = serde_json::from_str(&letter.body).unwrap_or_default();
    let parts = [&body, &body["requestPayload"], &body["payload"]];
    let session = parts.into_iter().find_map(session).unwrap_or("-").to_owned();
    (session, reason(letter, &body))
}

/// Part of the ARN of the queue from which workers take events.
const WORKERS_QUEUE: &str = ":consumer-starts-";

/// An event goes to its target. That of the schedule has a constant input, which is not in the
/// letter: the health check.
fn event(letter: &Letter, body: &Value, env: &Environment) -> (&'static str, String, Value) {
    let target = letter.attributes.get("TARGET_ARN");
    let function = target.map_or_else(|| env.consumer(), |arn| function_of(arn, env));
    let payload = match body["detail-type"].as_str() {
        Some("Scheduled Event") => json!({"action": "health_check", "source": "session-ops"}),
        _ => body.clone(),
    };
    ("event", function, payload)
}

/// Returns why a letter is in its queue.
fn reason(letter: &Letter, body: &Value) -> String {
    let failure = &body["responsePayload"];
    let fields = [&body["reason"], &failure["errorType"], &failure["errorMessage"]];
    let recorded = fields.into_iter().filter_map(Value::as_str);
    let names = ["ERROR_CODE", "ERROR_MESSAGE"];
    let attributes = names.into_iter().filter_map(|name| letter.attributes.get(name));
    let reason = recorded.chain(attributes.map(String::as_str)).collect::<Vec<_>>().join(": ");
    if reason.is_empty() { "-".to_owned() } else { reason }
}

/// Returns whether it is a function's name or ARN.
fn is_function(name: &str) -> bool {
    !name.starts_with("arn:") || name.split(':').nth(2) == Some("lambda")
}

/// Returns the function for what failed on its way to `arn`, or in it: the function itself. What
/// was for another host of the consumer goes to the consumer's function, which forwards it to the
/// host of today.
fn function_of(arn: &str, env: &Environment) -> String {
    let function = unqualified(arn);
    let is_of_another_host = arn.contains(WORKERS_QUEUE)
        || function.ends_with(&format!(":function:{}", env.instances()));
    if is_of_another_host { env.consumer() } else { function }
}

/// Returns a function's ARN without version or alias: the failed version may be gone.
fn unqualified(arn: &str) -> String {
    arn.splitn(8, ':').take(7).collect::<Vec<_>>().join(":")
}

fn required(body: &Value, name: &str) -> Result<Value, &'static str> {
    match &body[name] {
        Value::Object(_) => Ok(body[name].clone()),
        _ => Err("without the payload of the request"),
    }
}

fn session(body: &Value) -> Option<&str> {
    body["sessionId"].as_str().or_else(|| body["detail"]["sessionId"].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:1:function:kvs-stream-consumer-dev";

    fn letter(body: &str, attribute: Option<(&str, &str)>) -> Letter {
        let attribute = attribute.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Letter {
            id: "1".into(),
            receipt: "r".into(),
            body: body.to_owned(),
            attributes: attribute.into_iter().collect(),
            sent: 0,
        }
    }

    fn read(body: &Value, target: Option<&str>) -> Result<Delivery, &'static str> {
        let letter = letter(&body.to_string(), target.map(|arn| ("TARGET_ARN", arn)));
        Delivery::of(&letter, &Environment::new("dev"), None)
    }

    fn session(body: &Value) -> String {
        session_and_reason(&letter(&body.to_string(), None)).0
    }

    #[test]
    fn an_event_goes_to_its_target_as_it_is() {
        let event =
            json!({"detail-type": "Session Status Change", "detail": {"sessionId": "a-b-1"}});
        let delivery = read(&event, Some(ARN)).unwrap();
        assert_eq!((delivery.form, delivery.function.as_str()), ("event", ARN));
        assert_eq!((delivery.payload, session(&event)), (event.to_string(), "a-b-1".to_owned()));
        // From the queue of the workers, or on its way there.
        let queue = "arn:aws:sqs:us-east-1:1:consumer-starts-dev";
        for target in [None, Some(queue)] {
            assert_eq!(read(&event, target).unwrap().function, "kvs-stream-consumer-dev");
        }
        let direct = json!({"sessionId": "a-b-1", "action": "start"});
        let delivery = read(&direct, None).unwrap();
        assert_eq!((delivery.form, session(&direct)), ("event", "a-b-1".to_owned()));
        assert_eq!(
            (delivery.function.as_str(), delivery.payload),
            ("kvs-stream-consumer-dev", direct.to_string())
        );
        let schedule = read(&json!({"detail-type": "Scheduled Event"}), Some(ARN)).unwrap();
        assert!(schedule.payload.contains("\"health_check\""), "{}", schedule.payload);
    }

    #[test]
    fn a_letter_that_cannot_be_delivered_still_has_its_session_and_reason() {
        let known = |body| {
            let code = Some(("ERROR_CODE", "NO_PERMISSIONS"));
            let (session, reason) = session_and_reason(&letter(body, code));
            assert_eq!(reason, "NO_PERMISSIONS");
            session
        };
        assert_eq!(known(r#"{"detail-type":"x","detail":{"sessionId":"a-b-1"}}"#), "a-b-1");
        assert_eq!(known(r#"{"requestPayload":{"sessionId":"a-b-2"}}"#), "a-b-2");
        assert_eq!(known("not JSON"), "-");
    }

    #[test]
    fn a_failed_invocation_is_repeated_on_the_function_itself() {
        let request = json!({"sessionId": "a-b-1", "action": "start"});
        let record = json!({
            "requestContext": {"functionArn": format!("{ARN}:$LATEST"), "condition": "RetriesExhausted"},
            "requestPayload": request, "responsePayload": {"errorType": "X"},
        });
        let delivery = read(&record, None).unwrap();
        assert_eq!((delivery.form, delivery.function.as_str()), ("failure", ARN));
        assert_eq!((delivery.payload, session(&record)), (request.to_string(), "a-b-1".to_owned()));
    }

    #[test]
    fn what_failed_on_managed_instances_goes_to_the_function_that_forwards_it() {
        let arn = "arn:aws:lambda:us-east-1:1:function:kvs-stream-consumer-instances-dev:live";
        let record = json!({ "requestContext": {"functionArn": arn}, "requestPayload": {} });
        assert_eq!(read(&record, None).unwrap().function, "kvs-stream-consumer-dev");
        let event = json!({"detail-type": "Session Status Change"});
        assert_eq!(read(&event, Some(arn)).unwrap().function, "kvs-stream-consumer-dev");
    }

    #[test]
    fn a_chunk_goes_to_the_processor_with_its_whole_request() {
        let payload = json!({"sessionId": "a-b-1", "audioData": "AAA="});
        let chunk = json!({"sessionId": "a-b-1", "startSample": 0, "payload": payload});
        let delivery = read(&chunk, None).unwrap();
        assert_eq!((delivery.form, delivery.function.as_str()), ("chunk", "audio-processor-dev"));
        assert_eq!(delivery.payload, payload.to_string());
    }

    #[test]
    fn each_form_has_a_reason() {
        let event = json!({"detail-type": "Session Status Change"});
        let chunk = json!({"startSample": 0, "payload": {}, "reason": "too loud"});
        let failure = json!({
            "requestContext": {"functionArn": ARN}, "requestPayload": {},
            "responsePayload": {"errorType": "Store", "errorMessage": "no answer"},
        });
        for (body, reason) in [(chunk, "too loud"), (failure, "Store: no answer"), (event, "-")] {
            assert_eq!(session_and_reason(&letter(&body.to_string(), None)).1, reason);
        }
    }

    #[test]
    fn an_event_for_another_target_than_a_function_is_not_delivered() {
        let event = json!({"detail-type": "Session Status Change"});
        assert!(read(&event, Some("arn:aws:sqs:us-east-1:1:queue")).is_err());
    }

    #[test]
    fn anything_else_is_not_understood() {
        for body in [
            json!("text"),
            json!({}),
            json!({"requestContext": {"functionArn": ARN}}),
            json!({"startSample": 1}),
        ] {
            assert!(read(&body, None).is_err(), "{body}");
        }
    }
}
