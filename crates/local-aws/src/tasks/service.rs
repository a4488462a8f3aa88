//! A service: how many workers it should have, and the next step towards that.

use std::collections::VecDeque;
use std::sync::Arc;

use sam_template::Task;
use serde_json::{Value, json};

use super::worker::Worker;

/// The most stopped workers that are listed; the oldest are dropped first.
const MAX_STOPPED: usize = 100;

/// The workers of one task definition.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) task: Task,
    desired: u32,
    /// Number of the current deployment. Workers of an earlier one are replaced.
    pub(super) deployment: u64,
    /// In the order of their start.
    pub(super) workers: Vec<Arc<Worker>>,
    /// The states in which workers were stopped, oldest first.
    stopped: VecDeque<Value>,
}

/// What brings a service closer to what it should be.
#[derive(Debug)]
pub(super) enum Step {
    /// Start a worker.
    Start,
    /// Stop this worker.
    Stop(Arc<Worker>),
}

impl Service {
    pub(super) fn new(task: Task, desired: u32) -> Self {
        Self { task, desired, deployment: 1, workers: Vec::new(), stopped: VecDeque::new() }
    }

    /// Returns whether this is the name of the service's container or of its task definition.
    pub(super) fn is(&self, name: &str) -> bool {
        self.task.package == name || self.task.name == name
    }

    /// Sets what the service should be.
    pub(super) fn update(&mut self, desired: Option<u32>, force_new_deployment: bool) {
        self.desired = desired.unwrap_or(self.desired);
        self.deployment += u64::from(force_new_deployment);
    }

    /// Returns the next step, as ECS takes it with a MinimumHealthyPercent of 100: a worker of an
    /// earlier deployment is stopped after its replacement was started, and the next one is
    /// replaced when it has ended. `None`: there is nothing to do until a worker ends.
    pub(super) fn next_step(&self) -> Option<Step> {
        let active: Vec<_> = self.workers.iter().filter(|worker| !worker.is_stopping()).collect();
        let outdated = active.iter().find(|worker| worker.deployment < self.deployment);
        let desired = usize::try_from(self.desired).unwrap_or(usize::MAX);
        if active.len() > desired {
            return outdated.or(active.last()).map(|worker| Step::Stop(Arc::clone(worker)));
        }
        let replaces = outdated.is_some() && active.len() == self.workers.len();
        (active.len() < desired || replaces).then_some(Step::Start)
    }

    /// Removes a worker that has ended. Returns whether it was one of this service.
    pub(super) fn remove(&mut self, worker: &Arc<Worker>) -> bool {
        let Some(at) = self.workers.iter().position(|known| Arc::ptr_eq(known, worker)) else {
            return false;
        };
        self.stopped.push_back(self.workers.remove(at).state());
        self.stopped.drain(..self.stopped.len().saturating_sub(MAX_STOPPED));
        true
    }

    /// Returns its state for `/_local/state`.
    pub(super) fn state(&self) -> Value {
        let stopping = self.workers.iter().filter(|worker| worker.is_stopping()).count();
        json!({
            "task": self.task.name, "package": self.task.package, "desiredCount": self.desired,
            "deployment": self.deployment, "running": self.workers.len() - stopping,
            "stopping": stopping, "stopped": self.stopped,
        })
    }
}
