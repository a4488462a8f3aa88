//! A rule of the template: its pattern, whether it is enabled, and its counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::pattern::Pattern;
use super::rate;
use sam_template::{Rule, Target};

/// A rule and its counters.
#[derive(Debug)]
pub(super) struct RuleState {
    pub(super) rule: Rule,
    pub(super) pattern: Option<Pattern>,
    pub(super) enabled: AtomicBool,
    pub(super) counts: Arc<Counts>,
}

/// The events of a rule, over all its versions.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) matched: AtomicUsize,
    pub(super) delivered: AtomicUsize,
    pub(super) dead_lettered: AtomicUsize,
    pub(super) lost: AtomicUsize,
}

impl RuleState {
    pub(super) fn new(rule: &Rule) -> Result<Self, String> {
        let in_rule = |reason: String| format!("rule {}: {reason}", rule.name);
        if rule.bus != "default" {
            return Err(in_rule(format!("local-cloud has no bus {}", rule.bus)));
        }
        if let Some(schedule) = &rule.schedule {
            rate::period(schedule).map_err(in_rule)?;
        }
        for target in &rule.targets {
            check(target).map_err(in_rule)?;
        }
        let pattern = rule.pattern.as_ref().map(Pattern::new).transpose().map_err(in_rule)?;
        Ok(Self {
            rule: rule.clone(),
            pattern,
            enabled: AtomicBool::new(rule.enabled),
            counts: Arc::default(),
        })
    }

    /// Returns this rule as the next version of `before`, which counts on.
    pub(super) fn after(self, before: &Self) -> Self {
        Self { counts: Arc::clone(&before.counts), ..self }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }
}

/// Rejects a target that is neither a function nor a queue, or that has an input transformer.
fn check(target: &Target) -> Result<(), String> {
    if target.input_transformer.is_some() {
        return Err(format!("target {}: local-cloud has no InputTransformer", target.id));
    }
    match target.arn.split(':').nth(2) {
        Some("lambda" | "sqs") => Ok(()),
        _ => {
            Err(format!("target {}: local-cloud delivers to functions and queues only", target.id))
        }
    }
}
