//! An in-memory AWS for tests of the use cases: tables, a KVS control plane and an event bus, with
//! virtual time and injected failures of every call.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    pin::pin,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Call, Completed, DomainEvent, Error, ErrorKind, IdempotencyKey, IdempotencyRecord, NewSession,
    PairRules, PortError, RequestId, Session, SessionId, SessionService, SessionStatus, Settings,
    StreamItem, Tags, WarmPair,
    event::StatusChange,
    ports::{Clock, Listener, Ports, Random, Telemetry, Tracer},
    reconcile::DeadLetterScan,
};

mod listeners;
mod media;
mod pairs;
mod reconcile;
mod sessions;
pub(crate) use pairs::keeping;
pub(crate) use reconcile::UNREADABLE;

/// Start of virtual time, Unix ms.
pub(crate) const EPOCH_MS: u64 = 1_732_540_620_000;

/// An injected failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Rejected without effect.
    Refused(ErrorKind),
    /// Takes effect, but returns an error.
    AnswerLost,
    /// The first response is lost and the SDK retries the call: two effects, the response of the
    /// second.
    Repeated,
    /// Has no effect and never returns.
    Hangs,
    /// Takes effect and never returns.
    HangsAfterEffect,
    /// Never returns, and takes effect five seconds later.
    LateEffect,
}

/// The calls that fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedFailure {
    pub(crate) operation: &'static str,
    /// Index of the first failing call of the operation, from 0.
    pub(crate) first: usize,
    /// Number of consecutive failures.
    pub(crate) count: usize,
    pub(crate) trouble: Trouble,
}

#[derive(Clone, Debug)]
pub(crate) struct FakeResource {
    pub(crate) name: String,
    pub(crate) tags: Option<Tags>,
    pub(crate) created_at: Duration,
    /// Time at which it becomes ACTIVE.
    pub(crate) active_at: Duration,
    pub(crate) retention_hours: u32,
    pub(crate) mapped_to: Option<String>,
    /// Time after which a removed mapping no longer prevents deletion.
    unmapped_at: Option<Duration>,
}

