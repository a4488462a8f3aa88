//! What each kind of event makes this function do.

use std::time::Duration;

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use relay::{Clock, Order, Report, SystemClock};
use serde_json::{Value, json};
use session::event::{EventStatus, StatusChange};
use session::ports::SessionLookup as _;
use session::{PortError, Session, SessionId, Settings, StreamArn, metrics as table};

use crate::authority::{Verdict, by_record, by_tags};
use crate::event::Input;
use crate::failure::Failure;
use crate::health_check;
use crate::ports::{Aws, Shared};

/// Handles one invocation within its trace.
pub(crate) async fn handle(aws: Shared, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let (payload, context) = event.into_parts();
    // A continuation carries on the trace of the link before.
    let carried = payload.get("traceId").and_then(Value::as_str).map(str::to_owned);
    let trace = carried.or_else(|| context.xray_trace_id.clone());
    let result = lambda_support::trace::scope(trace, dispatch(&aws, &payload, &context)).await;
    result.map_err(|failure| {
        tracing::error!(error = %failure, "invocation failed");
        if matches!(
            failure,
            Failure::UnknownEvent(_)
                | Failure::InvalidEvent(_)
                | Failure::Contradiction(_)
                | Failure::InvalidSession(_)
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
            Followed::Carried(report) => report,
            Followed::NotOurs => return Ok(untouched(&change.session_id, "not_ours")),
            Followed::Over => return Ok(untouched(&change.session_id, "ended")),
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

/// What became of a status change.
enum Followed {
    Carried(Report),
    /// The session is another environment's: all of an account share the default bus.
    NotOurs,
    /// The session's resources are removed, or about to be: everything was delivered before.
    Over,
}

/// The answer to an event after which nothing was done.
fn untouched(id: &SessionId, outcome: &str) -> Value {
    json!({"sessionId": id, "outcome": outcome})
}

/// One invocation.
struct Run<'a> {
    aws: &'a Aws,
    context: &'a Context,
}

impl Run<'_> {
    async fn status_change(&self, change: &StatusChange) -> Result<Followed, Failure> {
        let session_id = &change.session_id;
        let status = change.status.as_str();
        tracing::info!(
            sessionId = %session_id,
            "Processing EventBridge event: session={session_id}, status={status}"
        );
        let session = self.session(session_id).await?;
        let recorded = match session.as_ref().map(|session| by_record(change, session)) {
            Some(verdict) => match verdict? {
                Verdict::Follow(stream) => stream,
                Verdict::Over => return Ok(Followed::Over),
            },
            None => None,
        };
        let stream = match recorded {
            Some(stream) => stream,
            None => match by_tags(change, &self.aws.kinesis_video).await? {
                Some(stream) => stream,
                None => {
                    tracing::info!(sessionId = %session_id, "another environment's session: left to it");
                    return Ok(Followed::NotOurs);
                }
            },
        };
        let settings = session.as_ref().map_or_else(|| change.settings(), Session::settings);
        let id = session_id.clone();
        let report = self.carry(id, change.status, Some(stream), Some(settings)).await?;
        Ok(Followed::Carried(report))
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

fn store(id: &SessionId, source: PortError) -> Failure {
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
