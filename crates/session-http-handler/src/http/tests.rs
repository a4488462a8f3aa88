//! Responses of the API, with use cases that return a given result.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lambda_http::{
    Context,
    http::{HeaderMap, header},
};
use serde_json::{Value, json};
use session::{
    Changes, ErrorKind, IdempotencyKey, NewSession, PortError, QualityTier, SessionStatus,
    SignalingEndpoints,
};

use super::*;

mod bodies;
mod description;
mod idempotency;
mod patch;
mod private_view;
mod rejections;
mod routes;

const NOW: u64 = 1_732_540_620_000;
const SPEAKER: &str = "user-sub-uuid";
const ID: &str = "blessed-shepherd-123";

/// Use cases that return `result` and record their calls.
#[derive(Clone, Default)]
struct Scripted {
    error: Option<Error>,
    private: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
    keys: Arc<Mutex<Vec<IdempotencyKey>>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Create(NewSession, Seen),
    Get(String),
    Change(String, String, Changes),
    Delete(String, String, Seen),
}

/// The parts of a [`Call`] that the tests check.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    trace_header: Option<String>,
    limits: Limits,
    /// The trace header that AWS calls would carry.
    scope: Option<String>,
}

fn seen(call: &Call) -> Seen {
    Seen { trace_header: call.trace_header.clone(), limits: call.limits, scope: trace::current() }
}

fn completed<T>(response: T) -> Completed<T> {
    Completed { response, post_response: None }
}

impl Scripted {
    fn answer<T>(&self, asked: Asked, value: T) -> Result<T, Error> {
        self.asked.lock().unwrap().push(asked);
        self.error.clone().map_or(Ok(value), Err)
    }
}

impl SessionApi for Scripted {
    async fn create(
        &self,
        new: &NewSession,
        key: Option<&IdempotencyKey>,
        call: &Call,
    ) -> Result<Completed<Session>, Error> {
        self.keys.lock().unwrap().extend(key.cloned());
        self.answer(Asked::Create(new.clone(), seen(call)), completed(session()))
    }

    async fn run_post_response(&self, _: PostResponse) {
        unreachable!("nothing here is left to do")
    }

    async fn get(&self, session_id: &SessionId, _: &Call) -> Result<Session, Error> {
        self.answer(Asked::Get(session_id.to_string()), session())
    }

    async fn change(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        changes: &Changes,
        _: &Call,
    ) -> Result<Completed<Session>, Error> {
        let asked = Asked::Change(session_id.to_string(), speaker_id.to_owned(), changes.clone());
        self.answer(asked, completed(session()))
    }

    async fn delete(
        &self,
        session_id: &SessionId,
        speaker_id: &str,
        call: &Call,
    ) -> Result<Completed<Deleted>, Error> {
        let asked = Asked::Delete(session_id.to_string(), speaker_id.to_owned(), seen(call));
        self.answer(asked, completed(Deleted::Before))
    }

    fn now_ms(&self) -> u64 {
        NOW
    }
}

fn session() -> Session {
    let arn = |kind| format!("arn:aws:kinesisvideo:us-east-1:123456789012:{kind}/session-{ID}/17");
    let url = |scheme: &str| format!("{scheme}://x-1.kinesisvideo.us-east-1.amazonaws.com");
    Session {
        session_id: ID.parse().unwrap(),
        speaker_id: SPEAKER.to_owned(),
        source_language: "en".parse().unwrap(),
        target_languages: vec!["de".parse().unwrap()],
        quality_tier: QualityTier::Standard,
        settings_version: 1,
        status: SessionStatus::Active,
        listener_count: 0,
        created_at: NOW,
        updated_at: NOW + 900,
        expires_at: NOW / 1000 + 86_400,
        kvs_channel_arn: Some(arn("channel").parse().unwrap()),
        kvs_channel_name: format!("session-{ID}"),
        kvs_stream_arn: Some(arn("stream").parse().unwrap()),
        kvs_stream_name: format!("session-{ID}"),
        kvs_signaling_endpoints: Some(SignalingEndpoints {
            wss: url("wss"),
            https: url("https"),
            webrtc: url("https"),
        }),
        pending_event: Some(session::PendingEvent {
            detail: "secret".to_owned(),
            trace_header: None,
            since: NOW,
        }),
        ended_reason: None,
        claim_until: None,
        env: "dev".to_owned(),
    }
}

