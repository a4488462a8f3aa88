//! Simulates Lambda for the consumer: asynchronous invocations with retries, timeout and
//! throttling, the rule's events, and the schedule of the health check.
//!
//! A failed invocation is retried after one and after two minutes; then its event goes to the
//! dead-letter queue. A throttled invocation is retried for hours with increasing back-off
//! (Lambda Developer Guide, asynchronous invocation).

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use relay::{Config, Outcome};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use crate::health_check;
use crate::host::SimHost;
use crate::state::World;
use crate::{config, request};

/// Interval of the health check.
const HEALTH_CHECK: Duration = Duration::from_secs(300);
/// Delays before the second and third attempt of a failed invocation.
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// Maximum back-off of a throttled invocation.
const THROTTLE_CAP: Duration = Duration::from_secs(300);

/// The reason for an invocation of the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// ACTIVE, or a direct start.
    Start,
    /// ENDED, or a direct stop.
    Stop,
    /// Self-invocation by the run of this epoch.
    Continue(u64),
}

/// A change of the simulation at a scheduled time.
pub type Action = Box<dyn FnOnce(&mut Lambda) + Send>;

#[derive(Debug, Clone, Copy)]
struct Invocation {
    call: Call,
    due: Instant,
    attempt: usize,
    throttles: u32,
}

#[derive(Debug)]
struct Sandbox {
    number: u64,
    invocation: Invocation,
    abort: tokio::task::AbortHandle,
    frozen: watch::Sender<bool>,
}

/// Simulates Lambda, EventBridge and the health check's schedule for one session.
#[derive(Debug)]
pub struct Lambda {
    /// The simulated services.
    pub world: Arc<World>,
    /// The configuration of all runs.
    pub config: Config,
    /// The function's timeout.
    pub timeout: Duration,
    /// Time from an invocation to the start of its run.
    pub cold_start: Duration,
    /// Maximum skew of a run's wall clock, ms.
    pub skew_ms: u64,
    /// Invocations are throttled until this time.
    pub throttled_until: Option<Instant>,
    /// Number of next attempts that fail before the run starts (failed init).
    pub failing_starts: u32,
    /// Outcomes of all runs that returned one.
    pub outcomes: Vec<Outcome>,
    /// Events that failed in every attempt.
    pub dead_lettered: Vec<Call>,
    waiting: Vec<Invocation>,
    sandboxes: HashMap<Id, Sandbox>,
    running: JoinSet<Result<Outcome, String>>,
    next_health_check: Instant,
    started: u64,
}

