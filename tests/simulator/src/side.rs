//! What one run is given, and where it is killed.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use relay::ports::{
    Continuation, DeadLetter, DeadLetters, Listeners, MetricsSink, Ports, SelfInvoker,
};
use relay::{Clock, Snapshot};
use session::{ErrorKind, PortError, SessionId};
use tokio::sync::Notify;

use crate::clock::WorldClock;
use crate::odds::Luck;
use crate::state::{EndNotice, State, World};

/// What a step does besides its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The run dies before the effect.
    KillBefore,
    /// The run dies after the effect, before it hears of it.
    KillAfter,
}

/// One run's view of the world. Every call to a port is a step.
#[derive(Clone)]
pub struct Side {
    pub(crate) world: Arc<World>,
    clock: WorldClock,
    death: Arc<Death>,
}

#[derive(Default)]
struct Death {
    dead: AtomicBool,
    told: Notify,
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Side {
    /// A side whose wall clock is wrong by `skew_ms`.
    pub fn new(world: &Arc<World>, skew_ms: i64) -> Self {
        let clock = world.clock.skewed(skew_ms);
        Self { world: Arc::clone(world), clock, death: Arc::default() }
    }

    /// Resolves once a fault killed this run.
    pub async fn killed(&self) {
        while !self.death.dead.load(Ordering::Relaxed) {
            self.death.told.notified().await;
        }
    }

    pub(crate) async fn step(&self, when: Fault) {
        // Others run between any two steps.
        tokio::task::yield_now().await;
        let dies = {
            let mut state = self.world.state();
            if when == Fault::KillBefore {
                state.steps += 1;
            }
            state.kill == Some((state.steps, when))
        };
        if dies {
            self.death.dead.store(true, Ordering::Relaxed);
            self.death.told.notify_one();
            pending::<()>().await;
        }
    }

    /// One call: before, the effect `latency_ms` later whether or not the caller is still there,
    /// after.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        latency_ms: u64,
        effect: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> T {
        self.step(Fault::KillBefore).await;
        let world = Arc::clone(&self.world);
        let effect = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
            effect(&mut world.state())
        });
        let output = effect.await.unwrap();
        self.step(Fault::KillAfter).await;
        output
    }
}

/// The error that a table or queue answers when it is not well.
pub(crate) fn throttled() -> PortError {
    PortError::new("UpdateItem", ErrorKind::Throttled, "throttled")
}

impl Ports for Side {
    type Clock = WorldClock;
    type Leases = Self;
    type Media = Self;
    type Processor = Self;
    type DeadLetters = Self;
    type Sessions = Self;
    type Listeners = Self;
    type SelfInvoker = Self;
    type Metrics = Self;

    fn clock(&self) -> &WorldClock {
        &self.clock
    }
    fn random(&self) -> f64 {
        f64::from(u32::try_from(self.world.state().random.below(1000)).unwrap()) / 1000.0
    }
    fn leases(&self) -> &Self {
        self
    }
    fn media(&self) -> &Self {
        self
    }
    fn processor(&self) -> &Self {
        self
    }
    fn dead_letters(&self) -> &Self {
        self
    }
    fn sessions(&self) -> &Self {
        self
    }
    fn listeners(&self) -> &Self {
        self
    }
    fn self_invoker(&self) -> &Self {
        self
    }
    fn metrics(&self) -> &Self {
        self
    }
}

impl DeadLetters for Side {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        let letter = letter.clone();
        self.call(5, |state| state.letters.push(letter)).await;
        Ok(())
    }
}

impl Listeners for Side {
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

impl SelfInvoker for Side {
    async fn invoke_next(&self, continuation: &Continuation) -> Result<(), PortError> {
        let luck = self.world.luck(|state| state.link_odds);
        if luck == Luck::Refused {
            return Err(throttled());
        }
        let continuation = continuation.clone();
        let answer = self.call(5, move |state| {
            if state.link_errors > 0 {
                state.link_errors -= 1;
                return Err(throttled());
            }
            if state.links_lost > 0 {
                state.links_lost -= 1;
            } else {
                state.links.push(continuation);
            }
            Ok(())
        });
        let answer = answer.await;
        self.world.linked.notify_one();
        match luck {
            Luck::Lost => Err(throttled()),
            Luck::Silent => pending().await,
            Luck::Good | Luck::Refused => answer,
        }
    }
}

impl MetricsSink for Side {
    fn emit(&self, _: &SessionId, snapshot: &Snapshot) {
        self.world.state().snapshots.push(snapshot.clone());
    }
}