/// An event of API Gateway (HTTP API, payload 2.0).
fn event(method: &str, path: &str, sub: Option<&str>, body: Option<&str>) -> Value {
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example.com", "content-type": "application/json"},
        "requestContext": {
            "accountId": "123456789012", "apiId": "a", "domainName": "api.example.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1",
                     "sourceIp": "203.0.113.7", "userAgent": "test"},
            "requestId": "r-1", "routeKey": "$default", "stage": "$default",
            "time": "25/Nov/2024:13:17:00 +0000", "timeEpoch": NOW
        },
        "isBase64Encoded": false
    });
    if let Some(sub) = sub {
        let claims = json!({"sub": sub, "iss": "https://issuer.example"});
        event["requestContext"]["authorizer"] = json!({"jwt": {"claims": claims, "scopes": null}});
    }
    if let Some(body) = body {
        event["body"] = body.into();
    }
    event
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

fn ask_with(api: &Scripted, event: &Value, context: Context) -> Answer {
    let event = lambda_http::LambdaEvent::new(
        serde_json::from_value(event.clone()).unwrap(),
        context.clone(),
    );
    let request = Request::from(crate::gateway::sanitize(event).payload);
    let api = Api {
        sessions: api.clone(),
        environment: "dev".to_owned(),
        public_session_view: !api.private,
        limits: Limits::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let response = runtime.block_on(api.handle(request.with_lambda_context(context))).response;
    let body = match response.body() {
        Body::Empty => Value::Null,
        body => serde_json::from_slice(body).unwrap(),
    };
    Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
}

fn ask(api: &Scripted, event: &Value) -> Answer {
    ask_with(api, event, Context::default())
}

fn post(body: &str) -> Answer {
    ask(&Scripted::default(), &event("POST", "/sessions", Some(SPEAKER), Some(body)))
}

fn failing(error: Error) -> Scripted {
    Scripted { error: Some(error), ..Scripted::default() }
}

fn port_error(kind: ErrorKind) -> PortError {
    PortError::new("CreateStream", kind, "arn:aws:iam::123456789012:role/secret is not allowed")
}

/// Asserts that an error has the common body and names the cause.
fn check_error(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    let text = answer.body["error"].as_str().unwrap();
    assert!(text.contains(part), "{text:?} does not name {part:?}");
    assert_eq!(answer.body["timestamp"], NOW);
    assert_eq!(answer.body.as_object().unwrap().len(), 2);
}

#[test]
fn post_answers_201_with_exactly_the_fields_of_the_contract() {
    let answer = post(r#"{"sourceLanguage": "en", "targetLanguages": ["de"]}"#);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    let arn = |kind| format!("arn:aws:kinesisvideo:us-east-1:123456789012:{kind}/session-{ID}/17");
    assert_eq!(
        answer.body,
        json!({
            "sessionId": ID,
            "speakerId": SPEAKER,
            "sourceLanguage": "en",
            "targetLanguages": ["de"],
            "qualityTier": "standard",
            "status": "active",
            "listenerCount": 0,
            "createdAt": NOW,
            "updatedAt": NOW + 900,
            "expiresAt": NOW / 1000 + 86_400,
            "kvsChannelArn": arn("channel"),
            "kvsChannelName": format!("session-{ID}"),
            "kvsStreamArn": arn("stream"),
            "kvsStreamName": format!("session-{ID}"),
            "kvsSignalingEndpoints": {
                "WSS": "wss://x-1.kinesisvideo.us-east-1.amazonaws.com",
                "HTTPS": "https://x-1.kinesisvideo.us-east-1.amazonaws.com",
                "WEBRTC": "https://x-1.kinesisvideo.us-east-1.amazonaws.com",
            },
        })
    );
}

#[test]
fn get_is_public_and_shows_what_a_listener_needs() {
    let api = Scripted::default();
    let answer = ask(&api, &event("GET", &format!("/sessions/{ID}"), None, None));
    assert_eq!(answer.status, 200);
    let expected = json!({
        "sessionId": ID,
        "sourceLanguage": "en",
        "targetLanguages": ["de"],
        "qualityTier": "standard",
        "status": "active",
        "listenerCount": 0,
        "createdAt": NOW,
        "updatedAt": NOW + 900,
        "expiresAt": NOW / 1000 + 86_400,
    });
    assert_eq!(answer.body, expected);
    assert!(!answer.body.to_string().contains("arn:"));
    assert_eq!(*api.asked.lock().unwrap(), [Asked::Get(ID.to_owned())]);
}

#[test]
fn delete_answers_204_without_a_body() {
    let api = Scripted::default();
    let answer = ask(&api, &event("DELETE", &format!("/sessions/{ID}"), Some(SPEAKER), None));
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    let asked = api.asked.lock().unwrap();
    assert!(matches!(&asked[..], [Asked::Delete(id, who, _)] if id == ID && who == SPEAKER));
}

#[test]
fn health_is_public() {
    let answer = ask(&Scripted::default(), &event("GET", "/health", None, None));
    let version = env!("CARGO_PKG_VERSION");
    let body = json!({"status": "ok", "environment": "dev", "version": version});
    assert_eq!((answer.status, answer.body), (200, body));
}

#[test]
fn post_passes_on_what_was_asked_for() {
    let api = Scripted::default();
    let body =
        r#"{"sourceLanguage":"fi","qualityTier":"premium","targetLanguages":["de","sv"],"x":1}"#;
    ask(&api, &event("POST", "/sessions", Some(SPEAKER), Some(body)));
    let asked = api.asked.lock().unwrap();
    let [Asked::Create(new, _)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(new.speaker_id, SPEAKER);
    assert_eq!(new.source_language.code(), "fi");
    assert_eq!(new.quality_tier, QualityTier::Premium);
    assert_eq!(new.target_languages, ["de".parse().unwrap(), "sv".parse().unwrap()]);
}

#[test]
fn the_trace_and_the_time_of_the_invocation_reach_the_use_case() {
    let api = Scripted::default();
    let trace = "Root=1-67446a2c-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1";
    let mut context = Context::default();
    context.xray_trace_id = Some(trace.to_owned());
    context.deadline = NOW + 14_500;
    let body = Some(r#"{"sourceLanguage": "en"}"#);
    ask_with(&api, &event("POST", "/sessions", Some(SPEAKER), body), context);
    let asked = api.asked.lock().unwrap();
    let [Asked::Create(_, call)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(call.trace_header.as_deref(), Some(trace));
    assert_eq!(call.scope.as_deref(), Some(trace));
    assert_eq!(call.limits.creation, Duration::from_secs(10), "half the time, half the budget");
}

#[test]
fn a_deadline_in_the_past_is_an_unknown_one() {
    let api = Scripted::default();
    let mut context = Context::default();
    context.deadline = 600_000;
    ask_with(&api, &event("DELETE", &format!("/sessions/{ID}"), Some(SPEAKER), None), context);
    let asked = api.asked.lock().unwrap();
    assert!(matches!(&asked[..], [Asked::Delete(_, _, call)] if call.limits == Limits::default()));
}

#[test]
fn the_sample_events_lead_to_their_routes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/");
    for (case, status) in
        [("create", 201), ("get", 200), ("patch", 200), ("delete", 204), ("health", 200)]
    {
        let path = format!("{folder}session-http-handler.{case}.json");
        let event = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(ask(&Scripted::default(), &event).status, status, "{case}");
    }
}
