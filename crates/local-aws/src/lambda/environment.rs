//! An execution environment: one process of a function, and its state between and during
//! invocations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sam_template::Function;
use serde_json::json;
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::extensions::Extensions;
use super::job::{InvocationGuard, Job, Outcome, StartFailure};
use super::output::Output;
use super::workers::RuntimeWorkers;

/// How long an invocation waits for extensions that have not requested their next event, in real
/// time, before another process is started. An extension without work answers within this time.
const EXTENSION_GRACE: Duration = Duration::from_millis(10);

/// The state of the process, as the Runtime API shows it.
#[derive(Debug)]
enum State {
    /// The runtime (unless it has `polled`) or an extension has not requested its first event.
    Starting { polled: bool, init_error: Option<Bytes> },
    /// Taken for an invocation that has not been handed over.
    Claimed,
    /// At work on an invocation. `job` is present until the runtime has fetched it.
    Working {
        request_id: String,
        job: Option<Job>,
        guard: InvocationGuard,
        answer: oneshot::Sender<Outcome>,
    },
    /// Answered; the runtime (unless it has `polled`) or an extension has not requested the next
    /// one. The guard is present while extensions are at work.
    Answered { polled: bool, since: Instant, guard: Option<InvocationGuard> },
    /// Waiting for an invocation since the given time.
    Idle(Instant),
    /// The process has exited.
    Exited,
}

/// How a process exited.
#[derive(Debug, Clone)]
struct Exit {
    /// For example `exit status 3`.
    status: String,
    /// The error that the function reported during its initialization.
    init_error: Option<Bytes>,
}

/// One process of a function.
#[derive(Debug)]
pub(super) struct ExecutionEnvironment {
    pub(super) id: u64,
    /// The process id, unless the process has already exited.
    pub(super) pid: Option<u32>,
    pub(super) function: Function,
    output: Output,
    pub(super) extensions: Extensions,
    /// On managed instances: its workers, which run the invocations in place of `state`.
    workers: Option<RuntimeWorkers>,
    state: Mutex<State>,
    job_arrived: Notify,
    ready: watch::Sender<bool>,
    exit: watch::Sender<Option<Exit>>,
    kill: CancellationToken,
    /// Notified when the environment becomes idle.
    idle: Arc<Notify>,
}

impl ExecutionEnvironment {
    /// Returns the environment of a process that has just been started and is claimed for an
    /// invocation. Cancelling `kill` kills the process; `idle` is notified when it becomes idle.
    pub(super) fn new(
        id: u64,
        pid: Option<u32>,
        function: Function,
        output: Output,
        kill: CancellationToken,
        idle: Arc<Notify>,
    ) -> Self {
        Self {
            id,
            pid,
            workers: function.instances.map(|it| RuntimeWorkers::new(it.max_concurrency)),
            function,
            output,
            extensions: Extensions::default(),
            state: Mutex::new(State::Starting { polled: false, init_error: None }),
            job_arrived: Notify::new(),
            ready: watch::Sender::new(false),
            exit: watch::Sender::new(None),
            kill,
            idle,
        }
    }

    /// Waits until the process requests its first invocation.
    ///
    /// # Errors
    /// The process failed to initialize, exited, or took longer than `limit`.
    pub(super) async fn started(&self, limit: Duration) -> Result<(), StartFailure> {
        let mut ready = self.ready.subscribe();
        let mut exit = self.exit.subscribe();
        tokio::select! {
            biased;
            Ok(_) = ready.wait_for(|ready| *ready) => Ok(()),
            Ok(exit) = exit.wait_for(Option::is_some) => Err(match exit.clone() {
                Some(Exit { init_error: Some(report), .. }) => StartFailure::Reported(report),
                exit => StartFailure::Exited(exit.map(|exit| exit.status).unwrap_or_default()),
            }),
            () = tokio::time::sleep(limit) => Err(StartFailure::TooSlow),
        }
    }