impl Lambda {
    /// Returns a platform for `world`, with the limits of AWS.
    pub fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            config: config(),
            timeout: Duration::from_secs(900),
            cold_start: Duration::from_millis(300),
            skew_ms: 0,
            throttled_until: None,
            failing_starts: 0,
            outcomes: Vec::new(),
            dead_lettered: Vec::new(),
            waiting: Vec::new(),
            sandboxes: HashMap::new(),
            running: JoinSet::new(),
            next_health_check: Instant::now() + HEALTH_CHECK,
            started: 0,
        }
    }

    /// Invokes the consumer asynchronously.
    pub fn invoke(&mut self, call: Call) {
        self.invoke_after(Duration::ZERO, call);
    }

    /// Invokes the consumer asynchronously after `delay`.
    pub fn invoke_after(&mut self, delay: Duration, call: Call) {
        self.waiting.push(Invocation {
            call,
            due: Instant::now() + delay,
            attempt: 0,
            throttles: 0,
        });
    }

    /// Kills all runs. Lambda retries their events.
    pub fn kill_all(&mut self) {
        for sandbox in self.sandboxes.values() {
            sandbox.abort.abort();
        }
    }

    /// Kills all runs and cancels their retries and all waiting invocations.
    pub fn kill_all_without_retry(&mut self) {
        for sandbox in self.sandboxes.values_mut() {
            sandbox.invocation.attempt = RETRIES.len();
            sandbox.abort.abort();
        }
        self.waiting.clear();
    }

    /// Kills the most recently started run.
    pub fn kill_newest(&mut self) {
        if let Some(sandbox) = self.sandboxes.values().max_by_key(|sandbox| sandbox.number) {
            sandbox.abort.abort();
        }
    }

    /// Suspends or resumes all runs. Their clocks continue while they are suspended.
    pub fn freeze_all(&mut self, frozen: bool) {
        for sandbox in self.sandboxes.values() {
            sandbox.frozen.send_replace(frozen);
        }
    }

    /// Runs the simulation, with the actions of `plan`, until the session has ended and no run is
    /// active, at most for `limit`.
    pub async fn run(&mut self, mut plan: Vec<(Duration, Action)>, limit: Duration) {
        plan.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let world = Arc::clone(&self.world);
        let begun = Instant::now();
        while begun.elapsed() < limit {
            let ended = world.state().table.item.as_ref().is_some_and(|item| item.ended);
            if ended && self.running.is_empty() && plan.is_empty() {
                break;
            }
            self.start_due_invocations();
            let action = plan.last().map(|(at, _)| begun + *at);
            let due = self.waiting.iter().map(|invocation| invocation.due).chain(action);
            let due = due.chain([self.next_health_check]).min().unwrap();
            tokio::select! {
                biased;
                Some(done) = self.running.join_next_with_id() => self.finished(done),
                () = world.continued.notified() => self.invoke_successors(),
                () = tokio::time::sleep_until(due) => {
                    while plan.last().is_some_and(|(at, _)| begun.elapsed() >= *at) {
                        let (_, action) = plan.pop().unwrap();
                        action(self);
                    }
                    if Instant::now() >= self.next_health_check {
                        self.next_health_check += HEALTH_CHECK;
                        for call in health_check::run(&world, &self.config).await {
                            self.invoke(call);
                        }
                    }
                }
            }
        }
        self.running.shutdown().await;
    }

    fn invoke_successors(&mut self) {
        let continuations = std::mem::take(&mut self.world.state().continuations);
        for continuation in continuations {
            self.invoke(Call::Continue(continuation.epoch));
        }
    }

    fn start_due_invocations(&mut self) {
        let now = Instant::now();
        let (due, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|i: &Invocation| i.due <= now);
        self.waiting = waiting;
        for mut invocation in due {
            if self.throttled_until.is_some_and(|until| now < until) {
                let wait = Duration::from_secs(1 << invocation.throttles.min(9)).min(THROTTLE_CAP);
                invocation.throttles += 1;
                invocation.due = now + wait;
                self.waiting.push(invocation);
            } else {
                self.start(invocation);
            }
        }
    }

    fn start(&mut self, invocation: Invocation) {
        self.started += 1;
        if self.failing_starts > 0 {
            self.failing_starts -= 1;
            self.retry(invocation);
            return;
        }
        let skew_ms = match self.skew_ms {
            0 => 0,
            most => {
                self.world.state().random.below(2 * most + 1).cast_signed() - most.cast_signed()
            }
        };
        let host = SimHost::new(&self.world, skew_ms);
        let (frozen, thaw) = watch::channel(false);
        let name = format!("run-{}", self.started);
        let run = run(host, self.config.clone(), invocation.call, name, self.timeout);
        let cold_start = self.cold_start;
        let abort = self.running.spawn(freezable(thaw, async move {
            tokio::time::sleep(cold_start).await;
            run.await
        }));
        self.sandboxes
            .insert(abort.id(), Sandbox { number: self.started, invocation, abort, frozen });
    }

    fn finished(&mut self, done: Result<(Id, Result<Outcome, String>), tokio::task::JoinError>) {
        let (id, outcome) = match done {
            Ok((id, outcome)) => (id, outcome.ok()),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(killed) => (killed.id(), None),
        };
        let sandbox = self.sandboxes.remove(&id).unwrap();
        match outcome {
            Some(outcome) => self.outcomes.push(outcome),
            None => self.retry(sandbox.invocation),
        }
        self.invoke_successors();
    }

    fn retry(&mut self, mut invocation: Invocation) {
        match RETRIES.get(invocation.attempt) {
            Some(wait) => {
                invocation.attempt += 1;
                invocation.due = Instant::now() + *wait;
                self.waiting.push(invocation);
            }
            None => self.dead_lettered.push(invocation.call),
        }
    }
}

/// Runs one attempt until it returns, is killed, or times out.
async fn run(
    host: SimHost,
    config: Config,
    call: Call,
    name: String,
    timeout: Duration,
) -> Result<Outcome, String> {
    let request = request(&name, timeout);
    let run = async {
        match call {
            Call::Start => host.relay(&config).start(request).await,
            Call::Stop => host.relay(&config).stop(request).await,
            Call::Continue(epoch) => host.relay(&config).resume(request, epoch).await,
        }
    };
    tokio::select! {
        report = run => report.map(|report| report.outcome).map_err(|error| error.to_string()),
        () = host.killed() => Err("killed".to_owned()),
        () = tokio::time::sleep(timeout) => Err("timed out".to_owned()),
    }
}

/// Wraps `future` so that it is not polled while `frozen` is true.
async fn freezable<F: Future>(mut frozen: watch::Receiver<bool>, future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let until_frozen = async {
            // After the sender is dropped, the future is never frozen again.
            if frozen.wait_for(|frozen| *frozen).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = until_frozen => {}
            output = poll_fn(|context| -> Poll<F::Output> { future.as_mut().poll(context) }) => return output,
        }
        let _ = frozen.wait_for(|frozen| !*frozen).await;
    }
}
