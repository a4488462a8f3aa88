//! A world for one session: a table, a stream, a processor, and time that only moves when everybody
//! waits. Every call to a port is a step; a test can have any step fail, hang or kill the run, before
//! or after its effect.
#![allow(dead_code, unreachable_pub)]

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use media::FragmentNumber;
use relay::answer::Reply;
use relay::lease::{Desired, LeaseTable, Renewal, StreamItem};
use relay::ports::*;
use relay::{Clock, Config, Order, Snapshot, StoreError};
use session::audio::{Answer, AudioPayload};
use session::{Language, QualityTier, SessionId, Settings, StreamArn};
use testkit::getmedia::{Fragment, Framing, document};
use testkit::pcm::Random;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Wall clock at the world's beginning, ms.
pub const EPOCH_MS: u64 = 1_732_540_620_000;
/// Samples that Opus's pre-skip takes off the front.
pub const PRE_SKIP: usize = 104;

/// What a step does besides its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The run dies before the effect.
    KillBefore,
    /// The run dies after the effect, before it hears of it.
    KillAfter,
}

/// The processor's next answers, in order, instead of its own.
#[derive(Debug, Clone)]
pub enum Script {
    Fail,
    Hang,
    Invalid,
    /// Lose all state: position 0 again.
    Forget,
    /// Take the samples, and say nothing (a crash after the work was done).
    TakeAndFail,
}

#[derive(Default)]
pub struct State {
    pub item: Option<StreamItem>,
    pub revision: u64,
    pub last_activity_at: Option<u64>,
    pub fragments: Vec<(Duration, Fragment)>,
    pub oldest: usize,
    pub gone: bool,
    /// Bodies end after this many bytes, in order; then no more.
    pub cuts: VecDeque<usize>,
    pub open_errors: VecDeque<OpenError>,
    pub opens: Vec<Option<String>>,
    // The reference processor.
    pub next: u64,
    pub epoch: u64,
    pub accepted: Vec<i16>,
    pub gaps: Vec<(u64, u64)>,
    pub payloads: Vec<AudioPayload>,
    pub scripts: VecDeque<Script>,
    pub refuse_sample: Option<u64>,
    /// Every payload from this position on fails.
    pub refuse_after: Option<u64>,
    pub stale: u64,
    pub finals: u64,
    pub deliveries: Vec<(Instant, u64)>,
    pub processor_takes: Duration,
    pub letters: Vec<DeadLetter>,
    pub links: Vec<Continuation>,
    pub link_errors: u64,
    pub store_down: bool,
    pub over: bool,
    pub languages: Vec<Language>,
    pub snapshots: Vec<Snapshot>,
    pub steps: u64,
    pub kill: Option<(u64, Fault)>,
    pub killed: bool,
}

pub struct World {
    pub state: Mutex<State>,
    clock: WorldClock,
    killing: Notify,
    random: Mutex<Random>,
}

/// What a run is given.
#[derive(Clone)]
pub struct Side(pub Arc<World>);

#[derive(Clone)]
pub struct WorldClock {
    begun: Instant,
}

impl Clock for WorldClock {
    fn now_ms(&self) -> u64 {
        EPOCH_MS + u64::try_from(self.begun.elapsed().as_millis()).unwrap()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }
}

pub fn session() -> SessionId {
    "blessed-shepherd-123".parse().unwrap()
}

pub fn stream() -> StreamArn {
    "arn:aws:kinesisvideo:us-east-1:1:stream/session-blessed-shepherd-123/17".parse().unwrap()
}

/// Speech of `seconds` in packets of 20 ms, and what bare libopus makes of it.
pub fn speech(seconds: usize) -> (Vec<Vec<u8>>, Vec<i16>) {
    let settings = testkit::opus::Settings::default();
    let packets = testkit::opus::encode(&settings, &testkit::pcm::speech_like(7, 48_000 * seconds));
    let pcm = testkit::opus::decode(&packets);
    (packets, pcm[PRE_SKIP..].to_vec())
}

impl World {
    /// A stream that gets a fragment of `fragment_ms` each `fragment_ms`, from now on.
    pub fn live(packets: &[Vec<u8>], fragment_ms: u32) -> Arc<Self> {
        let start = i64::try_from(EPOCH_MS).unwrap();
        let fragments = testkit::getmedia::fragments(packets, 200, fragment_ms, start);
        Self::with(fragments, |index| Duration::from_millis(u64::from(fragment_ms)) * (index + 1))
    }

