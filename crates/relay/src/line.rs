//! State shared by the parts of one run: the reader fills the queue, the deliverer empties it, and
//! the keeper renews the lease and updates the desired state. All are futures of one task; dropping
//! the task stops them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use session::{Desired, Language, SessionId, Settings, StreamArn, StreamItem};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::Ledger;
use crate::metrics::Snapshot;
use crate::ports::{Ports, millis};
use crate::queue::Queue;

/// The desired state of this run, as last read from the table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Orders {
    pub(crate) desired: Desired,
    /// Wall clock, ms.
    pub(crate) stop_at: Option<u64>,
    pub(crate) settings: Option<Settings>,
    pub(crate) successor: Option<String>,
}

impl From<&StreamItem> for Orders {
    fn from(item: &StreamItem) -> Self {
        Self {
            desired: item.desired,
            stop_at: item.stop_at,
            settings: item.settings.clone(),
            successor: item.successor.clone(),
        }
    }
}

/// What the reader has observed of the stream.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Activity {
    /// Wall clock of the last new fragment, ms.
    pub(crate) last_at: Option<u64>,
    /// Longest fragment, ms; 0 before the first.
    pub(crate) longest_fragment_ms: u64,
}

/// One session being processed.
pub(crate) struct Line<'a, P: Ports> {
    pub(crate) ports: &'a P,
    pub(crate) config: &'a Config,
    pub(crate) session: SessionId,
    pub(crate) stream: StreamArn,
    pub(crate) chunk_ms: u64,
    pub(crate) queue: Queue,
    pub(crate) orders: watch::Sender<Orders>,
    /// When this run's right to deliver expires; `None` before it holds the lease.
    pub(crate) term: watch::Sender<Option<Instant>>,
    /// A checkpoint with the origin is stored: the first delivery may be sent.
    pub(crate) anchored: watch::Sender<bool>,
    /// A GetMedia connection was opened.
    pub(crate) listening: watch::Sender<bool>,
    /// Finish the invocation in flight and stop delivering.
    pub(crate) yielding: watch::Sender<bool>,
    /// Renew now instead of at the next interval.
    pub(crate) renew_now: Notify,
    ledger: Mutex<Ledger>,
    activity: Mutex<Activity>,
    waiting: Mutex<VecDeque<Waiting>>,
    /// When KVS began to receive the fragment being read, ms; 0 if there is none.
    reading: AtomicU64,
    languages: Mutex<Vec<Language>>,
    metrics: Mutex<Snapshot>,
}

/// A fragment that was read and is not settled yet.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// Position after its last sample.
    end: u64,
    /// When KVS began to receive it, ms: its retention starts here.
    server_ms: u64,
}

impl<'a, P: Ports> Line<'a, P> {
    pub(crate) fn new(
        ports: &'a P,
        config: &'a Config,
        session: SessionId,
        stream: StreamArn,
        checkpoint: Checkpoint,
        orders: Orders,
    ) -> Self {
        let lengths = checkpoint.fragments.iter().map(|fragment| fragment.duration_ms);
        let longest_fragment_ms = lengths.max().unwrap_or_default();
        Self {
            ports,
            config,
            session,
            stream,
            chunk_ms: checkpoint.chunk_ms,
            queue: Queue::new(Config::samples(config.buffer_ms)),
            orders: watch::Sender::new(orders),
            term: watch::Sender::new(None),
            anchored: watch::Sender::new(false),
            listening: watch::Sender::new(false),
            yielding: watch::Sender::new(false),
            renew_now: Notify::new(),
            ledger: Mutex::new(Ledger::new(checkpoint, config)),
            activity: Mutex::new(Activity { last_at: None, longest_fragment_ms }),
            waiting: Mutex::default(),
            reading: AtomicU64::new(0),
            languages: Mutex::default(),
            metrics: Mutex::default(),
        }
    }

    /// Returns whether the session is to stop, as last read from the table.
    pub(crate) fn is_stopped(&self) -> bool {
        self.orders.borrow().desired == Desired::Stop
    }

    // The parts of a run share one task and hold these locks for a few instructions, never across
    // an await: a lock can only be poisoned by a panic that has already ended the run.

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a fragment is being read that KVS began to receive at `server_ms`; 0 if there
    /// is none.
    pub(crate) fn reading(&self, server_ms: u64) {
        self.reading.store(server_ms, Ordering::Relaxed);
    }

    /// Records that a fragment was read up to position `end`. A fragment without new audio is
    /// ignored.
    pub(crate) fn arrived(&self, end: u64, server_ms: u64) {
        let mut waiting = self.waiting();
        if server_ms > 0 && waiting.back().is_none_or(|last| last.end < end) {
            waiting.push_back(Waiting { end, server_ms });
        }
    }

    /// Returns the time until KVS deletes the oldest audio that was read and is not settled, ms;
    /// `None` while more than half of its retention is left.
    pub(crate) fn retention_risk(&self) -> Option<u64> {
        let settled = self.ledger().state().next;
        let mut waiting = self.waiting();
        while waiting.front().is_some_and(|fragment| fragment.end <= settled) {
            waiting.pop_front();
        }
        let retention = millis(self.config.retention);
        // A fragment that cannot be read completely, because nothing can be delivered, counts too.
        let reading = Some(self.reading.load(Ordering::Relaxed)).filter(|since| *since > 0);
        let oldest = waiting.front().map(|fragment| fragment.server_ms).or(reading)?;
        let age = self.ports.clock().now_ms().saturating_sub(oldest);
        (age > retention / 2).then(|| retention.saturating_sub(age))
    }

    pub(crate) fn languages(&self) -> MutexGuard<'_, Vec<Language>> {
        self.languages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn metrics(&self) -> MutexGuard<'_, Snapshot> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when this run is asked to hand off.
    pub(crate) async fn yielded(&self) {
        let mut yielding = self.yielding.subscribe();
        // The sender lives as long as `self`: waiting cannot fail.
        let _ = yielding.wait_for(|yielding| *yielding).await;
    }

    /// Applies the state read from the table.
    pub(crate) fn heard(&self, orders: Orders) {
        self.orders.send_if_modified(|current| {
            let mut orders = orders;
            // A stop is never undone, whichever source reported it first.
            if current.desired == Desired::Stop && orders.desired != Desired::Stop {
                orders.desired = Desired::Stop;
                orders.stop_at = current.stop_at;
            }
            let changed = *current != orders;
            *current = orders;
            changed
        });
    }
}
