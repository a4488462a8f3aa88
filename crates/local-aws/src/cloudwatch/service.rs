//! The alarms of the template, evaluated every minute on the cloud's clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::alarm::{Alarm, Kind};
use super::evaluation::State;
use super::metrics::Metrics;
use super::series::MINUTE_MS;
use super::state_change::HistoryItem;
use crate::clock::{Clock, rfc3339};
use crate::faults::Faults;
use crate::kvs::Kvs;
use crate::lambda::Lambda;
use crate::sns::Sns;
use crate::sqs::Sqs;
use sam_template::{Account, Template};

/// Maximum number of entries of the history of all alarms; the oldest are dropped first.
const MAX_HISTORY: usize = 10_000;

/// The service.
#[derive(Debug)]
pub struct CloudWatch {
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    pub(super) metrics: Metrics,
    pub(super) account: Account,
    sns: Arc<Sns>,
    dashboards: Mutex<BTreeMap<String, String>>,
    alarms: Mutex<Alarms>,
}

/// The alarms by name, and what happened to them.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    pub(super) by_name: BTreeMap<String, Alarm>,
    pub(super) history: VecDeque<HistoryItem>,
}

impl CloudWatch {
    /// Creates the alarms and dashboards of the template.
    ///
    /// # Errors
    /// An alarm has a property that is wrong or not supported, or a rule names an unknown alarm;
    /// the text names it.
    pub fn new(
        clock: Clock,
        faults: Faults,
        metrics: Metrics,
        template: &Template,
        sns: Arc<Sns>,
    ) -> Result<Arc<Self>, String> {
        let mut alarms = Alarms::default();
        alarms.deploy(&template.alarms, clock.now_ms())?;
        Ok(Arc::new(Self {
            clock,
            faults,
            metrics,
            dashboards: Mutex::new(bodies(template)),
            account: template.account.clone(),
            sns,
            alarms: Mutex::new(alarms),
        }))
    }

    /// Creates and deletes alarms, so that they are those of a template; others are not changed.
    /// Replaces the dashboards, and creates, changes and removes alarms. A changed alarm keeps its
    /// state until it is evaluated.
    ///
    /// # Errors
    /// As [`CloudWatch::new`]; nothing is changed.
    pub(crate) fn deploy(&self, template: &Template) -> Result<(), String> {
        self.alarms().deploy(&template.alarms, self.clock.now_ms())?;
        *self.dashboards() = bodies(template);
        Ok(())
    }

    /// Returns the bodies of the dashboards, by name.
    pub(super) fn dashboards(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.dashboards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Samples the metrics of other services and evaluates the alarms, at each whole minute of the
    /// cloud's clock until `stop` is cancelled. A minute that passed while the machine was busy is
    /// not made up for.
    pub async fn run(
        self: Arc<Self>,
        lambda: Arc<Lambda>,
        sqs: Arc<Sqs>,
        kvs: Arc<Kvs>,
        stop: CancellationToken,
    ) {
        loop {
            let left = MINUTE_MS - self.clock.now_ms().rem_euclid(MINUTE_MS);
            let left = Duration::from_millis(left.unsigned_abs());
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(left) => {}
            }
            let now = self.clock.now_ms();
            lambda.sample_metrics();
            sqs.sample_metrics(&self.metrics);
            kvs.publish_metrics(&self.metrics);
            self.evaluate(now - now.rem_euclid(MINUTE_MS));
        }
    }

    /// Evaluates every alarm at `now`, a whole minute in ms since the epoch.
    pub(super) fn evaluate(&self, now: i64) {
        let mut alarms = self.alarms();
        let names: Vec<String> = alarms.by_name.keys().cloned().collect();
        for name in &names {
            let Some(alarm) = alarms.by_name.get(name) else { continue };
            if let Kind::Metric(watched) = &alarm.kind {
                let (state, reason, data) = watched.evaluate(&self.metrics, now, alarm.state);
                self.set(&mut alarms, name, state, reason, Some(data.to_string()));
            }
        }
        // A rule may name other composite alarms. A cycle ends when each was evaluated once.
        for _ in &names {
            if !names.iter().any(|name| self.combine(&mut alarms, name)) {
                break;
            }
        }
    }

