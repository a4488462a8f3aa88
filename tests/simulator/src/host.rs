//! The environment of one run, and the points at which it is killed.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use relay::ports::{
    Continuation, DeadLetter, DeadLetterQueue, EndNotices, MetricsSink, Ports, SelfInvoker,
};
use relay::{Config, Relay, Snapshot};
use session::ports::{Clock, Random, Tracer};
use session::{ErrorKind, PortError, SessionId};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::SimClock;
use crate::fault_rates::CallOutcome;
use crate::state::{EndNotice, State, World};

/// The point within a step at which a run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillPoint {
    /// Before the call takes effect.
    Before,
    /// After the call took effect, before its answer arrives.
    After,
}

/// The environment of one run: its ports and its clock. Every call to a port is a step.
#[derive(Clone)]
pub struct SimHost {
    pub(crate) world: Arc<World>,
    clock: SimClock,
    kill: Arc<Kill>,
}

#[derive(Default)]
struct Kill {
    done: AtomicBool,
    notify: Notify,
}

impl fmt::Debug for SimHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimHost").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl SimHost {
    /// Returns a host whose wall clock is off by `skew_ms`.
    pub fn new(world: &Arc<World>, skew_ms: i64) -> Self {
        let clock = world.clock.skewed(skew_ms);
        Self { world: Arc::clone(world), clock, kill: Arc::default() }
    }

    /// Resolves when this run is killed.
    pub async fn killed(&self) {
        while !self.kill.done.load(Ordering::Relaxed) {
            self.kill.notify.notified().await;
        }
    }

    pub(crate) async fn step(&self, when: KillPoint) {
        // Lets other tasks run between any two steps.
        tokio::task::yield_now().await;
        let crashes = {
            let mut state = self.world.state();
            if when == KillPoint::Before {
                state.steps += 1;
            }
            state.kill == Some((state.steps, when))
        };
        if crashes {
            self.kill.done.store(true, Ordering::Relaxed);
            self.kill.notify.notify_one();
            pending::<()>().await;
        }
    }

    /// Makes one call. `effect` happens after `latency_ms`, even if the caller is killed meanwhile.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        latency_ms: u64,
        effect: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> T {
        self.step(KillPoint::Before).await;
        let world = Arc::clone(&self.world);
        let effect = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
            effect(&mut world.state())
        });
        let output = effect.await.unwrap();
        self.step(KillPoint::After).await;
        output
    }
}

/// Returns the error of a throttled table or queue.
pub(crate) fn throttled() -> PortError {
    PortError::new("UpdateItem", ErrorKind::Throttled, "throttled")
}

impl SimHost {
    /// Returns the relay of this host's runs.
    pub fn relay<'a>(&'a self, config: &'a Config) -> Relay<'a, Self> {
        Relay {
            config,
            ctx: self,
            leases: self,
            media: self,
            processor: self,
            dead_letters: self,
            sessions: self,
            listeners: self,
            self_invoker: self,
            metrics: self,
        }
    }
}

impl Ports for SimHost {
    type Context = Self;
    type Leases = Self;
    type Media = Self;
    type Processor = Self;
    type DeadLetters = Self;
    type Sessions = Self;
    type Listeners = Self;
    type SelfInvoker = Self;
    type Metrics = Self;
}

impl Clock for SimHost {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }
}

impl Random for SimHost {
    fn next_u64(&self) -> u64 {
        self.world.state().random.below(u64::MAX)
    }
}

impl Tracer for SimHost {}

impl DeadLetterQueue for SimHost {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        let letter = letter.clone();
        self.call(5, |state| state.letters.push(letter)).await;
        Ok(())
    }
}

impl EndNotices for SimHost {
    async fn notify_ended(&self, _: &SessionId, limit: Duration) {
        let (at, slow) = (self.world.elapsed(), self.world.state().listeners_hang);
        self.call(5, move |state| {
            let ended = state.table.item.as_ref().is_some_and(|item| item.ended);
            let accepted = state.processor.accepted.len() as u64;
            state.end_notices.push(EndNotice { at, accepted, ended });
        })
        .await;
        if slow {
            self.clock.sleep(limit).await;
        }
    }
}

impl SelfInvoker for SimHost {
    async fn invoke_next(&self, continuation: &Continuation) -> Result<(), PortError> {
        let outcome = self.world.outcome(|state| state.self_invoke_rates);
        if outcome == CallOutcome::Refused {
            return Err(throttled());
        }
        let continuation = continuation.clone();
        let answer = self.call(5, move |state| {
            if state.failing_self_invokes > 0 {
                state.failing_self_invokes -= 1;
                return Err(throttled());
            }
            if state.lost_self_invokes > 0 {
                state.lost_self_invokes -= 1;
            } else {
                state.continuations.push(continuation);
            }
            Ok(())
        });
        let answer = answer.await;
        self.world.continued.notify_one();
        match outcome {
            CallOutcome::AnswerLost => Err(throttled()),
            CallOutcome::Unanswered => pending().await,
            CallOutcome::Answered | CallOutcome::Refused => answer,
        }
    }
}

impl MetricsSink for SimHost {
    fn emit(&self, _: &SessionId, snapshot: &Snapshot) {
        self.world.state().snapshots.push(snapshot.clone());
    }
}
