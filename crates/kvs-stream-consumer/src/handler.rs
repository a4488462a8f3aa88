//! What each kind of event makes this function do.

use std::time::Duration;

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use relay::{Clock, Order, Report, SystemClock};
use serde_json::{Value, json};
use session::event::{EventStatus, StatusChange};
use session::{Session, SessionId, Settings, StreamArn, metrics as table};

use crate::event::Input;
use crate::failure::Failure;
use crate::health_check;
use crate::kinesis_video::Belongs;
use crate::ports::{Aws, Shared};

/// Handles one invocation within its trace.
pub(crate) async fn handle(aws: Shared, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let (payload, context) = event.into_parts();
    // A continuation carries on the trace of the link before.
    let carried = payload.get("traceId").and_then(Value::as_str).map(str::to_owned);
    let trace = carried.or_else(|| context.xray_trace_id.clone());
    let result = lambda_shell::trace::scope(trace, dispatch(&aws, &payload, &context)).await;
    result.map_err(|failure| {
        tracing::error!(error = %failure, "invocation failed");
        if matches!(
            failure,
            Failure::UnknownEvent(_) | Failure::InvalidEvent(_) | Failure::InvalidSession(_)
        ) {
            aws.meter.count(table::INVALID_EVENT, 1);
        }
        failure.into()
    })
}

async fn dispatch(aws: &Aws, payload: &Value, context: &Context) -> Result<Value, Failure> {
    let run = Run { aws, context };
    let report = match Input::read(payload)? {
        Input::HealthCheck => return Ok(json!(health_check::run(aws).await?)),
        Input::StatusChange(change) => match run.status_change(&change).await? {
            Some(report) => report,
            None => return Ok(json!({"sessionId": change.session_id, "outcome": "not_ours"})),
        },
        Input::Start(id) => run.direct(id, EventStatus::Active).await?,
        Input::Stop(id) => run.direct(id, EventStatus::Ended).await?,
        Input::Continue { session_id, epoch } => {
            tracing::info!(sessionId = %session_id, epoch, "continuing stream processing");
            let order = run.order(session_id, None, None);
            relay::go_on(aws, &aws.config.relay, order, epoch).await?
        }
    };
    Ok(json!(report))
}

/// One invocation.
struct Run<'a> {
    aws: &'a Aws,
    context: &'a Context,
}

impl Run<'_> {
    /// `None` when the session is another environment's: all of an account share the default bus.
    async fn status_change(&self, change: &StatusChange) -> Result<Option<Report>, Failure> {
        let session_id = &change.session_id;
        let status = change.status.as_str();
        tracing::info!(
            sessionId = %session_id,
            "Processing EventBridge event: session={session_id}, status={status}"
        );
        let session = self.session(session_id).await?;
        let settings = session.as_ref().map_or_else(
            || Settings {
                source_language: change.source_language,
                quality_tier: change.quality_tier.unwrap_or_default(),
                target_languages: change.target_languages.clone(),
                version: Session::FIRST_VERSION,
            },
            Session::settings,
        );
        let mut stream = change.stream_arn.clone();
        if stream.is_none() {
            stream = session.as_ref().and_then(|session| session.kvs_stream_arn.clone());
        }
        if stream.is_none() {
            let mapped = self.aws.kinesis_video.mapped_stream(&change.channel_arn).await;
            stream = mapped.map_err(|source| store(session_id, source))?;
        }
        if session.is_none() && !self.ours(session_id, stream.as_ref()).await? {
            tracing::info!(sessionId = %session_id, "another environment's session: left to it");
            return Ok(None);
        }
        let report = self.carry(session_id.clone(), change.status, stream, Some(settings)).await?;
        Ok(Some(report))
    }

    /// Whether a session without a record of ours may be carried: the event says enough, if the stream is of
    /// this environment. Nothing is written for a session that has neither record nor stream, because the id
    /// may be drawn one day.
    async fn ours(&self, id: &SessionId, stream: Option<&StreamArn>) -> Result<bool, Failure> {
        let unknown =
            || Failure::Relay(relay::RelayError::StreamUnknown { session_id: id.clone() });
        let stream = stream.ok_or_else(unknown)?;
        let belongs = self.aws.kinesis_video.belongs(stream).await;
        match belongs.map_err(|source| store(id, source))? {
            Belongs::Here => Ok(true),
            Belongs::Elsewhere => Ok(false),
            Belongs::Nowhere | Belongs::Hidden => Err(unknown()),
        }
    }

    async fn direct(&self, id: SessionId, status: EventStatus) -> Result<Report, Failure> {
        let Some(session) = self.session(&id).await? else {
            return Err(Failure::SessionUnknown(id));
        };
        let settings = Some(session.settings());
        self.carry(id, status, session.kvs_stream_arn, settings).await
    }

    async fn carry(
        &self,
        id: SessionId,
        status: EventStatus,
        stream: Option<StreamArn>,
        settings: Option<Settings>,
    ) -> Result<Report, Failure> {
        let (aws, config) = (self.aws, &self.aws.config.relay);
        let order = self.order(id.clone(), stream, settings);
        match status {
            EventStatus::Active => {
                tracing::info!(sessionId = %id, "Starting stream processing for session {id}");
                Ok(relay::start(aws, config, order).await?)
            }
            EventStatus::Ended => {
                tracing::info!(sessionId = %id, "Stopping stream processing for session {id}");
                Ok(relay::stop(aws, config, order).await?)
            }
        }
    }

    async fn session(&self, id: &SessionId) -> Result<Option<Session>, Failure> {
        self.aws.sessions.get(id).await.map_err(|source| store(id, source))
    }

    fn order(
        &self,
        session_id: SessionId,
        stream_arn: Option<StreamArn>,
        settings: Option<Settings>,
    ) -> Order {
        Order {
            session_id,
            stream_arn,
            settings,
            owner: uuid::Uuid::new_v4().to_string(),
            remaining: remaining(
                self.context.deadline,
                SystemClock.now_ms(),
                self.aws.config.max_run,
            ),
        }
    }
}

fn store(id: &SessionId, source: relay::StoreError) -> Failure {
    Failure::Relay(relay::RelayError::Store { session_id: id.clone(), source })
}

/// Time until the deadline. One in the past, as `cargo lambda watch` sends, means unknown.
fn remaining(deadline_ms: u64, now_ms: u64, max_run: Duration) -> Duration {
    match deadline_ms.checked_sub(now_ms) {
        None | Some(0) => max_run,
        Some(left) => Duration::from_millis(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_in_the_past_is_no_deadline() {
        let max_run = Duration::from_secs(840);
        assert_eq!(remaining(600_000, 1_700_000_000_000, max_run), max_run);
        assert_eq!(remaining(1_000, 1_000, max_run), max_run);
        assert_eq!(remaining(31_000, 1_000, max_run), Duration::from_secs(30));
    }
}
