//! ECS, as far as workers need it: the processes of the template's task definitions, each started
//! again when it ends.
//!
//! A worker runs as the binary that is named after its container. It has the credentials of its
//! task's role, and the environment of its container, except what describes the container's own
//! network and size.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sam_template::Task;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::iam::access_key_of;
use crate::lambda::{LambdaOptions, Log, bare_command};

/// Pause before a worker is started again, in the cloud's time.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// The workers of the template's tasks.
#[derive(Debug)]
pub struct Tasks {
    workers: Vec<Arc<Worker>>,
    running: watch::Sender<usize>,
}

/// One worker, over all its processes.
#[derive(Debug)]
struct Worker {
    task: Task,
    binary: PathBuf,
    state: Mutex<State>,
    kill: Notify,
}

#[derive(Debug, Default)]
struct State {
    pid: Option<u32>,
    starts: u64,
    /// How the last process ended.
    ended: Option<String>,
}

impl Tasks {
    /// Starts `count` workers of each task, until `stop`.
    pub(crate) fn start(
        tasks: &[Task],
        count: u32,
        clock: &Clock,
        options: &Arc<LambdaOptions>,
        stop: &CancellationToken,
    ) -> Self {
        let running = watch::Sender::new(0);
        let mut workers = Vec::new();
        for task in tasks {
            for _ in 0..count {
                let worker = Arc::new(Worker {
                    task: task.clone(),
                    binary: options.binaries.join(&task.package),
                    state: Mutex::default(),
                    kill: Notify::new(),
                });
                workers.push(Arc::clone(&worker));
                running.send_modify(|running| *running += 1);
                let (clock, options, stop) = (clock.clone(), Arc::clone(options), stop.clone());
                let ended = running.clone();
                tokio::spawn(async move {
                    worker.run(&clock, &options, &stop).await;
                    ended.send_modify(|running| *running -= 1);
                });
            }
        }
        Self { workers, running }
    }

    /// Returns the tasks without a binary, with the path at which it is missing.
    pub fn missing_binaries(&self) -> Vec<(String, PathBuf)> {
        let missing = self.workers.iter().filter(|worker| !worker.binary.is_file());
        let mut missing: Vec<_> =
            missing.map(|it| (it.task.name.clone(), it.binary.clone())).collect();
        missing.dedup();
        missing
    }

    /// Kills the processes of a container (SIGKILL). Returns how many there were; `None`: there is
    /// no such container.
    pub(crate) fn kill(&self, package: &str) -> Option<usize> {
        let workers = self.workers.iter().filter(|worker| worker.task.package == package);
        let workers: Vec<_> = workers.collect();
        let alive = workers.iter().filter(|worker| worker.state().pid.is_some());
        let killed = alive.map(|worker| worker.kill.notify_one()).count();
        (!workers.is_empty()).then_some(killed)
    }

    /// Waits until every process has ended; cancel the stop token first.
    pub(crate) async fn ended(&self) {
        // The sender is `self`, so this cannot fail.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        let workers = self.workers.iter().map(|worker| {
            let state = worker.state();
            json!({
                "task": worker.task.name, "package": worker.task.package, "pid": state.pid,
                "starts": state.starts, "lastEnd": state.ended,
            })
        });
        json!({ "workers": workers.collect::<Vec<_>>() })
    }
}

impl Worker {
    async fn run(&self, clock: &Clock, options: &LambdaOptions, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let end = match self.spawn(options) {
                Ok(child) => self.wait(child, stop).await,
                Err(error) => format!("cannot be started: {error}"),
            };
            tracing::info!(task = self.task.name, end, "worker ended");
            {
                let mut state = self.state();
                (state.pid, state.ended) = (None, Some(end));
            }
            tokio::select! {
                () = clock.sleep(RESTART_PAUSE) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn spawn(&self, options: &LambdaOptions) -> std::io::Result<Child> {
        let log = Log::open(options, &self.task.package)?;
        let mut child = command(&self.binary, &self.task, options).spawn()?;
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(log.clone().drain(stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(log.drain(stderr));
        }
        let mut state = self.state();
        state.pid = child.id();
        state.starts += 1;
        Ok(child)
    }

    async fn wait(&self, mut child: Child, stop: &CancellationToken) -> String {
        let status = tokio::select! {
            status = child.wait() => status,
            () = async { tokio::select! { () = stop.cancelled() => {}, () = self.kill.notified() => {} } } => {
                // An error means that the process has ended by itself in the meantime.
                let _ = child.start_kill();
                child.wait().await
            }
        };
        status.map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn command(binary: &Path, task: &Task, options: &LambdaOptions) -> Command {
    let mut command = bare_command(binary);
    command
        .envs(&options.environment)
        .env("AWS_ACCESS_KEY_ID", access_key_of(&task.logical_id))
        .envs(&task.environment)
        // Workers share this machine: each has a free port, and all of its CPUs and memory.
        .env("HEALTH_PORT", "0")
        .env("CPU_UNITS", "0")
        .env("MEMORY_MB", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
