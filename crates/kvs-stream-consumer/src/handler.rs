//! Handles each kind of event.

use std::sync::Arc;

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use lambda_support::context::time_left;
use lambda_support::trace::{self, Subsegment};
use relay::{Report, RunRequest};
use serde_json::{Value, json};
use session::event::{EventStatus, StatusChange};
use session::ports::{Clock as _, SessionLookup as _, WarmPairs as _};
use session::{PortError, Session, SessionId, Settings, StreamArn, WarmPair, metrics};

use crate::authority::{Resolution, resolve_stream};
use crate::event::Input;
use crate::failure::Failure;
use crate::health_check;
use crate::ports::Aws;

/// Handles one invocation within its trace.
pub(crate) async fn handle(aws: Arc<Aws>, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let (payload, context) = event.into_parts();
    let work = async {
        let subsegment = Subsegment::begin(name(&payload));
        let subsegment = match session_id(&payload) {
            Some(id) => subsegment.annotated("sessionId", id),
            None => subsegment,
        };
        subsegment.run_result(dispatch(&aws, &payload, &context)).await
    };
    let result = trace::scope(header(&payload, &context), work).await;
    result.map_err(|failure| {
        tracing::error!(error = %failure, "invocation failed");
        if matches!(
            failure,
            Failure::UnknownEvent(_)
                | Failure::InvalidEvent(_)
                | Failure::Contradiction(_)
                | Failure::InvalidSession(_)
        ) {
            aws.meter.count(metrics::INVALID_EVENT, 1);
        }
        failure.into()
    })
}

/// Returns the trace header of an invocation. A continuation belongs to the trace of the invocation
/// that requested it, also if Lambda began another one.
fn header(payload: &Value, context: &Context) -> Option<String> {
    let own = context.xray_trace_id.as_deref();
    let continued = payload.get("traceId").and_then(Value::as_str);
    match (continued, own) {
        // Its parent is this invocation's own segment.
        (Some(continued), Some(own)) if trace::same_trace(continued, own) => Some(own),
        _ => continued.or(own),
    }
    .map(str::to_owned)
}

/// Returns the name of an invocation's work in its trace.
fn name(payload: &Value) -> &'static str {
    let status = || payload.pointer("/detail/status").and_then(Value::as_str);
    match payload.get("action").and_then(Value::as_str).or_else(status) {
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

async fn dispatch(aws: &Aws, payload: &Value, context: &Context) -> Result<Value, Failure> {
    let invocation = Invocation { aws, context };
    let report = match Input::read(payload)? {
        Input::HealthCheck => return Ok(json!(health_check::run(aws).await?)),
        Input::StatusChange(change) => return invocation.status_change(&change).await,
        Input::Start(id) => invocation.direct(id, EventStatus::Active).await?,
        Input::Stop(id) => invocation.direct(id, EventStatus::Ended).await?,
        Input::Continue { session_id, epoch } => {
            tracing::info!(sessionId = %session_id, epoch, "continuing stream processing");
            let request = invocation.request(session_id, None, None);
            aws.relay().resume(request, epoch).await?
        }
    };
    Ok(json!(report))
}

/// Returns the answer to an event that changed nothing.
fn ignored(id: &SessionId, outcome: &str) -> Value {
    json!({"sessionId": id, "outcome": outcome})
}

/// One invocation.
struct Invocation<'a> {
    aws: &'a Aws,
    context: &'a Context,
}

impl Invocation<'_> {
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
        let kinesis_video = &self.aws.kinesis_video;
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
                Ok(self.aws.relay().start(request).await?)
            }
            EventStatus::Ended => {
                tracing::info!(sessionId = %id, "Stopping stream processing for session {id}");
                Ok(self.aws.relay().stop(request).await?)
            }
        }
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Failure> {
        self.aws.sessions.get(id).await.map_err(|source| store(id, source))
    }

    async fn warm_pairs(&self, id: &SessionId) -> Result<Vec<WarmPair>, Failure> {
        let pairs = self.aws.sessions.warm_pairs(&self.aws.config.environment, WarmPair::MAX);
        pairs.await.map_err(|source| store(id, source))
    }

    fn request(
        &self,
        session_id: SessionId,
        stream_arn: Option<StreamArn>,
        settings: Option<Settings>,
    ) -> RunRequest {
        let left = time_left(self.context.deadline, self.aws.ctx.now_ms());
        let remaining = left.unwrap_or(self.aws.config.max_run);
        let owner = uuid::Uuid::new_v4().to_string();
        RunRequest { session_id, stream_arn, settings, owner, remaining }
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
        let mut context = Context::default();
        context.xray_trace_id = own.map(str::to_owned);
        let payload = continued.map_or(json!({}), |header| json!({"traceId": header}));
        header(&payload, &context)
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
    }
}