    /// A stream that holds everything already.
    pub fn stored(packets: &[Vec<u8>], fragment_ms: u32) -> Arc<Self> {
        let start = i64::try_from(EPOCH_MS).unwrap() - 3_600_000;
        let fragments = testkit::getmedia::fragments(packets, 200, fragment_ms, start);
        Self::with(fragments, |_| Duration::ZERO)
    }

    pub fn with(fragments: Vec<Fragment>, at: impl Fn(u32) -> Duration) -> Arc<Self> {
        let fragments = fragments.into_iter().enumerate();
        let fragments =
            fragments.map(|(index, fragment)| (at(u32::try_from(index).unwrap()), fragment));
        let state = State {
            fragments: fragments.collect(),
            processor_takes: Duration::from_millis(20),
            ..State::default()
        };
        Arc::new(Self {
            state: Mutex::new(state),
            clock: WorldClock { begun: Instant::now() },
            killing: Notify::new(),
            random: Mutex::new(Random::new(1)),
        })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn elapsed(&self) -> Duration {
        self.clock.begun.elapsed()
    }

    pub fn item(&self) -> StreamItem {
        self.state().item.clone().unwrap()
    }

    /// Resolves when the fault killed the run.
    pub async fn killed(&self) {
        loop {
            if self.state().killed {
                return;
            }
            self.killing.notified().await;
        }
    }

    /// Sets the next kill.
    pub fn kill_at(&self, step: u64, fault: Fault) {
        let mut state = self.state();
        state.kill = Some((state.steps + step, fault));
        state.killed = false;
    }

    pub fn stop(&self) {
        let now = self.clock.now_ms();
        let mut state = self.state();
        let item = state.item.get_or_insert_with(empty);
        item.desired = Desired::Stop;
        item.stop_at.get_or_insert(now);
    }

    async fn step(&self, when: Fault) {
        // Others run between any two steps.
        tokio::task::yield_now().await;
        let dies = {
            let mut state = self.state();
            if when == Fault::KillBefore {
                state.steps += 1;
            }
            let dies = state.kill == Some((state.steps, when));
            state.killed |= dies;
            dies
        };
        if dies {
            self.killing.notify_one();
            pending::<()>().await;
        }
    }

    /// One call: before, the effect, after.
    async fn call<T>(&self, effect: impl FnOnce(&mut State) -> T) -> T {
        self.step(Fault::KillBefore).await;
        let output = effect(&mut self.state());
        self.step(Fault::KillAfter).await;
        output
    }

    async fn store<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if self.state().store_down {
            return Err(StoreError { message: "throttled".into(), retryable: true });
        }
        Ok(self.call(effect).await)
    }
}

fn empty() -> StreamItem {
    StreamItem {
        owner: None,
        epoch: 0,
        lease_expires_at: 0,
        desired: Desired::Run,
        stop_at: None,
        settings: None,
        successor: None,
        ended: false,
        checkpoint: None,
        stream_arn: None,
    }
}

impl Ports for Side {
    type Clock = WorldClock;
    type Leases = Self;
    type Media = Self;
    type Processor = Self;
    type DeadLetters = Self;
    type Sessions = Self;
    type Links = Self;
    type Meter = Self;

    fn clock(&self) -> &WorldClock {
        &self.0.clock
    }
    fn random(&self) -> f64 {
        f64::from(u32::try_from(self.0.random.lock().unwrap().below(1000)).unwrap()) / 1000.0
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
    fn links(&self) -> &Self {
        self
    }
    fn meter(&self) -> &Self {
        self
    }
}

impl LeaseTable for Side {
    async fn load(&self, _: &SessionId) -> Result<Option<StreamItem>, StoreError> {
        self.0.store(|state| state.item.clone()).await
    }

