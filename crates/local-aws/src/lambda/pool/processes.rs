//! The processes of a function: claimed when idle, started on demand, killed when idle for long.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Pool;
use crate::lambda::environment::ExecutionEnvironment;
use crate::lambda::invocation::{Invocation, Invoked};
use crate::lambda::job::StartFailure;
use crate::lambda::{process, segments};

/// How often idle processes are checked, and how long one may be idle, on the scaled clock. Lambda
/// keeps them for some minutes, without a guarantee.
pub(in crate::lambda) const REAP_EVERY: Duration = Duration::from_secs(60);
const KEPT_IDLE: Duration = Duration::from_secs(600);
/// The minimum for any time scale, in real time.
const KEPT_IDLE_REAL: Duration = Duration::from_secs(20);

/// How long a process may take until it requests its first invocation (Lambda's init phase), in
/// real time: a process does not start faster when the clock is scaled.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long an invocation waits, in real time, for a process that has answered and is about to
/// request the next one, before it starts another one. It takes a round trip on this machine.
const SETTLING: Duration = Duration::from_millis(200);

/// How often an invocation checks for such a process.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Pool {
    /// Ends the processes with earlier settings, each when it is idle.
    pub(super) async fn end_outdated(&self) {
        loop {
            let changed = self.changed.notified();
            self.reap();
            let function = self.function();
            if self.environments().values().all(|it| it.function == *function) {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Returns the process for an invocation: the claimed one, or an idle one, the last used first,
    /// or a new one, with the time when its start began.
    pub(super) async fn environment(
        self: &Arc<Self>,
        claimed: Option<Arc<ExecutionEnvironment>>,
        invocation: &Invocation,
    ) -> Result<(Arc<ExecutionEnvironment>, Option<f64>), Invoked> {
        if let Some(environment) = claimed {
            return Ok((environment, None));
        }
        let settled = Instant::now() + SETTLING;
        loop {
            let changed = self.changed.notified();
            let (idle, settling) = self.claim_idle();
            match idle {
                Some(environment) => return Ok((environment, None)),
                None if !settling || Instant::now() > settled => break,
                // Checked again whether or not something has changed.
                None => drop(tokio::time::timeout(LOOK_AGAIN, changed).await),
            }
        }
        let began = segments::now();
        match self.start().await {
            Ok(environment) => Ok((environment, Some(began))),
            Err(failure) => Err(not_started(failure, invocation)),
        }
    }

    /// Claims an idle process, and returns whether another is about to be idle.
    fn claim_idle(&self) -> (Option<Arc<ExecutionEnvironment>>, bool) {
        let (environments, function) = (self.environments(), self.function());
        let current = environments.values().filter(|it| it.function == *function);
        let mut idle: Vec<_> =
            current.clone().filter_map(|it| Some((it.idle_since()?, it))).collect();
        idle.sort_by_key(|(since, _)| std::cmp::Reverse(*since));
        let claimed = idle.into_iter().find(|(_, it)| it.claim()).map(|(_, it)| Arc::clone(it));
        (claimed, current.into_iter().any(|it| it.is_settling()))
    }

    /// Starts a process, and waits until it requests its first invocation.
    pub(in crate::lambda) async fn start(
        self: &Arc<Self>,
    ) -> Result<Arc<ExecutionEnvironment>, StartFailure> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (idle, stop) = (Arc::clone(&self.changed), &self.stop);
        let function = self.function();
        let started = process::start(id, &function, &self.options, idle, stop).await;
        let environment = started.map_err(|error| {
            StartFailure::NotStarted(format!("{}: {error}", self.binary().display()))
        })?;
        self.environments().insert(id, Arc::clone(&environment));
        let (pool, exiting) = (Arc::downgrade(self), Arc::clone(&environment));
        tokio::spawn(async move {
            exiting.exited().await;
            if let Some(pool) = pool.upgrade() {
                pool.remove(id);
            }
        });
        match environment.started(START_LIMIT).await {
            Ok(()) => Ok(environment),
            Err(failure) => {
                environment.kill();
                Err(failure)
            }
        }
    }

    /// Removes an exited process.
    pub(in crate::lambda) fn remove(&self, id: u64) {
        self.environments().remove(&id);
        self.changed.notify_waiters();
    }

    /// Kills the processes that have been idle for long, and idle ones with earlier settings.
    pub(in crate::lambda) fn reap(&self) {
        let function = self.function();
        let longest = self.clock.real(KEPT_IDLE).max(KEPT_IDLE_REAL);
        for environment in self.environments().values() {
            let is_outdated = environment.function != *function;
            let idle = environment
                .idle_since()
                .is_some_and(|since| is_outdated || since.elapsed() > longest);
            // Claimed first, so that no invocation is given to a process that is being ended.
            if idle && environment.claim() {
                environment.kill();
            }
        }
    }

    /// Kills all processes, also those that run an invocation. Returns how many there were.
    pub(in crate::lambda) fn kill_all(&self) -> usize {
        let environments = self.environments();
        environments.values().for_each(|environment| environment.kill());
        environments.len()
    }

    /// Waits until no process is left.
    pub(in crate::lambda) async fn ended(&self) {
        loop {
            let ended = self.changed.notified();
            if self.environments().is_empty() {
                return;
            }
            ended.await;
        }
    }

    pub(in crate::lambda) fn environments(
        &self,
    ) -> MutexGuard<'_, BTreeMap<u64, Arc<ExecutionEnvironment>>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the result of an invocation whose process did not start.
fn not_started(failure: StartFailure, invocation: &Invocation) -> Invoked {
    match failure {
        StartFailure::Reported(report) => invocation.failed(report),
        StartFailure::Exited(how) => {
            let reason = format!("Runtime exited with error: {how}");
            invocation.ended("Runtime.ExitError", &reason)
        }
        StartFailure::TooSlow => {
            let reason = "Runtime did not request its first invocation in 10 s";
            invocation.ended("Sandbox.Timedout", reason)
        }
        StartFailure::NotStarted(reason) => invocation.ended("Runtime.InvalidEntrypoint", &reason),
    }
}
