//! Recognised words of the audio that the processor accepts.
//!
//! The recogniser is a program of the user. One process for each session reads the accepted PCM
//! from its standard input and prints the lines that it recognises; docs/local-cloud.md describes
//! the protocol. Delivery never waits for it: the processes have a low CPU priority, audio
//! waits for them in bounded queues, and audio that finds a full queue is counted and left out.

mod piece;
mod printed;
mod process;
mod session;
mod timeline;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::lambda::Delivery;
use piece::{Accepted, Piece};
use session::{Input, Session};
pub use words::{Line, State, Words};

/// The most processes at once.
const PROCESSES: u32 = 4;
/// The most sessions whose words are kept; the oldest is dropped first.
const SESSIONS: usize = 256;

/// The limits of one process.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Pieces of audio that wait for it. With chunks of half a second: two minutes.
    queue: usize,
    /// How long it waits for further audio of a session that has not ended, in real time.
    idle: Duration,
    /// How long it may take to read a piece, and to end after its input, in real time.
    stall: Duration,
}

const LIMITS: Limits =
    Limits { queue: 256, idle: Duration::from_secs(120), stall: Duration::from_secs(60) };

/// The recogniser of a cloud, and the words of its sessions. Clones share them.
#[derive(Debug, Clone)]
pub struct Recogniser {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    command: String,
    limits: Limits,
    /// One permit for each process.
    processes: Arc<Semaphore>,
    sessions: Mutex<Sessions>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: BTreeMap<String, Session>,
    order: VecDeque<String>,
}

impl Recogniser {
    /// Creates a recogniser without processes. `command` is a command line of the shell; all
    /// processes are killed when `stop` is cancelled.
    pub(crate) fn new(command: &str, stop: CancellationToken) -> Self {
        Self::limited(command, LIMITS, stop)
    }

    fn limited(command: &str, limits: Limits, stop: CancellationToken) -> Self {
        let processes = Arc::new(Semaphore::new(PROCESSES as usize));
        let (command, sessions) = (command.to_owned(), Mutex::default());
        Self { shared: Arc::new(Shared { command, limits, processes, sessions, stop }) }
    }

    /// Returns the command line.
    pub fn command(&self) -> &str {
        &self.shared.command
    }

    /// Returns the words of a session so far.
    pub fn words(&self, session_id: &str) -> Words {
        self.sessions().by_id.get(session_id).map(Session::words).unwrap_or_default()
    }

    /// Returns the words of a session with the lines that have changed since a version, and the
    /// version; `None` if nothing has changed. `since` is `None` for all lines.
    pub(crate) fn changes(&self, session_id: &str, since: Option<u64>) -> Option<(u64, Words)> {
        match self.sessions().by_id.get(session_id) {
            Some(session) => session.changes(since),
            None => since.is_none().then(|| (0, Words::default())),
        }
    }

    /// Takes the audio that the processor has accepted with a delivery. Returns at once.
    pub(crate) fn take(&self, session_id: &str, delivery: &Delivery, payload: &Bytes) {
        let mut sessions = self.sessions();
        let session = sessions.get_or_create(session_id);
        let Some(accepted) = Accepted::of(delivery, session.next_sample()) else { return };
        if let Some(piece) = accepted.piece(delivery, payload) {
            let (id, shared) = (session_id.to_owned(), &self.shared);
            session.take(piece, |first| shared.start(id, first));
        }
        if accepted.is_end {
            session.end();
        }
    }

    /// Waits until no process runs; cancel the stop token first.
    pub(crate) async fn ended(&self) {
        // An error means that the semaphore is closed, which it never is.
        let _ = self.shared.processes.acquire_many(PROCESSES).await;
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.shared.sessions()
    }
}

impl Shared {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process for a session, from this piece on; `None` if all permits are taken.
    fn start(self: &Arc<Self>, session_id: String, first: Piece) -> Option<Input> {
        let permit = Arc::clone(&self.processes).try_acquire_owned().ok()?;
        let (sender, pieces) = mpsc::channel(self.limits.queue);
        tokio::spawn(Arc::clone(self).run(session_id, first, pieces, permit));
        Some(sender)
    }

    async fn run(
        self: Arc<Self>,
        session_id: String,
        first: Piece,
        pieces: mpsc::Receiver<Piece>,
        permit: OwnedSemaphorePermit,
    ) {
        let take = |line| {
            if let Some(session) = self.sessions().by_id.get_mut(&session_id) {
                session.add_line(line);
            }
        };
        let process = process::run(&self.command, first, pieces, self.limits, take);
        // A process whose future is dropped is killed.
        let outcome = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            outcome = process => outcome,
        };
        drop(permit);
        if let Some(session) = self.sessions().by_id.get_mut(&session_id) {
            session.process_ended(outcome);
        }
    }
}

impl Sessions {
    fn get_or_create(&mut self, session_id: &str) -> &mut Session {
        if !self.by_id.contains_key(session_id) {
            self.order.push_back(session_id.to_owned());
            if self.order.len() > SESSIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_id.remove(&oldest);
            }
        }
        self.by_id.entry(session_id.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests;
