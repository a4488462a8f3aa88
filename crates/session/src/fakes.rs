//! A small AWS for the tests of the use cases: a table, a KVS control plane and a bus in one world
//! with virtual time, in which any call can be made to fail in each way that calls fail.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use serde_json::Value;

use crate::{
    Call, Done, Error, ErrorKind, IdempotencyKey, NewSession, Notice, PortError, Remembered,
    RequestId, Session, SessionId, SessionService, SessionStatus, Settings, StreamItem, Tags,
    event::StatusChange,
    ports::{Clock, Journal, Listener, Ports, Random},
    reconcile::DeadLetterScan,
};

mod audience;
mod aws;
mod reconcile;
pub(crate) use reconcile::UNREADABLE;

/// When the world begins, Unix ms.
pub(crate) const EPOCH_MS: u64 = 1_732_540_620_000;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Refused without effect.
    Refused(ErrorKind),
    /// It has its effect, but the answer is an error.
    AnswerLost,
    /// The first answer is lost and the SDK repeats the call: two effects, the second's answer.
    Repeated,
    /// It has no effect and never answers.
    Hangs,
    /// It has its effect and never answers.
    HangsAfterEffect,
    /// It never answers, and has its effect five seconds later.
    LateEffect,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) operation: &'static str,
    /// 0 is the first call of the operation.
    pub(crate) first: usize,
    /// How many in a row.
    pub(crate) count: usize,
    pub(crate) trouble: Trouble,
}

#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) tags: Option<Tags>,
    /// When it becomes ACTIVE.
    pub(crate) active_at: Duration,
    pub(crate) retention_hours: u32,
    pub(crate) mapped_to: Option<String>,
    /// When a mapping that was taken off no longer keeps it from being deleted.
    unmapped_at: Option<Duration>,
}