    async fn take(
        &self,
        _: &SessionId,
        seen: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> Result<Option<StreamItem>, StoreError> {
        self.0
            .store(|state| {
                let item = state.item.as_mut()?;
                let same = (&item.owner, item.epoch, item.lease_expires_at)
                    == (&seen.owner, seen.epoch, seen.lease_expires_at);
                if !same || item.ended {
                    return None;
                }
                item.owner = Some(owner.to_owned());
                item.epoch += 1;
                item.lease_expires_at = expires_at;
                item.successor = None;
                state.revision = 0;
                Some(item.clone())
            })
            .await
    }

    async fn renew(
        &self,
        _: &SessionId,
        renewal: Renewal<'_>,
    ) -> Result<Option<StreamItem>, StoreError> {
        self.0
            .store(|state| {
                let item = state.item.as_mut()?;
                if item.owner.as_deref() != Some(renewal.owner)
                    || item.epoch != renewal.epoch
                    || state.revision >= renewal.revision
                {
                    return None;
                }
                item.lease_expires_at = renewal.expires_at;
                item.checkpoint = Some(renewal.checkpoint.to_json());
                state.revision = renewal.revision;
                state.last_activity_at = renewal.last_activity_at;
                Some(item.clone())
            })
            .await
    }

    async fn release(
        &self,
        _: &SessionId,
        renewal: Renewal<'_>,
        ended: bool,
    ) -> Result<Option<()>, StoreError> {
        self.0
            .store(|state| {
                let item = state.item.as_mut()?;
                if item.owner.as_deref() != Some(renewal.owner) || item.epoch != renewal.epoch {
                    return None;
                }
                item.checkpoint = Some(renewal.checkpoint.to_json());
                item.owner = None;
                item.ended |= ended;
                Some(())
            })
            .await
    }

    async fn announce(
        &self,
        _: &SessionId,
        epoch: u64,
        successor: &str,
    ) -> Result<Option<()>, StoreError> {
        self.0
            .store(|state| {
                let item = state.item.as_mut()?;
                if item.epoch != epoch || item.owner.is_none() {
                    return None;
                }
                item.successor = Some(successor.to_owned());
                Some(())
            })
            .await
    }

    async fn request_run(
        &self,
        _: &SessionId,
        stream: Option<&StreamArn>,
        settings: Option<&Settings>,
    ) -> Result<StreamItem, StoreError> {
        self.0
            .store(|state| {
                let item = state.item.get_or_insert_with(empty);
                item.stream_arn = item.stream_arn.clone().or(stream.cloned());
                item.settings = item.settings.clone().or(settings.cloned());
                item.clone()
            })
            .await
    }

    async fn request_stop(&self, _: &SessionId, stop_at: u64) -> Result<StreamItem, StoreError> {
        self.0
            .store(|state| {
                let item = state.item.get_or_insert_with(empty);
                item.desired = Desired::Stop;
                item.stop_at.get_or_insert(stop_at);
                item.clone()
            })
            .await
    }
}

/// One connection: documents as they become available, in small pieces.
pub struct Body {
    world: Arc<World>,
    next: usize,
    pending: Bytes,
    left: Option<usize>,
    idle_since: Instant,
    error: Option<Vec<u8>>,
}

const PIECE: usize = 900;

impl MediaSource for Side {
    type Body = Body;

