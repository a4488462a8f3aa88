//! Handles each kind of event.

use std::time::Duration;

use lambda_support::trace::{self, Subsegment};
use relay::{HandOver, Report, RunRequest};
use serde_json::{Value, json};
use session::event::{EventStatus, StatusChange};
use session::ports::{SessionLookup as _, WarmPairs as _};
use session::{PortError, Session, SessionId, Settings, StreamArn, WarmPair, metrics};

use crate::authority::{Resolution, resolve_stream};
use crate::config::Host;
use crate::consumer::Consumer;
use crate::event::Input;
use crate::failure::Failure;
use crate::health_check;

/// An event, and what its host allows.
#[derive(Debug, Clone)]
pub struct Event {
    /// The event.
    pub payload: Value,
    /// The trace header that came with it.
    pub trace: Option<String>,
    /// How long its run may take, by the monotonic clock.
    pub remaining: Duration,
    /// The request of the host to hand over earlier.
    pub hand_over: HandOver,
}

impl Consumer {
    /// Handles one event within its trace.
    ///
    /// # Errors
    /// The host sends the event again, as often as it does, and then to the dead-letter queue.
    pub async fn handle(&self, event: Event) -> Result<Value, Failure> {
        let payload = &event.payload;
        let work = async {
            let subsegment = Subsegment::begin(name(payload));
            let subsegment = match session_id(payload) {
                Some(id) => subsegment.annotated("sessionId", id),
                None => subsegment,
            };
            subsegment.run_result(dispatch(self, &event)).await
        };
        let result = trace::scope(header(payload, event.trace.as_deref()), work).await;
        result.inspect_err(|failure| {
            tracing::error!(sessionId = session_id(payload), error = %failure, "invocation failed");
            if failure.is_invalid_event() {
                self.meter.count(metrics::INVALID_EVENT, 1);
            }
        })
    }
}

/// Returns the trace header of an event. A continuation belongs to the trace of the run that
/// requested it, also if its host began another one.
fn header(payload: &Value, own: Option<&str>) -> Option<String> {
    let continued = payload.get("traceId").or_else(|| payload.pointer("/detail/traceId"));
    match (continued.and_then(Value::as_str), own) {
        // Its parent is this invocation's own segment.
        (Some(continued), Some(own)) if trace::same_trace(continued, own) => Some(own),
        (continued, own) => continued.or(own),
    }
    .map(str::to_owned)
}

/// Returns the name of an event's work in its trace.
fn name(payload: &Value) -> &'static str {
    let status = || payload.pointer("/detail/status").and_then(Value::as_str);
    let action = payload.get("action").or_else(|| payload.pointer("/detail/action"));
    match action.and_then(Value::as_str).or_else(status) {
        Some("start" | "ACTIVE") => "start",
        Some("stop" | "ENDED") => "stop",
        Some("continue") => "continue",
        Some("health_check") => "health check",
        _ => "unknown event",
    }
}

/// Returns the session that an event names, if its name is valid.
fn session_id(payload: &Value) -> Option<&str> {
    let id = payload.get("sessionId").or_else(|| payload.pointer("/detail/sessionId"));
    id.and_then(Value::as_str).filter(|id| id.parse::<SessionId>().is_ok())
}

async fn dispatch(consumer: &Consumer, event: &Event) -> Result<Value, Failure> {
    let input = Input::read(&event.payload)?;
    let run = Run { consumer, event };
    let report = match (input, &consumer.config.host) {
        (Input::HealthCheck, Host::Instances | Host::Worker { .. }) => {
            return Err(Failure::UnknownEvent("this host does no health check".to_owned()));
        }
        (Input::HealthCheck, _) => return Ok(json!(health_check::run(consumer).await?)),
        (_, Host::Forwarder { .. }) => return forward(consumer, &event.payload).await,
        (Input::StatusChange(change), _) => return run.status_change(&change).await,
        (Input::Start(id), _) => run.direct(id, EventStatus::Active).await?,
        (Input::Stop(id), _) => run.direct(id, EventStatus::Ended).await?,
        (Input::Continue { session_id, epoch }, _) => {
            tracing::info!(sessionId = %session_id, epoch, "continuing stream processing");
            let request = run.request(session_id, None, None);
            consumer.relay().resume(request, epoch).await?
        }
    };
    Ok(json!(report))
}

/// Sends an event to what runs the sessions. Invocations that began before it ran them hand off to
/// this function.
async fn forward(consumer: &Consumer, payload: &Value) -> Result<Value, Failure> {
    consumer.next_run.forward(payload).await.map_err(Failure::Forward)?;
    let session = session_id(payload);
    tracing::info!(sessionId = session, "forwarded to what runs the sessions");
    Ok(json!({"sessionId": session, "outcome": "forwarded"}))
}

/// Returns the answer to an event that changed nothing.
fn ignored(id: &SessionId, outcome: &str) -> Value {
    json!({"sessionId": id, "outcome": outcome})
}

