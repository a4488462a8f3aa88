//! The state that all simulated hosts share.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use relay::Snapshot;
use relay::ports::{Continuation, DeadLetter};
use session::ports::Clock;
use testkit::getmedia::Fragment;
use testkit::pcm::Random;
use tokio::sync::Notify;

use crate::clock::SimClock;
use crate::fault_rates::{CallOutcome, FaultRates};
use crate::host::{KillPoint, SimHost};
use crate::kvs::{Kvs, Stored};
use crate::processor::Processor;
use crate::table::Table;

/// The state of the simulated services; tests read and change it while runs are active.
#[derive(Debug)]
pub struct State {
    /// The Streams and Sessions tables.
    pub table: Table,
    /// The KVS stream.
    pub kvs: Kvs,
    /// The processor.
    pub processor: Processor,
    /// Messages in the chunk dead-letter queue.
    pub letters: Vec<DeadLetter>,
    /// Accepted self-invocations that are not started yet.
    pub continuations: Vec<Continuation>,
    /// Failure rates of self-invocations.
    pub self_invoke_rates: FaultRates,
    /// Number of next self-invocations that are refused.
    pub failing_self_invokes: u64,
    /// Number of next self-invocations that are accepted and then lost.
    pub lost_self_invokes: u64,
    /// The end notices that were sent to listeners.
    pub end_notices: Vec<EndNotice>,
    /// Whether sending an end notice takes the maximum time.
    pub listeners_hang: bool,
    /// The emitted metrics.
    pub snapshots: Vec<Snapshot>,
    /// Number of calls to any port so far.
    pub steps: u64,
    /// The step at which its run is killed.
    pub kill: Option<(u64, KillPoint)>,
    /// The only source of random numbers.
    pub random: Random,
}

/// One notification of the listeners that the session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndNotice {
    /// Time since the simulation began.
    pub at: Duration,
    /// Samples that the processor had accepted by then.
    pub accepted: u64,
    /// Whether the Streams item was ENDED.
    pub ended: bool,
}

/// The services of one simulated session. `World` is the usual name for the state that the hosts of
/// a simulation share.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
    pub(crate) clock: SimClock,
    /// Notified when a self-invocation was accepted.
    pub(crate) continued: Notify,
}

impl World {
    /// Returns a world whose stream receives a fragment of `fragment_ms` every `fragment_ms`.
    pub fn live(packets: &[Vec<u8>], fragment_ms: u32) -> Arc<Self> {
        let start = i64::try_from(crate::EPOCH_MS).unwrap();
        let fragments = testkit::getmedia::fragments(packets, 200, fragment_ms, start);
        Self::with(fragments, |index| Duration::from_millis(u64::from(fragment_ms)) * (index + 1))
    }

    /// Returns a world whose stream already contains all fragments.
    pub fn stored(packets: &[Vec<u8>], fragment_ms: u32) -> Arc<Self> {
        let start = i64::try_from(crate::EPOCH_MS).unwrap() - 3_600_000;
        let fragments = testkit::getmedia::fragments(packets, 200, fragment_ms, start);
        Self::with(fragments, |_| Duration::ZERO)
    }

    /// Returns a world whose stream contains these fragments, each readable from `at` of its index.
    pub fn with(fragments: Vec<Fragment>, at: impl Fn(u32) -> Duration) -> Arc<Self> {
        let stored = fragments.iter().zip(0..).map(|(fragment, index)| {
            Stored::new(at(index), &testkit::getmedia::Framing::default(), fragment)
        });
        Self::of(stored.collect(), 1)
    }

    /// Returns a world with these fragments and this seed.
    pub fn of(fragments: Vec<Stored>, seed: u64) -> Arc<Self> {
        let state = State {
            table: Table::default(),
            kvs: Kvs::of(fragments),
            processor: Processor::default(),
            letters: Vec::new(),
            continuations: Vec::new(),
            self_invoke_rates: FaultRates::UP,
            failing_self_invokes: 0,
            lost_self_invokes: 0,
            end_notices: Vec::new(),
            listeners_hang: false,
            snapshots: Vec::new(),
            steps: 0,
            kill: None,
            random: Random::new(seed),
        };
        let clock = SimClock::begin();
        Arc::new(Self { state: Mutex::new(state), clock, continued: Notify::new() })
    }

    /// Returns a host without clock skew.
    pub fn host(self: &Arc<Self>) -> SimHost {
        SimHost::new(self, 0)
    }

    /// Locks and returns the state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns the time since the simulation began.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Returns the unskewed wall-clock time, ms.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Returns the Streams item.
    pub fn item(&self) -> session::StreamItem {
        self.state().table.item.clone().unwrap()
    }

    /// Kills the run that makes the call number `step` from now.
    pub fn kill_at(&self, step: u64, point: KillPoint) {
        let mut state = self.state();
        state.kill = Some((state.steps + step, point));
    }

    /// Ends the session in the Sessions item, as DELETE does.
    pub fn end_session(&self) {
        let now = self.now_ms();
        self.state().table.ended_at.get_or_insert(now);
    }

    /// Sets the stop in the Streams item, as the ENDED event does.
    pub fn stop(&self) {
        let now = self.now_ms();
        self.state().table.request_stop(now);
    }

    pub(crate) fn outcome(&self, rates: impl Fn(&State) -> FaultRates) -> CallOutcome {
        let mut state = self.state();
        rates(&state).draw(&mut state.random)
    }
}