type Late = Box<dyn FnOnce(&mut State) + Send>;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) now: Duration,
    sleepers: Vec<(Duration, Waker)>,
    late: Vec<(Duration, Late)>,
    random: u64,
    pub(crate) plans: Vec<PlannedFailure>,
    pub(crate) calls: Vec<(&'static str, Duration)>,
    pub(crate) items: BTreeMap<SessionId, Session>,
    lost_items: BTreeSet<SessionId>,
    /// Session slots in use, by speaker.
    pub(crate) session_slots: BTreeMap<String, BTreeSet<SessionId>>,
    pub(crate) requests: BTreeMap<RequestId, IdempotencyRecord>,
    /// Warm pairs by slot.
    pub(crate) pairs: BTreeMap<u32, WarmPair>,
    /// Settings and status written for consumers.
    pub(crate) settings: BTreeMap<SessionId, (Settings, SessionStatus)>,
    pub(crate) channels: HashMap<String, FakeResource>,
    pub(crate) streams: HashMap<String, FakeResource>,
    /// Listeners by session, in the index's order.
    pub(crate) listeners: BTreeMap<SessionId, BTreeSet<Listener>>,
    /// Connections that no longer exist.
    pub(crate) gone: BTreeSet<String>,
    /// Connections that never accept a message.
    pub(crate) hanging: BTreeSet<String>,
    /// Messages sent to each connection.
    pub(crate) messages: BTreeMap<String, Vec<Value>>,
    /// Whether there is no WebSocket endpoint to send messages through.
    pub(crate) mute: bool,
    /// Current and maximum number of concurrent posts.
    pub(crate) posting: (usize, usize),
    /// Details and trace headers that the bus accepted.
    pub(crate) events: Vec<(StatusChange, Option<String>)>,
    /// The log messages of the domain events, and the events' details.
    pub(crate) lines: Vec<(String, Option<String>)>,
    pub(crate) metrics: Vec<(&'static str, f64)>,
    /// Items of the Streams table, and the items that were set to expire.
    pub(crate) stream_items: BTreeMap<SessionId, StreamItem>,
    pub(crate) expiring: Vec<SessionId>,
    /// Contents of the dead-letter queues.
    pub(crate) letters: DeadLetterScan,
    /// Invocations of the consumer, and whether Lambda throttles further ones.
    pub(crate) invoked: Vec<(SessionId, &'static str)>,
    pub(crate) is_throttled: bool,
    pub(crate) active_after: Duration,
    /// How long a removed mapping still prevents deletion of its channel and stream.
    pub(crate) unmapped_after: Duration,
}

/// The instant at which every world's time is zero.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The fake AWS; clones share one state.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

pub(crate) type FakeService = SessionService<World>;

/// Runs a POST as the handler does, with its post-response work.
pub(crate) async fn open(
    service: &FakeService,
    new: &NewSession,
    key: Option<&IdempotencyKey>,
    call: &Call,
) -> Result<Session, Error> {
    finished(service, service.create(new, key, call).await?).await
}

/// Runs the post-response work and returns the response, as the handler does.
pub(crate) async fn finished<T>(service: &FakeService, done: Completed<T>) -> Result<T, Error> {
    if let Some(post_response) = done.post_response {
        service.run_post_response(post_response).await;
    }
    Ok(done.response)
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
            ctx: self.clone(),
            env: "test".to_owned(),
            stream_retention_hours: 24,
            max_sessions: 3,
            max_session: Duration::from_secs(12 * 3_600),
            pairs: PairRules::scaled(0, 24, None, 1.0),
        }
    }

    pub(crate) fn plan(&self, operation: &'static str, first: usize, trouble: Trouble) {
        self.state().plans.push(PlannedFailure { operation, first, count: 1, trouble });
    }

    pub(crate) fn plan_all(&self, operation: &'static str, trouble: Trouble) {
        self.state().plans.push(PlannedFailure { operation, first: 0, count: usize::MAX, trouble });
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

    /// Runs a future to completion. Virtual time advances when the future only waits for time.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let Some(value) = self.run_for(future, usize::MAX) else { unreachable!() };
        value
    }

    /// Runs a future until `calls` calls have started, and then drops it to simulate a crash.
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

    /// Advances virtual time to the next event.
    fn pass_time(&self) {
        let mut state = self.state();
        let wakes = state.sleepers.iter().map(|(at, _)| *at);
        let effects = state.late.iter().map(|(at, _)| *at);
        let next = wakes.chain(effects).min().expect("no future waits for time");
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
            state.assert_resources_have_items();
        }
        drop(state);
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// Applies all delayed effects.
    pub(crate) fn let_time_pass(&self) {
        let mut state = self.state();
        for (at, effect) in std::mem::take(&mut state.late) {
            state.now = state.now.max(at);
            effect(&mut state);
            state.assert_resources_have_items();
        }
    }

    /// Performs one call: records it, yields once, and then takes effect or fails as planned.
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
            let hit = |plan: &&PlannedFailure| {
                plan.operation == operation
                    && number >= plan.first
                    && number - plan.first < plan.count
            };
            state.plans.iter().find(hit).map(|plan| plan.trouble)
        };
        // A call takes a millisecond, so that a crash can happen during it.
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
        state.assert_resources_have_items();
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
    /// Removes the item of a session, as the loss of a table does.
    pub(crate) fn lose_item(&mut self, id: &SessionId) {
        self.items.remove(id);
        self.lost_items.insert(id.clone());
    }

    /// Asserts the invariant of the saga: at every moment, each resource has an item through which
    /// it is found: its session's, or that of a warm pair.
    fn assert_resources_have_items(&self) {
        for resource in self.channels.values().chain(self.streams.values()) {
            if let Some(tags) = &resource.tags {
                let id = &tags.session_id;
                assert!(
                    self.items.contains_key(id)
                        || self.lost_items.contains(id)
                        || self.pairs.values().any(|pair| pair.session_id == *id),
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
    type Context = Self;
}

impl Clock for World {
    fn now_ms(&self) -> u64 {
        EPOCH_MS + u64::try_from(self.state().now.as_millis()).unwrap()
    }

    fn instant(&self) -> Instant {
        *BEGUN + self.state().now
    }

    async fn sleep_until(&self, instant: Instant) {
        let until = instant - *BEGUN;
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

impl Telemetry for World {
    fn record(&self, event: &DomainEvent<'_>) {
        let mut state = self.state();
        state.lines.push((event.to_string(), event.event_detail().map(ToOwned::to_owned)));
        let metrics = event.metrics();
        state.metrics.extend(metrics.into_iter().map(|(metric, value)| (metric.name, value)));
    }
}

impl Tracer for World {}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
