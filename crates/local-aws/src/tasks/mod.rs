//! ECS, as far as workers need it: a service for each task definition of the template, whose
//! processes are started, replaced and stopped as a service's tasks are.
//!
//! A worker runs as the binary that is named after its container. It has the credentials of its
//! task's role, and the environment of its container, except what describes the container's own
//! network and size.
//!
//! - `service`: how many workers a service should have, and what brings it there.
//! - `worker`: one worker, over all its processes.

mod service;
#[cfg(test)]
mod tests;
mod worker;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sam_template::Task;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::lambda::LambdaOptions;
use service::{Service, Step};
use worker::{Machine, Worker};

/// The most workers of a service.
const MAX_DESIRED_COUNT: u32 = 100;

/// The services of the template's tasks.
#[derive(Debug)]
pub struct Tasks {
    machine: Machine,
    services: Mutex<Vec<Service>>,
    /// The number of workers that have not ended, over all services.
    running: watch::Sender<usize>,
}

/// A change of a service, as ECS's UpdateService takes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct ServiceUpdate {
    /// How many workers it should have; absent: as many as before.
    desired_count: Option<u32>,
    /// Whether its workers are replaced by new ones.
    force_new_deployment: bool,
}

/// Why a service is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpdateError {
    /// There is no such task.
    #[error("the template has no task {0}")]
    Unknown(String),
    /// The update is out of range.
    #[error("desiredCount: at most {MAX_DESIRED_COUNT}")]
    TooMany,
}

impl Tasks {
    /// Starts `count` workers of each task. They end when `stop` is cancelled.
    pub(crate) fn start(
        tasks: &[Task],
        count: u32,
        clock: &Clock,
        options: &Arc<LambdaOptions>,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let machine =
            Machine { clock: clock.clone(), options: Arc::clone(options), stop: stop.clone() };
        let (services, running) = (Mutex::default(), watch::Sender::new(0));
        let all = Arc::new(Self { machine, services, running });
        for task in tasks {
            let mut service = Service::new(task.clone(), count);
            all.settle(&mut service);
            all.services().push(service);
        }
        all
    }

    /// Changes the service of a task, named by its container's or its definition's name. Returns
    /// its state.
    ///
    /// # Errors
    /// There is no such task, or the number of workers is out of range.
    pub(crate) fn update(
        self: &Arc<Self>,
        task: &str,
        update: ServiceUpdate,
    ) -> Result<Value, UpdateError> {
        if update.desired_count.is_some_and(|count| count > MAX_DESIRED_COUNT) {
            return Err(UpdateError::TooMany);
        }
        let mut services = self.services();
        let service = services.iter_mut().find(|service| service.is(task));
        let service = service.ok_or_else(|| UpdateError::Unknown(task.to_owned()))?;
        service.update(update.desired_count, update.force_new_deployment);
        self.settle(service);
        Ok(service.state())
    }

    /// Returns the tasks without a binary, with the path at which it is missing.
    pub fn missing_binaries(&self) -> Vec<(String, PathBuf)> {
        let services = self.services();
        let binaries = services.iter().map(|it| (it.task.name.clone(), self.binary(&it.task)));
        binaries.filter(|(_, binary)| !binary.is_file()).collect()
    }

    /// Kills the processes of a task (SIGKILL). Returns how many there were; `None`: there is no
    /// such task.
    pub(crate) fn kill(&self, task: &str) -> Option<usize> {
        let services = self.services();
        let service = services.iter().find(|service| service.is(task))?;
        Some(service.workers.iter().filter(|worker| worker.kill()).count())
    }

    /// Waits until every process has ended; cancel the stop token first.
    pub(crate) async fn ended(&self) {
        // The sender is `self`, so this cannot fail.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        let services = self.services();
        let workers = services.iter().flat_map(|service| &service.workers);
        let workers: Vec<_> = workers.map(|worker| worker.state()).collect();
        let services: Vec<_> = services.iter().map(Service::state).collect();
        json!({ "services": services, "workers": workers })
    }

    /// Starts and stops workers until the service has those that it should have.
    fn settle(self: &Arc<Self>, service: &mut Service) {
        while !self.machine.stop.is_cancelled()
            && let Some(step) = service.next_step()
        {
            match step {
                Step::Start => {
                    let worker = self.launch(&service.task, service.deployment);
                    service.workers.push(worker);
                }
                Step::Stop(worker) => worker.stop(),
            }
        }
    }

    /// Starts a worker. Its first process runs when this returns, unless it cannot be started.
    fn launch(self: &Arc<Self>, task: &Task, deployment: u64) -> Arc<Worker> {
        let worker = Arc::new(Worker::new(task.clone(), self.binary(task), deployment));
        let first = worker.spawn(&self.machine);
        self.running.send_modify(|running| *running += 1);
        let (all, launched) = (Arc::clone(self), Arc::clone(&worker));
        tokio::spawn(async move {
            launched.run(&all.machine, first).await;
            all.remove(&launched);
            all.running.send_modify(|running| *running -= 1);
        });
        worker
    }

    /// Removes a worker that has ended.
    fn remove(self: &Arc<Self>, worker: &Arc<Worker>) {
        for service in self.services().iter_mut() {
            if service.remove(worker) {
                self.settle(service);
            }
        }
    }

    fn binary(&self, task: &Task) -> PathBuf {
        self.machine.options.binaries.join(&task.package)
    }

    fn services(&self) -> MutexGuard<'_, Vec<Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