type Late = Box<dyn FnOnce(&mut State) + Send>;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) now: Duration,
    sleepers: Vec<(Duration, Waker)>,
    late: Vec<(Duration, Late)>,
    random: u64,
    pub(crate) plans: Vec<Plan>,
    pub(crate) calls: Vec<(&'static str, Duration)>,
    pub(crate) items: BTreeMap<SessionId, Session>,
    /// Places taken, by speaker.
    pub(crate) places: BTreeMap<String, BTreeSet<SessionId>>,
    pub(crate) requests: BTreeMap<RequestId, Remembered>,
    /// What consumers were told.
    pub(crate) settings: BTreeMap<SessionId, (Settings, SessionStatus)>,
    pub(crate) channels: HashMap<String, Resource>,
    pub(crate) streams: HashMap<String, Resource>,
    /// Who listens: by session, in the index's order.
    pub(crate) listeners: BTreeMap<SessionId, BTreeSet<Listener>>,
    /// Connections that are gone.
    pub(crate) gone: BTreeSet<String>,
    /// Connections that never take a message.
    pub(crate) hanging: BTreeSet<String>,
    /// What each connection was told.
    pub(crate) heard: BTreeMap<String, Vec<Value>>,
    /// There is no endpoint to tell anybody through.
    pub(crate) mute: bool,
    /// Posts under way, and the most there ever were.
    pub(crate) posting: (usize, usize),
    /// Details and trace headers that the bus took.
    pub(crate) events: Vec<(StatusChange, Option<String>)>,
    /// The notices' texts, and the events' details.
    pub(crate) lines: Vec<(String, Option<String>)>,
    pub(crate) metrics: Vec<(&'static str, f64)>,
    /// The Streams table, and the items of it that were let go.
    pub(crate) stream_items: BTreeMap<SessionId, StreamItem>,
    pub(crate) expiring: Vec<SessionId>,
    /// What the dead-letter queues hold.
    pub(crate) letters: DeadLetterScan,
    /// Invocations of the consumer, and whether Lambda refuses more.
    pub(crate) invoked: Vec<(SessionId, &'static str)>,
    pub(crate) is_throttled: bool,
    pub(crate) active_after: Duration,
    /// How long a mapping that was taken off still keeps channel and stream from being deleted.
    pub(crate) unmapped_after: Duration,
}

/// The world; clones are the same world.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

pub(crate) type FakeService = SessionService<World>;

/// What the handler does with a POST: it answers, and finishes.
pub(crate) async fn open(
    service: &FakeService,
    new: &NewSession,
    key: Option<&IdempotencyKey>,
    call: &Call,
) -> Result<Session, Error> {
    finished(service, service.create(new, key, call).await?).await
}

/// What the handler does with anything: it answers, and finishes.
pub(crate) async fn finished<T>(service: &FakeService, done: Done<T>) -> Result<T, Error> {
    if let Some(follow_up) = done.follow_up {
        service.finish(follow_up).await;
    }
    Ok(done.answer)
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self::default();
        world.state().active_after = Duration::from_millis(600);
        world
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn service(&self) -> FakeService {
        SessionService {
            sessions: self.clone(),
            media: self.clone(),
            events: self.clone(),
            listeners: self.clone(),
            around: self.clone(),
            env: "test".to_owned(),
            stream_retention_hours: 24,
            most_sessions: 3,
        }
    }

    pub(crate) fn plan(&self, operation: &'static str, first: usize, trouble: Trouble) {
        self.state().plans.push(Plan { operation, first, count: 1, trouble });
    }

    pub(crate) fn plan_all(&self, operation: &'static str, trouble: Trouble) {
        self.state().plans.push(Plan { operation, first: 0, count: usize::MAX, trouble });
    }

    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.state().calls.iter().filter(|(name, _)| *name == operation).count()
    }

    pub(crate) fn has_line(&self, start: &str) -> bool {
        self.state().lines.iter().any(|(line, _)| line.starts_with(start))
    }

    pub(crate) fn count(&self, metric: &str) -> usize {
        self.state().metrics.iter().filter(|(name, _)| *name == metric).count()
    }

    /// Runs a future to its end. When it only waits for time, time jumps.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let Some(value) = self.run_for(future, usize::MAX) else { unreachable!() };
        value
    }

    /// Runs a future until `calls` calls were begun, and then drops it: a crash.
    pub(crate) fn run_for<T>(&self, future: impl Future<Output = T>, calls: usize) -> Option<T> {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                    return Some(value);
                }
                if self.state().calls.len() >= calls {
                    return None;
                }
            }
            self.pass_time();
        }
    }

    /// Jumps to the next moment at which something happens.
    fn pass_time(&self) {
        let mut state = self.state();
        let wakes = state.sleepers.iter().map(|(at, _)| *at);
        let effects = state.late.iter().map(|(at, _)| *at);
        let next = wakes.chain(effects).min().expect("everything waits for nothing");
        state.now = state.now.max(next);
        let now = state.now;
        let (due, later): (Vec<_>, Vec<_>) =
            state.sleepers.drain(..).partition(|(at, _)| *at <= now);
        state.sleepers = later;
        let (effects, later): (Vec<_>, Vec<_>) =
            state.late.drain(..).partition(|(at, _)| *at <= now);
        state.late = later;
        for (_, effect) in effects {
            effect(&mut state);
            state.check_that_everything_can_be_found();
        }
        drop(state);
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// Lets everything that is still under way take its effect.
    pub(crate) fn let_time_pass(&self) {
        let mut state = self.state();
        for (at, effect) in std::mem::take(&mut state.late) {
            state.now = state.now.max(at);
            effect(&mut state);
            state.check_that_everything_can_be_found();
        }
    }

    /// One call: records it, yields once, and then takes effect or fails as planned.
    async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        effect: impl Fn(&mut State) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let trouble = {
            let mut state = self.state();
            let number = state.calls.iter().filter(|(name, _)| *name == operation).count();
            let now = state.now;
            state.calls.push((operation, now));
            let hit = |plan: &&Plan| {
                plan.operation == operation
                    && number >= plan.first
                    && number - plan.first < plan.count
            };
            state.plans.iter().find(hit).map(|plan| plan.trouble)
        };
        // A call takes a millisecond, so that a crash can fall into it.
        self.sleep(Duration::from_millis(1)).await;
        let lost = || PortError::new(operation, ErrorKind::Unavailable, "answer lost");
        match trouble {
            None => self.apply(&effect),
            Some(Trouble::Refused(kind)) => Err(PortError::new(operation, kind, "planned")),
            Some(Trouble::AnswerLost) => self.apply(&effect).and_then(|_| Err(lost())),
            Some(Trouble::Repeated) => {
                let _ = self.apply(&effect);
                self.apply(&effect)
            }
            Some(Trouble::Hangs) => self.hang().await,
            Some(Trouble::HangsAfterEffect) => {
                let _ = self.apply(&effect);
                self.hang().await
            }
            Some(Trouble::LateEffect) => {
                self.apply_later(Box::new(move |state| drop(effect(state))));
                self.hang().await
            }
        }
    }

    fn apply<T>(
        &self,
        effect: &impl Fn(&mut State) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let mut state = self.state();
        let result = effect(&mut state);
        state.check_that_everything_can_be_found();
        result
    }

    fn apply_later(&self, effect: Late) {
        let mut state = self.state();
        let at = state.now + Duration::from_secs(5);
        state.late.push((at, effect));
    }

    async fn hang<T>(&self) -> T {
        std::future::pending().await
    }
}

impl State {
    /// The invariant of the saga: at every moment, what exists has an item by which it is found.
    fn check_that_everything_can_be_found(&self) {
        for resource in self.channels.values().chain(self.streams.values()) {
            if let Some(tags) = &resource.tags {
                assert!(
                    self.items.contains_key(&tags.session_id),
                    "{} exists, but no item leads to it",
                    resource.name
                );
            }
        }
    }
}

impl Ports for World {
    type Sessions = Self;
    type Media = Self;
    type Events = Self;
    type Listeners = Self;
    type Surroundings = Self;
}

impl Clock for World {
    fn now_ms(&self) -> u64 {
        EPOCH_MS + u64::try_from(self.state().now.as_millis()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.state().now
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.state().now + duration;
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.now >= until {
                return Poll::Ready(());
            }
            state.sleepers.push((until, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl Random for World {
    fn next_u64(&self) -> u64 {
        let mut state = self.state();
        state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (state.random ^ (state.random >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}

impl Journal for World {
    fn note(&self, notice: &Notice<'_>) {
        let mut state = self.state();
        state.lines.push((notice.to_string(), notice.event_detail().map(ToOwned::to_owned)));
        let metrics = notice.metrics();
        state.metrics.extend(metrics.into_iter().map(|(metric, value)| (metric.name, value)));
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
