//! EventBridge: PutEvents, rules, targets with retries and dead letters, schedules, archives.
//!
//! - `pattern`: which events a rule matches.
//! - `entry`: from an entry of PutEvents to the event that targets get.
//! - `delivery`: one event to one target, with its retry policy and dead-letter queue.
//! - `schedule`: `rate(...)` on the cloud's clock.
//! - `archive`: what is kept, and its replay.
//! - `api`: the operations, from JSON to JSON.
//! - `page`: the lists among their answers, a page at a time.
//!
//! Faults of operation `PutEvents` (target: the bus) strike the call, of kind `entry` one entry
//! inside a successful answer (`extra.entry`: which, from 0). Faults of operation `Deliver`
//! (target: the rule) strike one attempt to deliver: an error is retried and ends in the
//! dead-letter queue, `answer-lost` delivers and tries again, `cut` loses the event without a
//! trace.

mod api;
mod archive;
mod delivery;
mod entry;
mod page;
mod pattern;
mod schedule;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::faults::{FaultKind, Faults};
use crate::lambda::Lambda;
use crate::sqs::Sqs;
use crate::template::{Rule, Target, Template};

use archive::{ArchiveState, Replay};
use pattern::Pattern;

const JSON: &str = "application/x-amz-json-1.1";
/// Ten entries of together 1 MiB, escaped in JSON.
const MAX_REQUEST: usize = 8 * 1024 * 1024;
/// What a fault can strike besides the operations on rules.
const STRUCK: [&str; 2] = ["PutEvents", "Deliver"];
/// How many deliveries wait or are tried at once; beyond, entries are throttled.
const MAX_DELIVERIES: usize = 10_000;

/// The service.
#[derive(Debug)]
pub struct Events {
    clock: Clock,
    faults: Faults,
    account: Account,
    lambda: Arc<Lambda>,
    sqs: Arc<Sqs>,
    rules: Vec<Arc<RuleState>>,
    archives: Vec<ArchiveState>,
    replays: Mutex<Vec<Replay>>,
    deliveries: AtomicUsize,
    stop: CancellationToken,
}

/// A rule and how often it did what.
#[derive(Debug)]
struct RuleState {
    rule: Rule,
    pattern: Option<Pattern>,
    enabled: AtomicBool,
    matched: AtomicUsize,
    delivered: AtomicUsize,
    dead_lettered: AtomicUsize,
    lost: AtomicUsize,
}

impl RuleState {
    fn new(rule: &Rule) -> Result<Self, String> {
        let in_rule = |reason: String| format!("rule {}: {reason}", rule.name);
        if rule.bus != "default" {
            return Err(in_rule(format!("local-cloud has no bus {}", rule.bus)));
        }
        if let Some(schedule) = &rule.schedule {
            schedule::period(schedule).map_err(in_rule)?;
        }
        for target in &rule.targets {
            delivery::check(target).map_err(in_rule)?;
        }
        let pattern = rule.pattern.as_ref().map(Pattern::new).transpose().map_err(in_rule)?;
        let count = AtomicUsize::default;
        Ok(Self {
            rule: rule.clone(),
            pattern,
            enabled: AtomicBool::new(rule.enabled),
            matched: count(),
            delivered: count(),
            dead_lettered: count(),
            lost: count(),
        })
    }

    fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }
}

impl Events {
    /// The rules and archives of the template on their buses.
    ///
    /// # Errors
    /// What is wrong with a rule, naming it.
    pub fn new(
        clock: Clock,
        faults: Faults,
        template: &Template,
        lambda: Arc<Lambda>,
        sqs: Arc<Sqs>,
    ) -> Result<Arc<Self>, String> {
        let rules = template.rules.iter().map(|rule| RuleState::new(rule).map(Arc::new));
        let archives = template.archives.iter().map(|it| ArchiveState::new(it, clock.now_ms()));
        Ok(Arc::new(Self {
            rules: rules.collect::<Result<_, _>>()?,
            archives: archives.collect::<Result<_, _>>()?,
            account: template.account.clone(),
            clock,
            faults,
            lambda,
            sqs,
            replays: Mutex::default(),
            deliveries: AtomicUsize::default(),
            stop: CancellationToken::new(),
        }))
    }

