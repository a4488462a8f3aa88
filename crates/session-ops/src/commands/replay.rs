//! `replay`: archived events, sent to the consumer's rule again.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::Context;
use crate::cli::Replay;
use crate::error::{Error, INCOMPLETE};
use crate::output::line;
use crate::times::{now_ms, shown};

/// Time between two looks at a replay.
const POLL: Duration = Duration::from_secs(1);
/// The events of a session may have been archived this long before and after its record changed,
/// ms.
const MARGIN_MS: i64 = 60_000;

/// Starts a replay, and waits for its end if asked to.
pub(super) async fn run(context: &Context, options: &Replay) -> Result<ExitCode, Error> {
    let period = period(context, options).await?;
    if period.0 >= period.1 {
        return Err(Error::Usage(match &options.session {
            Some(_) => "--from and --to leave nothing of the session's period",
            None => "--from must be before --to",
        }));
    }
    let archive = context.aws.archive(&context.env.archive(), &context.env.rule()).await?;
    let name = format!("session-ops-{}", now_ms());
    context.aws.start_replay(&archive, &name, period, options.dry_run).await?;
    let (from, to) = (shown(period.0), shown(period.1));
    match context.json {
        true => {
            let dry_run = options.dry_run;
            line(&json!({"replay": name, "from": from, "to": to, "dryRun": dry_run}).to_string())?;
        }
        false if options.dry_run => line(&format!("would replay {from} to {to}"))?,
        false => line(&format!("replay {name}: {from} to {to}"))?,
    }
    match options.wait && !options.dry_run {
        true => wait(context, &name).await,
        false => Ok(ExitCode::SUCCESS),
    }
}

/// Returns the period to replay, Unix ms.
async fn period(context: &Context, options: &Replay) -> Result<(i64, i64), Error> {
    let Some(id) = &options.session else {
        return Ok((options.from.unwrap_or_default(), options.to.unwrap_or_else(now_ms)));
    };
    let session = context.session(id).await?;
    let at = |name: &str| session[name].as_i64().unwrap_or_default();
    let (created, changed) = (at("createdAt") - MARGIN_MS, at("updatedAt") + MARGIN_MS);
    let from = options.from.map_or(created, |from| from.max(created));
    let to = options.to.map_or(changed, |to| to.min(changed));
    Ok((from, to))
}

async fn wait(context: &Context, name: &str) -> Result<ExitCode, Error> {
    loop {
        let replay = context.aws.replay(name).await?;
        let code = match replay.state.as_str() {
            "COMPLETED" => ExitCode::SUCCESS,
            "FAILED" | "CANCELLED" => ExitCode::from(INCOMPLETE),
            _ => {
                tokio::time::sleep(POLL).await;
                continue;
            }
        };
        let last = replay.last_event.map(shown);
        let object: Value =
            json!({"replay": name, "state": replay.state, "reason": replay.reason, "last": last});
        let reason = match (replay.reason, last) {
            (Some(reason), _) => format!(": {reason}"),
            (None, None) => ": no event of this time is in the archive".to_owned(),
            (None, Some(last)) => format!(": the last event is of {last}"),
        };
        line(&match context.json {
            true => object.to_string(),
            false => format!("{}{reason}", replay.state.to_lowercase()),
        })?;
        return Ok(code);
    }
}