    /// Evaluates a composite alarm. Returns whether its state changed.
    fn combine(&self, alarms: &mut Alarms, name: &str) -> bool {
        let Some(Alarm { kind: Kind::Composite(rule), state, .. }) = alarms.by_name.get(name)
        else {
            return false;
        };
        let old = *state;
        let new = match rule.holds(&|child| alarms.find(child).map(|it| it.state)) {
            true => State::Alarm,
            false => State::Ok,
        };
        // A rule that holds is explained by an alarm that is raised.
        let explains = |child: &&Alarm| new != State::Alarm || child.state == State::Alarm;
        let children = rule.alarms().into_iter().filter_map(|child| alarms.find(child));
        let children = children.filter(explains);
        let latest = children.max_by_key(|child| child.transitioned);
        let reason = latest.map_or_else(String::new, |child| {
            let at = rfc3339(child.transitioned);
            format!("{} transitioned to {} at {at}", child.arn, child.state.name())
        });
        if new != old {
            self.set(alarms, name, new, reason, None);
        }
        new != old
    }

    /// Sets the state of an alarm; a change is recorded, and executes its actions.
    pub(super) fn set(
        &self,
        alarms: &mut Alarms,
        name: &str,
        state: State,
        reason: String,
        reason_data: Option<String>,
    ) {
        let now = self.clock.now_ms();
        let Some(alarm) = alarms.by_name.get_mut(name) else { return };
        let (old, old_reason) = (alarm.state, std::mem::replace(&mut alarm.reason, reason));
        (alarm.state, alarm.reason_data, alarm.updated) = (state, reason_data, now);
        if old == state {
            return;
        }
        alarm.transitioned = now;
        tracing::info!("alarm {name}: {} -> {}: {}", old.name(), state.name(), alarm.reason);
        let mut items = vec![alarm.state_update(old, &old_reason)];
        let (subject, message) = alarm.notification(&self.account, old);
        for action in alarm.actions() {
            let failure = self.sns.publish(&action, &subject, &message, now).err();
            items.push(alarm.action(&action, failure.map(|it| it.message).as_deref()));
        }
        let history = &mut alarms.history;
        history.extend(items);
        history.drain(..history.len().saturating_sub(MAX_HISTORY));
    }

    /// Returns the service's part of `/_local/state`: each alarm's state.
    pub fn state(&self) -> Value {
        let alarms = self.alarms();
        let states = alarms.by_name.iter().map(|(name, it)| (name.clone(), it.state.name().into()));
        json!({ "alarms": Value::Object(states.collect()), "metrics": self.metrics.list().len() })
    }

    pub(super) fn alarms(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bodies(template: &Template) -> BTreeMap<String, String> {
    template.dashboards.iter().map(|it| (it.name.clone(), it.body.clone())).collect()
}

impl Alarms {
    fn deploy(&mut self, wanted: &[sam_template::Alarm], now: i64) -> Result<(), String> {
        let mut by_name = BTreeMap::new();
        for config in wanted {
            let alarm = match self.by_name.get(&config.name) {
                Some(known) => known.redefined(config, now),
                None => Alarm::new(config, now),
            };
            let alarm = alarm.map_err(|reason| format!("alarm {}: {reason}", config.name))?;
            by_name.insert(config.name.clone(), alarm);
        }
        let before = std::mem::replace(&mut self.by_name, by_name);
        self.check_rules().inspect_err(|_| self.by_name = before)
    }

    /// Returns an alarm by name or ARN.
    pub(super) fn find(&self, alarm: &str) -> Option<&Alarm> {
        let by_arn = || self.by_name.values().find(|it| it.arn == alarm);
        self.by_name.get(alarm).or_else(by_arn)
    }

    /// Checks that the alarms of each rule exist.
    fn check_rules(&self) -> Result<(), String> {
        for alarm in self.by_name.values() {
            let Kind::Composite(rule) = &alarm.kind else { continue };
            if let Some(unknown) = rule.alarms().into_iter().find(|it| self.find(it).is_none()) {
                return Err(format!("alarm {}: there is no alarm {unknown:?}", alarm.name));
            }
        }
        Ok(())
    }
}
