//! The operations on rules, archives and replays.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::archive::Replay;
use super::page::page;
use super::pattern::Pattern;
use super::{Events, RuleState};
use crate::aws_error::AwsError;
use crate::template::Target;

/// The operations of [`Events::run`]: what is not among them is neither run nor named by a fault.
pub(super) const OPERATIONS: [&str; 14] = [
    "ListRules",
    "DescribeRule",
    "ListTargetsByRule",
    "ListRuleNamesByTarget",
    "EnableRule",
    "DisableRule",
    "DescribeEventBus",
    "ListEventBuses",
    "TestEventPattern",
    "ListArchives",
    "DescribeArchive",
    "StartReplay",
    "DescribeReplay",
    "ListReplays",
];

/// What a fault's target is matched against: the bus of the first entry, or a name.
pub(super) fn target_of(request: &Value) -> &str {
    let name = ["Name", "Rule", "ArchiveName", "ReplayName"].iter();
    let name = name.filter_map(|field| request[*field].as_str()).next();
    name.or_else(|| request["Entries"][0]["EventBusName"].as_str()).unwrap_or("default")
}

impl Events {
    pub(super) fn run(
        self: &Arc<Self>,
        operation: &str,
        request: &Value,
    ) -> Result<Value, AwsError> {
        let text = |field: &str| request[field].as_str().unwrap_or_default();
        let known = OPERATIONS.into_iter().find(|known| *known == operation);
        match known.unwrap_or_default() {
            "ListRules" => {
                self.bus_exists(request)?;
                let rules =
                    self.rules.iter().filter(|it| it.rule.name.starts_with(text("NamePrefix")));
                page(request, "Rules", rules.map(|it| show(it)).collect())
            }
            "DescribeRule" => {
                self.bus_exists(request)?;
                self.rule(text("Name")).map(|it| show(it))
            }
            "ListTargetsByRule" => {
                self.bus_exists(request)?;
                let targets = &self.rule(text("Rule"))?.rule.targets;
                page(request, "Targets", targets.iter().map(show_target).collect())
            }
            "ListRuleNamesByTarget" => {
                let arn = text("TargetArn");
                let names =
                    self.rules.iter().filter(|it| it.rule.targets.iter().any(|t| t.arn == arn));
                page(request, "RuleNames", names.map(|it| it.rule.name.clone().into()).collect())
            }
            "EnableRule" | "DisableRule" => {
                self.bus_exists(request)?;
                let enabled = operation == "EnableRule";
                self.rule(text("Name"))?.enabled.store(enabled, Ordering::Relaxed);
                Ok(json!({}))
            }
            "DescribeEventBus" | "ListEventBuses" => {
                self.bus_exists(request)?;
                let bus = json!({"Name": "default", "Arn": self.account.arn("events", "event-bus/default")});
                match operation {
                    "DescribeEventBus" => Ok(bus),
                    _ => page(request, "EventBuses", vec![bus]),
                }
            }
            "TestEventPattern" => test_event_pattern(text("EventPattern"), text("Event")),
            "ListArchives" => {
                let archives = self.archives.iter();
                let archives =
                    archives.filter(|it| it.archive.name.starts_with(text("NamePrefix")));
                page(request, "Archives", archives.map(|it| it.show()).collect())
            }
            "DescribeArchive" => {
                let found = self.archives.iter().find(|it| it.archive.name == text("ArchiveName"));
                found.map(|it| it.show()).ok_or_else(|| {
                    let message = format!("Archive {} does not exist.", text("ArchiveName"));
                    AwsError::bad_request("ResourceNotFoundException", message)
                })
            }
            "StartReplay" => self.start_replay(request),
            "DescribeReplay" => self.describe_replay(request),
            "ListReplays" => {
                let replays = self.replays();
                page(request, "Replays", replays.iter().map(Replay::show).collect())
            }
            _ => Err(AwsError::not_implemented("events", operation)),
        }
    }

    fn bus_exists(&self, request: &Value) -> Result<(), AwsError> {
        let bus = request["EventBusName"].as_str().unwrap_or("default");
        match bus.rsplit('/').next() {
            Some("default") => Ok(()),
            _ => Err(AwsError::bad_request(
                "ResourceNotFoundException",
                format!("Event bus {bus} does not exist."),
            )),
        }
    }
}

fn test_event_pattern(pattern: &str, event: &str) -> Result<Value, AwsError> {
    const NEEDED: [&str; 7] =
        ["id", "account", "source", "time", "region", "resources", "detail-type"];
    let invalid = |reason: String| AwsError::bad_request("InvalidEventPatternException", reason);
    let pattern = serde_json::from_str(pattern).map_err(|error| {
        invalid(format!("Event pattern is not valid. Reason: not JSON: {error}"))
    })?;
    let pattern = Pattern::new(&pattern).map_err(invalid)?;
    let wrong = |reason: String| {
        let message = format!("Parameter Event is not valid. Reason: {reason}");
        AwsError::bad_request("ValidationException", message)
    };
    let parsed: Value =
        serde_json::from_str(event).map_err(|error| wrong(format!("not JSON: {error}")))?;
    if let Some(missing) = NEEDED.iter().find(|name| parsed.get(**name).is_none()) {
        return Err(wrong(format!("the field {missing} is missing")));
    }
    Ok(json!({"Result": pattern.matches(event.as_bytes())}))
}

fn show(state: &RuleState) -> Value {
    let rule = &state.rule;
    let mut shown = json!({
        "Name": rule.name, "Arn": rule.arn, "EventBusName": rule.bus,
        "State": if state.is_enabled() { "ENABLED" } else { "DISABLED" },
    });
    if let Some(pattern) = &rule.pattern {
        shown["EventPattern"] = pattern.to_string().into();
    }
    if let Some(schedule) = &rule.schedule {
        shown["ScheduleExpression"] = schedule.clone().into();
    }
    if let Some(description) = &rule.description {
        shown["Description"] = description.clone().into();
    }
    shown
}

fn show_target(target: &Target) -> Value {
    let mut shown = json!({
        "Id": target.id, "Arn": target.arn,
        "RetryPolicy": {
            "MaximumRetryAttempts": target.retry.maximum_retry_attempts,
            "MaximumEventAgeInSeconds": target.retry.maximum_event_age.as_secs(),
        },
    });
    if let Some(input) = &target.input {
        shown["Input"] = input.clone().into();
    }
    if let Some(path) = &target.input_path {
        shown["InputPath"] = path.clone().into();
    }
    if let Some(queue) = &target.dead_letter_arn {
        shown["DeadLetterConfig"] = json!({"Arn": queue});
    }
    shown
}