    /// Hands an invocation to the process and returns the receiver of its outcome. The guard is
    /// dropped when the process and its extensions have finished, or when the process exits.
    pub(super) fn give(&self, job: Job, guard: InvocationGuard) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        if let Some(workers) = &self.workers {
            if self.exit.borrow().is_none() {
                workers.give(job, guard, answer);
            }
            return outcome;
        }
        let request_id = job.invocation.request_id.clone();
        self.extensions.notify(&json!({
            "eventType": "INVOKE",
            "deadlineMs": job.deadline_ms,
            "requestId": request_id,
            "invokedFunctionArn": self.function.arn,
        }));
        let mut state = self.state();
        if !matches!(*state, State::Exited) {
            *state = State::Working { request_id, job: Some(job), guard, answer };
        }
        drop(state);
        self.job_arrived.notify_one();
        outcome
    }

    /// Records that the process exited. Drops the invocation that it worked on.
    pub(super) fn record_exit(&self, status: String) {
        self.output.flush();
        let state = std::mem::replace(&mut *self.state(), State::Exited);
        let init_error = match state {
            State::Starting { init_error, .. } => init_error,
            _ => None,
        };
        self.exit.send_replace(Some(Exit { status, init_error }));
        if let Some(workers) = &self.workers {
            workers.stop();
        }
    }

    /// Waits until the process exits and returns its status.
    pub(super) async fn exited(&self) -> String {
        let mut exit = self.exit.subscribe();
        let exit = exit.wait_for(Option::is_some).await;
        exit.ok().and_then(|exit| exit.clone()).map(|exit| exit.status).unwrap_or_default()
    }

    /// Whether the process has exited or is being killed.
    fn is_over(&self) -> bool {
        self.exit.borrow().is_some() || self.kill.is_cancelled()
    }

    /// Kills the process (SIGKILL).
    pub(super) fn kill(&self) {
        self.kill.cancel();
    }

    /// Waits until the process is to be killed.
    pub(super) async fn kill_requested(&self) {
        self.kill.cancelled().await;
    }

    /// Returns how many invocations a process on managed instances runs.
    pub(super) fn running(&self) -> usize {
        self.workers.as_ref().map_or(0, RuntimeWorkers::running)
    }

    /// Claims the process for an invocation. Returns false unless it is idle, or on managed
    /// instances, unless one of its workers is.
    pub(super) fn claim(&self) -> bool {
        if let Some(workers) = &self.workers {
            return !self.is_over() && workers.claim();
        }
        let mut state = self.state();
        let free = matches!(*state, State::Idle(_)) && !self.is_over();
        if free {
            *state = State::Claimed;
        }
        free
    }

    /// Whether the process has answered and will shortly request the next one.
    pub(super) fn is_settling(&self) -> bool {
        let soon = match *self.state() {
            State::Answered { since, .. } => {
                !self.extensions.are_busy() || since.elapsed() < EXTENSION_GRACE
            }
            _ => false,
        };
        soon && !self.is_over()
    }

    /// Returns the time since which the process has been idle, if it is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        match *self.state() {
            State::Idle(since) => Some(since),
            _ => None,
        }
    }

    /// Returns the state's name for `/_local/state`.
    pub(super) fn state_name(&self) -> &'static str {
        match *self.state() {
            _ if self.running() > 0 => "working",
            State::Starting { .. } => "starting",
            State::Claimed if self.workers.is_some() => "idle",
            State::Claimed | State::Working { .. } => "working",
            State::Answered { .. } if self.extensions.are_busy() => "working",
            State::Answered { .. } | State::Idle(_) => "idle",
            State::Exited => "exited",
        }
    }

    /// Records that the runtime requests its next invocation, and waits until there is one. `None`:
    /// the process has exited.
    pub(super) async fn next(&self) -> Option<Job> {
        if let State::Starting { polled, .. } | State::Answered { polled, .. } = &mut *self.state()
        {
            *polled = true;
        }
        self.settle();
        if let Some(workers) = &self.workers {
            return workers.next().await;
        }
        loop {
            let arrived = self.job_arrived.notified();
            if let Some(job) = self.fetch_job() {
                return Some(job);
            }
            arrived.await;
        }
    }

    fn fetch_job(&self) -> Option<Job> {
        match &mut *self.state() {
            State::Working { job, .. } => job.take(),
            _ => None,
        }
    }

    /// Ends the initialization or the invocation, once the runtime and all extensions have
    /// requested their next event.
    pub(super) fn settle(&self) {
        if self.extensions.are_busy() {
            return;
        }
        let mut state = self.state();
        match &mut *state {
            State::Starting { polled: true, .. } => {
                *state = State::Claimed;
                self.ready.send_replace(true);
            }
            State::Answered { polled: true, .. } => *state = State::Idle(Instant::now()),
            State::Answered { guard, .. } => {
                guard.take();
                return;
            }
            _ => return,
        }
        drop(state);
        self.idle.notify_waiters();
    }

    /// Takes the process's outcome of an invocation. Returns false when the process does not work
    /// on that invocation.
    pub(super) fn finish(&self, request_id: &str, outcome: Outcome) -> bool {
        self.output.flush();
        if let Some(workers) = &self.workers {
            return workers.finish(request_id, outcome);
        }
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Claimed) {
            State::Working { request_id: own, guard, answer, .. } if own == request_id => {
                let guard = self.extensions.are_busy().then_some(guard);
                *state = State::Answered { polled: false, since: Instant::now(), guard };
                // The receiver is gone when the invocation has timed out.
                let _ = answer.send(outcome);
                true
            }
            other => {
                *state = other;
                false
            }
        }
    }

    /// Records an initialization error. The process is expected to exit.
    pub(super) fn record_init_error(&self, report: Bytes) {
        if let State::Starting { init_error, .. } = &mut *self.state() {
            *init_error = Some(report);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
