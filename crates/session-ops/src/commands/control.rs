//! `stop` and `reconcile`: the consumer is invoked as the system itself does it.

use std::process::ExitCode;

use serde_json::{Value, json};
use session::SessionId;

use super::Context;
use crate::commands::streams::delivery;
use crate::error::{Error, INCOMPLETE};
use crate::output::{facts, line};

/// Ends the delivery of a session.
pub(super) async fn stop(context: &Context, id: &SessionId, dry_run: bool) -> Result<(), Error> {
    context.session(id).await?;
    let stream = context.aws.item(&context.env.streams(), id).await?;
    let consumer = context.env.consumer();
    if delivery(stream.as_ref()) == "ended" {
        return match context.json {
            true => line(&json!({"sessionId": id, "ended": true}).to_string()),
            false => line(&format!("the delivery of {id} has ended already")),
        };
    }
    let payload = json!({"sessionId": id, "action": "stop"}).to_string();
    match dry_run {
        true => context.aws.show_queued(&consumer, &payload),
        false => context.aws.queue(&consumer, &payload).await?,
    }
    let verb = if dry_run { "would stop" } else { "stopping" };
    match context.json {
        true => {
            line(&json!({"sessionId": id, "function": consumer, "dryRun": dry_run}).to_string())
        }
        false => line(&format!("{verb} {id}: `session-ops streams show {id}` shows its end")),
    }
}

/// Runs the health check and prints its summary.
pub(super) async fn reconcile(context: &Context) -> Result<ExitCode, Error> {
    let consumer = context.env.consumer();
    let payload = json!({"action": "health_check", "source": "session-ops"}).to_string();
    let invoked = context.aws.call(&consumer, &payload).await?;
    let body = String::from_utf8_lossy(&invoked.body).into_owned();
    if invoked.function_error.is_some() {
        return Err(Error::Function { function: consumer, message: body });
    }
    let summary: Value = serde_json::from_str(&body).map_err(|error| Error::Malformed {
        what: format!("the answer of {consumer}"),
        reason: error.to_string(),
    })?;
    let count = |name: &str| summary[name].as_u64().map(|count| count.to_string());
    let shown = vec![
        ("streams with a consumer", count("activeStreams")),
        ("restarted", count("restarted")),
        ("checkpoints that cannot be read", count("unreadable")),
        ("records that cannot be read", count("unreadableRecords")),
        ("events sent again", count("resent")),
        ("sessions ended", count("ended")),
        ("listeners notified", count("notified")),
        ("sessions removed", count("cleaned")),
        ("orphaned resources removed", count("swept")),
    ];
    facts(shown, &summary, context.json)?;
    match summary["unreadableRecords"].as_u64() {
        None | Some(0) => Ok(ExitCode::SUCCESS),
        Some(_) => Ok(ExitCode::from(INCOMPLETE)),
    }
}
