//! The world and all that is in it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use relay::ports::{Continuation, DeadLetter};
use relay::{Clock, Snapshot};
use testkit::getmedia::Fragment;
use testkit::pcm::Random;
use tokio::sync::Notify;

use crate::clock::WorldClock;
use crate::kvs::{Kvs, Stored};
use crate::odds::{Luck, Odds};
use crate::processor::Processor;
use crate::side::{Fault, Side};
use crate::table::Table;

/// Everything that can be looked at and set while runs go on.
#[derive(Debug)]
pub struct State {
    /// Streams and Sessions.
    pub table: Table,
    /// The stream.
    pub kvs: Kvs,
    /// The processor.
    pub processor: Processor,
    /// What was put into the dead-letter queue.
    pub letters: Vec<DeadLetter>,
    /// Next links that were accepted and not started yet.
    pub links: Vec<Continuation>,
    /// How invoking the next link goes.
    pub link_odds: Odds,
    /// Invocations of the next link that are refused before one is taken.
    pub link_errors: u64,
    /// Invocations of the next link that are accepted and then forgotten.
    pub links_lost: u64,
    /// Times that listeners were told that the session has ended.
    pub end_notices: Vec<EndNotice>,
    /// Telling them takes as long as it may.
    pub listeners_hang: bool,
    /// Metrics as they were written.
    pub snapshots: Vec<Snapshot>,
    /// Calls to any port so far.
    pub steps: u64,
    /// The step that kills the run that makes it.
    pub kill: Option<(u64, Fault)>,
    /// All chance there is.
    pub random: Random,
}

/// One time that listeners were told that the session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndNotice {
    /// When, since the world began.
    pub at: Duration,
    /// Samples that the processor had accepted.
    pub accepted: u64,
    /// Whether the end was stored.
    pub ended: bool,
}

/// One session's world.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
    pub(crate) clock: WorldClock,
    /// A next link was accepted.
    pub(crate) linked: Notify,
}

impl World {
    /// A stream that gets a fragment of `fragment_ms` each `fragment_ms`, from now on.
    pub fn live(packets: &[Vec<u8>], fragment_ms: u32) -> Arc<Self> {
        let start = i64::try_from(crate::EPOCH_MS).unwrap();
        let fragments = testkit::getmedia::fragments(packets, 200, fragment_ms, start);
        Self::with(fragments, |index| Duration::from_millis(u64::from(fragment_ms)) * (index + 1))
    }

    /// A stream that holds everything already.
    pub fn stored(packets: &[Vec<u8>], fragment_ms: u32) -> Arc<Self> {
        let start = i64::try_from(crate::EPOCH_MS).unwrap() - 3_600_000;
        let fragments = testkit::getmedia::fragments(packets, 200, fragment_ms, start);
        Self::with(fragments, |_| Duration::ZERO)
    }

    /// A stream of these fragments; `at` says when each is there.
    pub fn with(fragments: Vec<Fragment>, at: impl Fn(u32) -> Duration) -> Arc<Self> {
        let stored = fragments.iter().zip(0..).map(|(fragment, index)| {
            Stored::new(at(index), &testkit::getmedia::Framing::default(), fragment)
        });
        Self::of(stored.collect(), 1)
    }

    /// A stream of these fragments in a world of this seed.
    pub fn of(fragments: Vec<Stored>, seed: u64) -> Arc<Self> {
        let state = State {
            table: Table::default(),
            kvs: Kvs::of(fragments),
            processor: Processor::default(),
            letters: Vec::new(),
            links: Vec::new(),
            link_odds: Odds::UP,
            link_errors: 0,
            links_lost: 0,
            end_notices: Vec::new(),
            listeners_hang: false,
            snapshots: Vec::new(),
            steps: 0,
            kill: None,
            random: Random::new(seed),
        };
        let clock = WorldClock::begin();
        Arc::new(Self { state: Mutex::new(state), clock, linked: Notify::new() })
    }

    /// What a run is given whose clock is right.
    pub fn side(self: &Arc<Self>) -> Side {
        Side::new(self, 0)
    }

    /// All that is in the world.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Time since it began.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The wall clock, where it is right.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The Streams item.
    pub fn item(&self) -> session::StreamItem {
        self.state().table.item.clone().unwrap()
    }

    /// Sets the next kill, `step` calls from now.
    pub fn kill_at(&self, step: u64, fault: Fault) {
        let mut state = self.state();
        state.kill = Some((state.steps + step, fault));
    }

    /// Ends the session in its record, as DELETE does.
    pub fn end_session(&self) {
        let now = self.now_ms();
        self.state().table.over_at.get_or_insert(now);
    }

    /// Asks for the session's end, as ENDED does.
    pub fn stop(&self) {
        let now = self.now_ms();
        self.state().table.request_stop(now);
    }

    pub(crate) fn luck(&self, odds: impl Fn(&State) -> Odds) -> Luck {
        let mut state = self.state();
        odds(&state).draw(&mut state.random)
    }
}
