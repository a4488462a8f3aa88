//! One worker, over all its processes: a process that ends by itself is started again, one that is
//! stopped is not.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sam_template::Task;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::iam::access_key_of;
use crate::lambda::{LambdaOptions, Log, Output, bare_command};

/// Pause before a worker is started again, in the cloud's time.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// What all workers share.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) clock: Clock,
    pub(super) options: Arc<LambdaOptions>,
    /// The end of the cloud: the processes are killed.
    pub(super) stop: CancellationToken,
}

/// One worker.
#[derive(Debug)]
pub(super) struct Worker {
    task: Task,
    binary: PathBuf,
    /// Number of the deployment that started it.
    pub(super) deployment: u64,
    state: Mutex<State>,
    stopping: CancellationToken,
    kill: Notify,
}

#[derive(Debug, Default)]
struct State {
    pid: Option<u32>,
    starts: u64,
    /// How the last process ended.
    ended: Option<String>,
}

impl Worker {
    pub(super) fn new(task: Task, binary: PathBuf, deployment: u64) -> Self {
        let (state, stopping, kill) = Default::default();
        Self { task, binary, deployment, state, stopping, kill }
    }

    /// Stops the worker: SIGTERM, and SIGKILL after its task's StopTimeout. It is not started
    /// again.
    pub(super) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Returns whether the worker is being stopped.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Kills the process (SIGKILL). Returns whether there was one.
    pub(super) fn kill(&self) -> bool {
        let runs = self.lock().pid.is_some();
        if runs {
            self.kill.notify_one();
        }
        runs
    }

    /// Waits for the `first` process, and starts others until the worker or the cloud stops.
    pub(super) async fn run(&self, machine: &Machine, first: io::Result<Child>) {
        let mut started = first;
        loop {
            let end = match started {
                Ok(child) => self.wait(child, machine).await,
                Err(error) => format!("cannot be started: {error}"),
            };
            tracing::info!(task = self.task.name, end, "worker ended");
            {
                let mut state = self.lock();
                (state.pid, state.ended) = (None, Some(end));
            }
            tokio::select! {
                biased;
                () = machine.stop.cancelled() => return,
                () = self.stopping.cancelled() => return,
                () = machine.clock.sleep(RESTART_PAUSE) => {}
            }
            started = self.spawn(machine);
        }
    }

    /// Starts a process.
    ///
    /// # Errors
    /// The binary cannot be run, or the log cannot be opened.
    pub(super) fn spawn(&self, machine: &Machine) -> io::Result<Child> {
        let log = Log::open(&machine.options, &self.task.package)?;
        let mut child = command(&self.binary, &self.task, &machine.options).spawn()?;
        Output::of(&mut child, &log)?;
        let mut state = self.lock();
        state.pid = child.id();
        state.starts += 1;
        Ok(child)
    }

    /// Waits until a process ends, or kills it when that is due. Returns how it ended.
    async fn wait(&self, mut child: Child, machine: &Machine) -> String {
        let pid = child.id();
        let killed = async {
            tokio::select! {
                () = machine.stop.cancelled() => {}
                () = self.kill.notified() => {}
                () = self.stop_timeout(pid, &machine.clock) => {}
            }
        };
        let status = tokio::select! {
            status = child.wait() => status,
            () = killed => {
                // An error means that the process has ended by itself in the meantime.
                let _ = child.start_kill();
                child.wait().await
            }
        };
        status.map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    /// Sends SIGTERM when the worker is stopped, and completes after StopTimeout. As the timeout of
    /// a request, it is not much shorter in real time: a worker makes requests while it stops.
    async fn stop_timeout(&self, pid: Option<u32>, clock: &Clock) {
        self.stopping.cancelled().await;
        if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()) {
            // It is not reaped yet, so the id is still its own; an error means that it has ended.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        tokio::time::sleep(clock.request_timeout(self.task.stop_timeout)).await;
    }

    /// Returns its state for `/_local/state`.
    pub(super) fn state(&self) -> Value {
        let state = self.lock();
        json!({
            "task": self.task.name, "package": self.task.package, "pid": state.pid,
            "starts": state.starts, "lastEnd": state.ended, "deployment": self.deployment,
            "stopping": self.is_stopping(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
