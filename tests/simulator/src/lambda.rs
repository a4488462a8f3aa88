//! The platform that runs consumers: asynchronous invocations with Lambda's retries and timeout,
//! throttling, the rule's events and the health check's restarts.
//!
//! A function error is tried again after one and after two minutes, then its event is in the
//! dead-letter queue; a throttled invocation is tried again for hours, each time later
//! (docs of asynchronous invocation).

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
use crate::side::Side;
use crate::state::World;
use crate::{config, request};

/// Between two health checks.
const HEALTH_CHECK: Duration = Duration::from_secs(300);
/// Waits before the second and third attempt at a failed event.
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// Longest wait for another try at a throttled invocation.
const THROTTLE_CAP: Duration = Duration::from_secs(300);

/// What the consumer is invoked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// ACTIVE, or a direct start.
    Start,
    /// ENDED, or a direct stop.
    Stop,
    /// The next link of this epoch.
    Continue(u64),
}

/// Something that happens at a time of its own.
pub type Happening = Box<dyn FnOnce(&mut Lambda) + Send>;

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

/// Lambda, EventBridge and the schedule, for one session.
#[derive(Debug)]
pub struct Lambda {
    /// The world they act in.
    pub world: Arc<World>,
    /// What runs go by.
    pub config: Config,
    /// The function's timeout.
    pub timeout: Duration,
    /// From an invocation to its first line of code.
    pub cold_start: Duration,
    /// Wall clocks of runs are wrong by up to this much, ms.
    pub skew_ms: u64,
    /// No invocation starts before.
    pub throttled_until: Option<Instant>,
    /// Attempts that fail before they do anything (a sandbox that dies at once).
    pub stillborn: u32,
    /// Outcomes of all runs that came to one.
    pub outcomes: Vec<Outcome>,
    /// Events whose every attempt failed.
    pub dead: Vec<Call>,
    waiting: Vec<Invocation>,
    sandboxes: HashMap<Id, Sandbox>,
    running: JoinSet<Result<Outcome, String>>,
    next_health_check: Instant,
    started: u64,
}

impl Lambda {
    /// The platform of `world`, with the figures of AWS.
    pub fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            config: config(),
            timeout: Duration::from_secs(900),
            cold_start: Duration::from_millis(300),
            skew_ms: 0,
            throttled_until: None,
            stillborn: 0,
            outcomes: Vec::new(),
            dead: Vec::new(),
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

    /// Invokes the consumer asynchronously, some time from now.
    pub fn invoke_after(&mut self, delay: Duration, call: Call) {
        self.waiting.push(Invocation {
            call,
            due: Instant::now() + delay,
            attempt: 0,
            throttles: 0,
        });
    }

    /// Kills whatever runs. Lambda sees a crash and tries the event again.
    pub fn kill_all(&mut self) {
        for sandbox in self.sandboxes.values() {
            sandbox.abort.abort();
        }
    }

    /// Kills whatever runs, and the attempts that Lambda would make instead.
    pub fn kill_all_for_good(&mut self) {
        for sandbox in self.sandboxes.values_mut() {
            sandbox.invocation.attempt = RETRIES.len();
            sandbox.abort.abort();
        }
        self.waiting.clear();
    }

    /// Kills the run that was started last.
    pub fn kill_newest(&mut self) {
        if let Some(sandbox) = self.sandboxes.values().max_by_key(|sandbox| sandbox.number) {
            sandbox.abort.abort();
        }
    }

    /// Stops whatever runs in its tracks, or lets it go on: its clocks run on meanwhile.
    pub fn freeze_all(&mut self, frozen: bool) {
        for sandbox in self.sandboxes.values() {
            sandbox.frozen.send_replace(frozen);
        }
    }

    /// Lives until the session is over and nothing runs any more, at most `limit`.
    pub async fn live(&mut self, mut plan: Vec<(Duration, Happening)>, limit: Duration) {
        plan.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let world = Arc::clone(&self.world);
        let begun = Instant::now();
        while begun.elapsed() < limit {
            let ended = world.state().table.item.as_ref().is_some_and(|item| item.ended);
            if ended && self.running.is_empty() && plan.is_empty() {
                break;
            }
            self.start_what_is_due();
            let happening = plan.last().map(|(at, _)| begun + *at);
            let due = self.waiting.iter().map(|invocation| invocation.due).chain(happening);
            let due = due.chain([self.next_health_check]).min().unwrap();
            tokio::select! {
                biased;
                Some(done) = self.running.join_next_with_id() => self.finished(done),
                () = world.linked.notified() => self.follow_links(),
                () = tokio::time::sleep_until(due) => {
                    while plan.last().is_some_and(|(at, _)| begun.elapsed() >= *at) {
                        let (_, happening) = plan.pop().unwrap();
                        happening(self);
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

    fn follow_links(&mut self) {
        let links = std::mem::take(&mut self.world.state().links);
        for link in links {
            self.invoke(Call::Continue(link.epoch));
        }
    }

    fn start_what_is_due(&mut self) {
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
        if self.stillborn > 0 {
            self.stillborn -= 1;
            self.try_again(invocation);
            return;
        }
        let skew_ms = match self.skew_ms {
            0 => 0,
            most => {
                self.world.state().random.below(2 * most + 1).cast_signed() - most.cast_signed()
            }
        };
        let side = Side::new(&self.world, skew_ms);
        let (frozen, thaw) = watch::channel(false);
        let name = format!("run-{}", self.started);
        let run = run(side, self.config.clone(), invocation.call, name, self.timeout);
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
            None => self.try_again(sandbox.invocation),
        }
        self.follow_links();
    }

    fn try_again(&mut self, mut invocation: Invocation) {
        match RETRIES.get(invocation.attempt) {
            Some(wait) => {
                invocation.attempt += 1;
                invocation.due = Instant::now() + *wait;
                self.waiting.push(invocation);
            }
            None => self.dead.push(invocation.call),
        }
    }
}

/// One attempt, to its end or to the timeout.
async fn run(
    side: Side,
    config: Config,
    call: Call,
    name: String,
    timeout: Duration,
) -> Result<Outcome, String> {
    let request = request(&name, timeout);
    let run = async {
        match call {
            Call::Start => relay::start(&side, &config, request).await,
            Call::Stop => relay::stop(&side, &config, request).await,
            Call::Continue(epoch) => relay::resume(&side, &config, request, epoch).await,
        }
    };
    tokio::select! {
        report = run => report.map(|report| report.outcome).map_err(|error| error.to_string()),
        () = side.killed() => Err("killed".to_owned()),
        () = tokio::time::sleep(timeout) => Err("timed out".to_owned()),
    }
}

/// `future`, which does nothing while `frozen` says so.
async fn freezable<F: Future>(mut frozen: watch::Receiver<bool>, future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let until_frozen = async {
            // A dropped sender freezes nothing any more.
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