/// The run of one event.
struct Run<'a> {
    consumer: &'a Consumer,
    event: &'a Event,
}

impl Run<'_> {
    async fn status_change(&self, change: &StatusChange) -> Result<Value, Failure> {
        let session_id = &change.session_id;
        let status = change.status.as_str();
        tracing::info!(
            sessionId = %session_id,
            "Processing EventBridge event: session={session_id}, status={status}"
        );
        let session = self.session(session_id).await?;
        let pairs = match &session {
            Some(_) => Vec::new(),
            None => self.warm_pairs(session_id).await?,
        };
        let kinesis_video = &self.consumer.kinesis_video;
        let stream = match resolve_stream(change, session.as_ref(), &pairs, kinesis_video).await? {
            Resolution::Stream(stream) => stream,
            // All environments of an account share the default bus.
            Resolution::Foreign => {
                tracing::info!(sessionId = %session_id, "ignored: the session belongs to another environment");
                return Ok(ignored(session_id, "not_ours"));
            }
            Resolution::Removed => return Ok(ignored(session_id, "ended")),
        };
        let settings = session.as_ref().map_or_else(|| change.settings(), Session::settings);
        let request = self.request(session_id.clone(), Some(stream), Some(settings));
        Ok(json!(self.run(change.status, request).await?))
    }

    async fn direct(&self, id: SessionId, status: EventStatus) -> Result<Report, Failure> {
        let Some(session) = self.session(&id).await? else {
            return Err(Failure::SessionUnknown(id));
        };
        let settings = Some(session.settings());
        self.run(status, self.request(id, session.kvs_stream_arn, settings)).await
    }

    /// Starts or stops a session.
    async fn run(&self, status: EventStatus, request: RunRequest) -> Result<Report, Failure> {
        let id = request.session_id.clone();
        match status {
            EventStatus::Active => {
                tracing::info!(sessionId = %id, "Starting stream processing for session {id}");
                Ok(self.consumer.relay().start(request).await?)
            }
            EventStatus::Ended => {
                tracing::info!(sessionId = %id, "Stopping stream processing for session {id}");
                Ok(self.consumer.relay().stop(request).await?)
            }
        }
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Failure> {
        self.consumer.sessions.get(id).await.map_err(|source| store(id, source))
    }

    async fn warm_pairs(&self, id: &SessionId) -> Result<Vec<WarmPair>, Failure> {
        let pairs =
            self.consumer.sessions.warm_pairs(&self.consumer.config.environment, WarmPair::MAX);
        pairs.await.map_err(|source| store(id, source))
    }

    fn request(
        &self,
        session_id: SessionId,
        stream_arn: Option<StreamArn>,
        settings: Option<Settings>,
    ) -> RunRequest {
        let owner = uuid::Uuid::new_v4().to_string();
        let (remaining, hand_over) = (self.event.remaining, self.event.hand_over.clone());
        RunRequest { session_id, stream_arn, settings, owner, remaining, hand_over }
    }
}

fn store(id: &SessionId, source: PortError) -> Failure {
    Failure::Relay(relay::RelayError::Store { session_id: id.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "Root=1-67446a2c-0123456789abcdef01234567;Parent=00000000000000ff;Sampled=1";

    fn header_of(continued: Option<&str>, own: Option<&str>) -> Option<String> {
        let payload = continued.map_or(json!({}), |header| json!({"traceId": header}));
        let found = header(&payload, own);
        assert_eq!(found, header(&json!({"detail": payload}), own), "also over the bus");
        found
    }

    #[test]
    fn a_continuation_keeps_the_trace_and_belongs_to_its_own_invocation() {
        let before = OWN.replace("00ff", "0001");
        assert_eq!(header_of(Some(&before), Some(OWN)).as_deref(), Some(OWN));
        let other = before.replace("Root=1-6", "Root=1-7");
        assert_eq!(header_of(Some(&other), Some(OWN)), Some(other));
        assert_eq!(header_of(Some(&before), None), Some(before));
        assert_eq!(header_of(None, Some(OWN)).as_deref(), Some(OWN));
    }

    #[test]
    fn the_work_has_a_name_and_a_session_only_if_it_is_valid() {
        let event = json!({"detail": {"sessionId": "a-b-1", "status": "ENDED"}});
        assert_eq!((name(&event), session_id(&event)), ("stop", Some("a-b-1")));
        let direct = json!({"sessionId": "<b>", "action": "start"});
        assert_eq!((name(&direct), session_id(&direct)), ("start", None));
        assert_eq!(name(&json!({"action": "other"})), "unknown event");
        let over_the_bus = json!({"detail": {"sessionId": "a-b-1", "action": "continue"}});
        assert_eq!((name(&over_the_bus), session_id(&over_the_bus)), ("continue", Some("a-b-1")));
    }
}