    async fn open(&self, _: &StreamArn, after: Option<&FragmentNumber>) -> Result<Body, OpenError> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.0
            .call(|state| {
                state.opens.push(after.map(ToString::to_string));
                if let Some(error) = state.open_errors.pop_front() {
                    return Err(error);
                }
                if state.gone {
                    return Err(OpenError::NoStream);
                }
                let position = after.map(|after| {
                    let number = |fragment: &Fragment| fragment.number.clone().unwrap();
                    state.fragments.iter().position(|(_, f)| number(f) == after.as_str()).unwrap()
                        + 1
                });
                let lost =
                    position.is_some_and(|position| position <= state.oldest && state.oldest > 0);
                Ok(Body {
                    world: Arc::clone(&self.0),
                    next: position.unwrap_or(0).max(state.oldest),
                    pending: Bytes::new(),
                    left: state.cuts.pop_front(),
                    idle_since: Instant::now(),
                    error: lost.then(|| {
                        testkit::getmedia::error_document(4000, "FRAGMENT_NOT_FOUND", None)
                    }),
                })
            })
            .await
    }
}

impl MediaBody for Body {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        if let Some(error) = self.error.take() {
            self.next = usize::MAX;
            return Some(Ok(error.into()));
        }
        while self.pending.is_empty() {
            let available = {
                let state = self.world.state();
                let due = state.fragments.get(self.next);
                due.filter(|(at, _)| *at <= self.world.elapsed())
                    .map(|(_, fragment)| document(&Framing::default(), fragment))
            };
            match available {
                Some(document) => {
                    self.pending = document.into();
                    self.next += 1;
                }
                None if self.idle_since.elapsed() >= Duration::from_secs(3) => return None,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        self.idle_since = Instant::now();
        let length = self.pending.len().min(PIECE).min(self.left.unwrap_or(usize::MAX));
        if length == 0 {
            return Some(Err(BodyError("cut".into())));
        }
        if let Some(left) = &mut self.left {
            *left -= length;
        }
        tokio::task::yield_now().await;
        Some(Ok(self.pending.split_to(length)))
    }
}

impl Processor for Side {
    async fn invoke(&self, payload: &AudioPayload) -> Reply {
        payload.check().unwrap();
        let script = self.0.state().scripts.pop_front();
        let takes = self.0.state().processor_takes;
        self.0.step(Fault::KillBefore).await;
        tokio::time::sleep(takes).await;
        let reply = match script {
            Some(Script::Fail) => Reply::Failed("statusCode 500".into()),
            Some(Script::Hang) => pending().await,
            Some(Script::Invalid) => Reply::Invalid("InvalidPayload".into()),
            Some(Script::Forget) => {
                let mut state = self.0.state();
                state.next = 0;
                state.accepted.clear();
                Reply::OutOfOrder { next_sample: 0 }
            }
            Some(Script::TakeAndFail) => {
                self.0.state().take(payload);
                Reply::Failed("killed after the work".into())
            }
            None => self.0.state().take(payload),
        };
        self.0.step(Fault::KillAfter).await;
        reply
    }
}

impl State {
    /// The reference processor's rules.
    fn take(&mut self, payload: &AudioPayload) -> Reply {
        self.payloads.push(payload.clone());
        if payload.epoch < self.epoch {
            self.stale += 1;
            return Reply::StaleEpoch;
        }
        self.epoch = payload.epoch;
        let samples = pcm(payload);
        let (start, end) = (payload.start_sample, payload.start_sample + payload.sample_count);
        if self.refuse_after.is_some_and(|position| end > position) {
            return Reply::Failed("out of order".into());
        }
        if self.refuse_sample.is_some_and(|poison| (start..end).contains(&poison)) {
            return Reply::Invalid("InvalidPayload: poison".into());
        }
        if start > self.next && start - payload.gap_samples > self.next {
            return Reply::OutOfOrder { next_sample: self.next };
        }
        let duplicate = end <= self.next && !samples.is_empty();
        if start > self.next {
            self.gaps.push((self.next, start - self.next));
            self.accepted.resize(usize::try_from(start).unwrap(), 0);
        }
        if end > self.next {
            let known = usize::try_from(self.next.saturating_sub(start)).unwrap();
            self.accepted.extend_from_slice(&samples[known..]);
            self.next = end;
        }
        self.finals += u64::from(payload.is_final);
        self.deliveries.push((Instant::now(), end));
        Reply::Accepted(Some(Answer { accepted: true, next_sample: self.next, duplicate }))
    }
}

/// The samples of a payload.
pub fn pcm(payload: &AudioPayload) -> Vec<i16> {
    let bytes = STANDARD.decode(&payload.audio_data).unwrap();
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

impl DeadLetters for Side {
    async fn send(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        self.0.store(|state| state.letters.push(letter.clone())).await
    }
}

impl Sessions for Side {
    async fn is_over(&self, _: &SessionId) -> Result<bool, StoreError> {
        self.0.store(|state| state.over).await
    }

    async fn listener_languages(&self, _: &SessionId) -> Result<Vec<Language>, StoreError> {
        self.0.store(|state| state.languages.clone()).await
    }
}

impl Links for Side {
    async fn invoke_next(&self, continuation: &Continuation) -> Result<(), StoreError> {
        self.0
            .store(|state| {
                if state.link_errors > 0 {
                    state.link_errors -= 1;
                    return Err(StoreError { message: "throttled".into(), retryable: true });
                }
                state.links.push(continuation.clone());
                Ok(())
            })
            .await?
    }
}

impl Meter for Side {
    fn emit(&self, _: &SessionId, snapshot: &Snapshot) {
        self.0.state().snapshots.push(snapshot.clone());
    }
}

/// An order for a run of at most `remaining`, by a name of its own.
pub fn order(owner: &str, remaining: Duration) -> Order {
    Order {
        session_id: session(),
        stream_arn: Some(stream()),
        settings: Some(Settings {
            source_language: Language::ENGLISH,
            quality_tier: QualityTier::Standard,
            target_languages: vec!["de".parse().unwrap()],
            version: 1,
        }),
        owner: owner.to_owned(),
        remaining,
    }
}

/// Long enough for every test's session.
pub const LONG: Duration = Duration::from_secs(840);

pub fn config() -> Config {
    Config::scaled(1.0)
}
