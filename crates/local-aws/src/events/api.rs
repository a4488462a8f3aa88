//! The operations on rules, archives and replays.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::{Value, json};

use super::archive::Replay;
use super::page::page;
use super::pattern::Pattern;
use super::rule::RuleState;
use super::service::Events;
use crate::aws_error::AwsError;
use crate::faults::FaultKind;
use sam_template::Target;

const JSON: &str = "application/x-amz-json-1.1";
/// Ten entries of together 1 MiB, escaped in JSON.
const MAX_REQUEST: usize = 8 * 1024 * 1024;
/// The operations that a fault may name besides those on rules.
const WITH_FAULTS: [&str; 2] = ["PutEvents", "Deliver"];

/// The operations of [`Events::run`]. Any other is not implemented, and no fault may name it.
const OPERATIONS: [&str; 14] = [
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

/// Returns the text that a fault's target is matched against: the bus of the first entry, or a
/// name.
fn target_of(request: &Value) -> &str {
    let name = ["Name", "Rule", "ArchiveName", "ReplayName"].iter();
    let name = name.filter_map(|field| request[*field].as_str()).next();
    name.or_else(|| request["Entries"][0]["EventBusName"].as_str()).unwrap_or("default")
}

impl Events {
    /// Returns the operations that a fault may name.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        WITH_FAULTS.into_iter().chain(OPERATIONS)
    }

    /// Answers one request of the `events` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let operation = crate::wire::operation(request.headers());
        match self.answer(&operation, request).await {
            Ok(body) => {
                ([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))], body.to_string())
                    .into_response()
            }
            Err(error) => error.json(JSON),
        }
    }

    async fn answer(
        self: &Arc<Self>,
        operation: &str,
        request: Request,
    ) -> Result<Value, AwsError> {
        let trace = request.headers().get("x-amzn-trace-id");
        let trace = trace.and_then(|trace| trace.to_str().ok()).map(str::to_owned);
        let body = axum::body::to_bytes(request.into_body(), MAX_REQUEST).await;
        let body = body.map_err(|_| {
            AwsError::bad_request("ValidationException", "the request is longer than 8 MiB")
        })?;
        let body: Value = serde_json::from_slice(&body).map_err(|error| {
            AwsError::bad_request("SerializationException", format!("not JSON: {error}"))
        })?;
        let fault = self.targets.faults.gate("events", operation, target_of(&body)).await?;
        let answer = match operation {
            "PutEvents" => {
                let entry = fault.as_ref().filter(|fault| fault.kind == FaultKind::Entry);
                self.put_events(&body, trace, entry)?
            }
            other => self.run(other, &body)?,
        };
        match fault {
            Some(fault) if fault.kind == FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(answer),
        }
    }

    fn run(self: &Arc<Self>, operation: &str, request: &Value) -> Result<Value, AwsError> {
        let text = |field: &str| request[field].as_str().unwrap_or_default();
        let known = OPERATIONS.into_iter().find(|known| *known == operation);
        match known.unwrap_or_default() {
            "ListRules" => {
                self.bus_exists(request)?;
                let rules = self.rules();
                let rules = rules.iter().filter(|it| it.rule.name.starts_with(text("NamePrefix")));
                page(request, "Rules", rules.map(|it| show(it)).collect())
            }
            "DescribeRule" => {
                self.bus_exists(request)?;
                self.rule(text("Name")).map(|it| show(&it))
            }
            "ListTargetsByRule" => {
                self.bus_exists(request)?;
                let state = self.rule(text("Rule"))?;
                page(request, "Targets", state.rule.targets.iter().map(show_target).collect())
            }
            "ListRuleNamesByTarget" => {
                let arn = text("TargetArn");
                let rules = self.rules();
                let names = rules.iter().filter(|it| it.rule.targets.iter().any(|t| t.arn == arn));
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
                let found = replays.iter().filter(|replay| replay.is_listed(request));
                page(request, "Replays", found.map(Replay::show).collect())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::clock::Clock;
    use crate::cloudwatch::Metrics;
    use crate::faults::Faults;
    use crate::iam::Iam;
    use crate::lambda::{Lambda, LambdaOptions};
    use crate::sqs::Sqs;
    use sam_template::Account;
    use sam_template::Template;

    #[tokio::test]
    async fn every_operation_that_a_fault_may_name_is_run() {
        let (clock, faults, template) = (Clock::new(1.0), Faults::default(), Template::default());
        let sqs = Sqs::new(clock.clone(), faults.clone(), &[]);
        let options = LambdaOptions {
            binaries: PathBuf::new(),
            programs: BTreeMap::new(),
            logs: PathBuf::new(),
            verbose: false,
            environment: BTreeMap::new(),
            iam: Arc::new(Iam::new(&template, None).unwrap()),
            xray: crate::xray::Daemons::default(),
            recogniser: None,
            metrics: Metrics::new(clock.clone()),
        };
        let metrics = options.metrics.clone();
        let account = Account::default();
        let stop = CancellationToken::new();
        let lambda = Lambda::new(
            clock.clone(),
            faults.clone(),
            account,
            &[],
            Arc::clone(&sqs),
            options,
            stop,
        );
        let events = Events::new(clock, faults, metrics, &template, lambda, sqs).unwrap();
        for operation in OPERATIONS {
            let answer = events.run(operation, &json!({}));
            let code = answer.err().map(|error| error.code);
            assert_ne!(code.as_deref(), Some("NotImplemented"), "{operation}");
        }
    }
}
