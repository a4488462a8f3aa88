//! The rules and archives of the default bus.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::{Value, json};

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::cloudwatch::Metrics;
use crate::faults::Faults;
use crate::lambda::Lambda;
use crate::sqs::Sqs;
use sam_template::{Account, Rule, Template};

use super::archive::{ArchiveState, Replay};
use super::bus_log::BusLog;
use super::delivery::{Delivery, Targets};
use super::rule::RuleState;

/// Rules that are supported.
#[derive(Debug)]
pub(crate) struct Rules(Vec<Arc<RuleState>>);

/// The service.
#[derive(Debug)]
pub struct Events {
    pub(super) account: Account,
    rules: RwLock<Vec<Arc<RuleState>>>,
    pub(super) archives: Vec<ArchiveState>,
    replays: Mutex<Vec<Replay>>,
    pub(super) log: BusLog,
    pub(super) targets: Arc<Targets>,
}

impl Events {
    /// Creates the rules and archives of the template.
    ///
    /// # Errors
    /// A rule or archive is not supported; the text names it.
    pub fn new(
        clock: Clock,
        faults: Faults,
        metrics: Metrics,
        template: &Template,
        lambda: Arc<Lambda>,
        sqs: Arc<Sqs>,
    ) -> Result<Arc<Self>, String> {
        let rules = template.rules.iter().map(|rule| RuleState::new(rule).map(Arc::new));
        let archives = template.archives.iter().map(|it| ArchiveState::new(it, clock.now_ms()));
        Ok(Arc::new(Self {
            rules: RwLock::new(rules.collect::<Result<_, _>>()?),
            archives: archives.collect::<Result<_, _>>()?,
            account: template.account.clone(),
            replays: Mutex::default(),
            log: BusLog::default(),
            targets: Arc::new(Targets::new(clock, faults, metrics, lambda, sqs)),
        }))
    }

    /// Returns the rules of a template for [`Events::deploy`]: those that do not differ are kept
    /// as they are, with the state that EnableRule or DisableRule gave them.
    ///
    /// # Errors
    /// A rule is not supported; the text names it.
    pub(crate) fn prepare(&self, rules: &[Rule]) -> Result<Rules, String> {
        let current = self.rules();
        let prepared = rules.iter().map(|rule| {
            match current.iter().find(|state| state.rule.name == rule.name) {
                Some(state) if state.rule == *rule => Ok(Arc::clone(state)),
                Some(state) => Ok(Arc::new(RuleState::new(rule)?.after(state))),
                None => RuleState::new(rule).map(Arc::new),
            }
        });
        prepared.collect::<Result<_, _>>().map(Rules)
    }

    /// Replaces the rules. Events that are being delivered keep their target.
    pub(crate) fn deploy(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules.0;
    }

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        let rules = self.rules();
        let rules = rules.iter().map(|it| {
            let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
            let shown = json!({
                "enabled": it.is_enabled(), "matched": count(&it.counts.matched),
                "delivered": count(&it.counts.delivered), "deadLettered": count(&it.counts.dead_lettered),
                "lost": count(&it.counts.lost),
            });
            (it.rule.name.clone(), shown)
        });
        let archives =
            self.archives.iter().map(|it| (it.archive.name.clone(), json!({"events": it.count()})));
        json!({
            "rules": rules.collect::<serde_json::Map<_, _>>(),
            "archives": archives.collect::<serde_json::Map<_, _>>(),
            "pendingDeliveries": self.targets.pending(),
        })
    }

    /// Returns the latest events with a number above `number`: `{"events": […], "last": N}`.
    pub(crate) fn after(&self, number: u64) -> Value {
        self.log.after(number)
    }

    /// Sends an event to every rule that matches it, or to those of `only`.
    pub(super) fn publish(&self, event: &Value, trace: Option<&str>, only: Option<&[String]>) {
        let text = event.to_string();
        let matches = |state: &&Arc<RuleState>| {
            let wanted = only.is_none_or(|only| only.contains(&state.rule.arn));
            let matches =
                || state.pattern.as_ref().is_some_and(|pattern| pattern.matches(text.as_bytes()));
            wanted && state.is_enabled() && matches()
        };
        let rules = self.rules();
        let matched: Vec<&Arc<RuleState>> = rules.iter().filter(matches).collect();
        self.trigger(&matched, event, trace);
    }

    /// Records an event, and sends it to every target of these rules.
    pub(super) fn trigger(&self, rules: &[&Arc<RuleState>], event: &Value, trace: Option<&str>) {
        let names: Vec<&str> = rules.iter().map(|state| state.rule.name.as_str()).collect();
        self.log.record(event, &names, self.targets.clock.now_ms());
        for state in rules {
            self.deliver(state, event, trace);
        }
    }

    fn deliver(&self, state: &Arc<RuleState>, event: &Value, trace: Option<&str>) {
        state.counts.matched.fetch_add(1, Ordering::Relaxed);
        self.targets.metric(&state.rule, "TriggeredRules");
        for target in &state.rule.targets {
            self.targets.deliver(Delivery::new(state, target.clone(), event, trace));
        }
    }

    /// Returns the rules as they are now.
    pub(super) fn rules(&self) -> Vec<Arc<RuleState>> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn rule(&self, name: &str) -> Result<Arc<RuleState>, AwsError> {
        self.rules().into_iter().find(|state| state.rule.name == name).ok_or_else(|| {
            let message = format!("Rule {name} does not exist on EventBus default.");
            AwsError::bad_request("ResourceNotFoundException", message)
        })
    }

    pub(super) fn replays(&self) -> std::sync::MutexGuard<'_, Vec<Replay>> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