    /// Starts the schedules; they end when `stop` is cancelled.
    pub fn start(self: &Arc<Self>, stop: CancellationToken) {
        let all = self.stop.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            all.cancel();
        });
        for rule in self.rules.iter().filter(|rule| rule.rule.schedule.is_some()) {
            tokio::spawn(schedule::run(Arc::clone(self), Arc::clone(rule)));
        }
    }

    /// The operations that a fault can strike.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        STRUCK.into_iter().chain(api::OPERATIONS)
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

    /// What `/_local/state` shows.
    pub fn state(&self) -> Value {
        let rules = self.rules.iter().map(|it| {
            let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
            let shown = json!({
                "enabled": it.is_enabled(), "matched": count(&it.matched),
                "delivered": count(&it.delivered), "deadLettered": count(&it.dead_lettered),
                "lost": count(&it.lost),
            });
            (it.rule.name.clone(), shown)
        });
        let archives =
            self.archives.iter().map(|it| (it.archive.name.clone(), json!({"events": it.count()})));
        json!({
            "rules": rules.collect::<serde_json::Map<_, _>>(),
            "archives": archives.collect::<serde_json::Map<_, _>>(),
            "pendingDeliveries": self.deliveries.load(Ordering::Relaxed),
        })
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
        let fault = self.faults.gate("events", operation, api::target_of(&body)).await?;
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

    /// Sends an event to every rule that matches it, or to those of `only`.
    fn publish(self: &Arc<Self>, event: &Value, trace: Option<&str>, only: Option<&[String]>) {
        let text = event.to_string();
        for state in &self.rules {
            let wanted = only.is_none_or(|only| only.contains(&state.rule.arn));
            let matches =
                || state.pattern.as_ref().is_some_and(|pattern| pattern.matches(text.as_bytes()));
            if wanted && state.is_enabled() && matches() {
                self.trigger(state, event, trace);
            }
        }
    }

    /// Sends an event to every target of one rule.
    fn trigger(self: &Arc<Self>, state: &Arc<RuleState>, event: &Value, trace: Option<&str>) {
        state.matched.fetch_add(1, Ordering::Relaxed);
        for target in &state.rule.targets {
            self.deliveries.fetch_add(1, Ordering::Relaxed);
            let job = delivery::Delivery::new(state, target.clone(), event, trace);
            tokio::spawn(job.run(Arc::clone(self)));
        }
    }

    fn has_room(&self) -> bool {
        self.deliveries.load(Ordering::Relaxed) < MAX_DELIVERIES
    }

    fn rule(&self, name: &str) -> Result<&Arc<RuleState>, AwsError> {
        self.rules.iter().find(|state| state.rule.name == name).ok_or_else(|| {
            let message = format!("Rule {name} does not exist on EventBus default.");
            AwsError::bad_request("ResourceNotFoundException", message)
        })
    }

    fn replays(&self) -> std::sync::MutexGuard<'_, Vec<Replay>> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a target gets for an event: the event, its input, or a part of it.
fn input_of(target: &Target, event: &Value) -> String {
    if let Some(input) = &target.input {
        return input.clone();
    }
    match &target.input_path {
        Some(path) => pattern::at_path(event, path).unwrap_or(&Value::Null).to_string(),
        None => event.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;
    use crate::iam::Iam;
    use crate::lambda::LambdaOptions;

    #[tokio::test]
    async fn every_operation_that_a_fault_may_name_is_run() {
        let (clock, faults, template) = (Clock::new(1.0), Faults::default(), Template::default());
        let sqs = Sqs::new(clock.clone(), faults.clone(), &[]);
        let options = LambdaOptions {
            binaries: PathBuf::new(),
            logs: PathBuf::new(),
            verbose: false,
            environment: BTreeMap::new(),
            iam: Arc::new(Iam::new(&template, None).unwrap()),
        };
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
        let events = Events::new(clock, faults, &template, lambda, sqs).unwrap();
        for operation in api::OPERATIONS {
            let answer = events.run(operation, &json!({}));
            let code = answer.err().map(|error| error.code);
            assert_ne!(code.as_deref(), Some("NotImplemented"), "{operation}");
        }
    }
}
