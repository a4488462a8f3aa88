//! The archive of session events, and its replays.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::ReplayDestination;

use super::{Aws, failed};
use crate::error::Error;

/// An archive, and the rule that its events are replayed to.
#[derive(Debug)]
pub(crate) struct Archive {
    arn: String,
    /// The event bus.
    bus: String,
    /// The rule's ARN.
    rule: String,
}

/// The state of a replay.
#[derive(Debug)]
pub(crate) struct Replay {
    /// For example `COMPLETED`.
    pub(crate) state: String,
    /// Why it failed.
    pub(crate) reason: Option<String>,
    /// The time of the last event that was replayed, Unix ms.
    pub(crate) last_event: Option<i64>,
}

impl Aws {
    /// Finds an archive, and a rule of its bus.
    pub(crate) async fn archive(&self, name: &str, rule: &str) -> Result<Archive, Error> {
        let client = Client::new(&self.config);
        let operation = "events describe-archive";
        self.show(operation, &[("--archive-name", name)], None);
        let archive = client.describe_archive().archive_name(name).send().await;
        let archive = archive.map_err(failed(operation))?;
        let operation = "events describe-rule";
        self.show(operation, &[("--name", rule)], None);
        let rule = client.describe_rule().name(rule).send().await.map_err(failed(operation))?;
        Ok(Archive {
            arn: archive.archive_arn.unwrap_or_default(),
            bus: archive.event_source_arn.unwrap_or_default(),
            rule: rule.arn.unwrap_or_default(),
        })
    }

    /// Starts to replay the events from a time to another, Unix ms; with `dry_run` only prints the
    /// request.
    pub(crate) async fn start_replay(
        &self,
        archive: &Archive,
        name: &str,
        period: (i64, i64),
        dry_run: bool,
    ) -> Result<(), Error> {
        let operation = "events start-replay";
        let (from, to) = (crate::times::shown(period.0), crate::times::shown(period.1));
        let target = format!("Arn={},FilterArns={}", archive.bus, archive.rule);
        let arguments = [
            ("--replay-name", name),
            ("--event-source-arn", &archive.arn),
            ("--event-start-time", &from),
            ("--event-end-time", &to),
            ("--destination", &target),
        ];
        self.show(operation, &arguments, None);
        if dry_run {
            return Ok(());
        }
        let destination = ReplayDestination::builder().arn(&archive.bus).filter_arns(&archive.rule);
        let destination = destination.build().map_err(|error| Error::Malformed {
            what: "the destination".to_owned(),
            reason: error.to_string(),
        })?;
        let start = Client::new(&self.config).start_replay().replay_name(name);
        let start = start.event_source_arn(&archive.arn).destination(destination);
        let start = start.event_start_time(DateTime::from_millis(period.0));
        let start = start.event_end_time(DateTime::from_millis(period.1));
        start.send().await.map(drop).map_err(failed(operation))
    }

    /// Returns the state of a replay.
    pub(crate) async fn replay(&self, name: &str) -> Result<Replay, Error> {
        let operation = "events describe-replay";
        self.show(operation, &[("--replay-name", name)], None);
        let ask = Client::new(&self.config).describe_replay().replay_name(name);
        let output = ask.send().await.map_err(failed(operation))?;
        let last_event = output.event_last_replayed_time.and_then(|at| at.to_millis().ok());
        Ok(Replay {
            state: output.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            reason: output.state_reason,
            last_event,
        })
    }
}
