//! The health check: reconciles the desired state (Sessions) with the actual state (Streams, KVS,
//! listeners).
//!
//! It completes work after lost events, killed runs and interrupted requests. Each duty is
//! idempotent and bounded, and concurrent passes are safe: the lease admits one consumer, an event
//! that is emitted twice has one `eventId`, and a session is claimed by a conditional write before
//! its resources are deleted. A duty that fails is logged, the others still run, and the pass then
//! fails as a whole.
//!
//! | duty | effect |
//! |---|---|
//! | `resend` | emits events that are still pending |
//! | `expire` | ends sessions that are idle, too old, or whose stream is gone |
//! | `restart` | starts a consumer for sessions that have none |
//! | `notify` | notifies the remaining listeners of ended sessions |
//! | `check pairs` | removes warm pairs that are not needed or not whole |
//! | `clean` | deletes KVS resources of ended sessions and interrupted creations, and orphans |
//! | `fill pairs` | creates and maps the missing warm pairs |

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::{
    PortError, Session, SessionId, SessionStatus,
    ports::{Clock, SessionLookup, Tracer, Work, millis},
};

mod clean;
mod dead_letters;
mod expire;
mod notify;
mod ports;
mod removal;
mod resend;
mod restart;
mod rules;
mod sweep;
mod warm_pairs;

pub use dead_letters::DeadLetterScan;
pub use ports::{
    Checkpoints, Consumer, DeadLetterScanner, Inventory, Ports, Resource, SessionsIndex, Streams,
    WarmPairSlots,
};
pub use rules::Rules;

#[cfg(test)]
mod tests;

/// Result of one pass.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Streams that have an active consumer.
    pub active_streams: u64,
    /// Consumers invoked to start or to drain a session.
    pub restarted: u64,
    /// Sessions whose checkpoint this build cannot read: of another version, or malformed.
    pub unreadable: u64,
    /// Sessions whose record cannot be read, and which were therefore skipped.
    pub unreadable_records: u64,
    /// Pending events emitted.
    pub resent: u64,
    /// Sessions ended because they were idle or too old, or because their stream is gone.
    pub ended: u64,
    /// Listeners notified that their session has ended.
    pub notified: u64,
    /// Sessions whose channel and stream were removed.
    pub cleaned: u64,
    /// Resources without a session that were removed.
    pub swept: u64,
    /// Warm pairs that are ready.
    pub warm_pairs: u64,
}

/// The dependencies of the health check.
pub struct HealthCheck<'a, P: Ports> {
    /// The index of sessions.
    pub sessions: &'a P::Sessions,
    /// The Streams table.
    pub streams: &'a P::Streams,
    /// Reads checkpoints.
    pub checkpoints: &'a P::Checkpoints,
    /// The control plane of KVS.
    pub media: &'a P::Media,
    /// The event bus.
    pub events: &'a P::Events,
    /// The sessions' listeners.
    pub listeners: &'a P::Listeners,
    /// The dead-letter queues.
    pub dead_letters: &'a P::DeadLetters,
    /// The consumer's function.
    pub consumer: &'a P::Consumer,
    /// Clock, random source, telemetry and traces.
    pub context: &'a P::Context,
}

/// Runs every duty once. `trace_header` is the invocation's trace header; emitted events contain
/// it.
///
/// Returns the summary, and the first error of a duty after all of them have run.
pub async fn run<P: Ports>(
    ports: &HealthCheck<'_, P>,
    rules: &Rules,
    trace_header: Option<String>,
) -> (Summary, Option<PortError>) {
    let now_ms = ports.context.now_ms();
    let pass = Pass { ports, rules, now_ms, trace_header, unreadable: Mutex::default() };
    let mut summary = Summary::default();
    // Events first: an ACTIVE that was never emitted makes a restart unnecessary.
    let results = [
        ("resend", resend::run(&pass, &mut summary).await),
        ("expire", expire::run(&pass, &mut summary).await),
        ("restart", restart::run(&pass, &mut summary).await),
        ("notify", notify::run(&pass, &mut summary).await),
        // Before sessions are cleaned, so that an interrupted creation that has drawn the id of a
        // pair owns the pair's resources.
        ("check pairs", warm_pairs::check(&pass, &mut summary).await),
        ("clean", clean::run(&pass, &mut summary).await),
        // Last, because sessions come first.
        ("fill pairs", warm_pairs::fill(&pass, &mut summary).await),
    ];
    summary.unreadable_records = pass.unreadable().len() as u64;
    let mut first = None;
    for (duty, result) in results {
        if let Err(error) = result {
            tracing::error!(duty, %error, "health check: a duty failed");
            first.get_or_insert(error);
        }
    }
    (summary, first)
}

/// One health check.
struct Pass<'a, P: Ports> {
    ports: &'a HealthCheck<'a, P>,
    rules: &'a Rules,
    /// When it began, Unix ms.
    now_ms: u64,
    trace_header: Option<String>,
    /// The sessions whose record cannot be read: several duties read the same ones.
    unreadable: Mutex<BTreeSet<SessionId>>,
}

impl<P: Ports> Pass<'_, P> {
    fn unreadable(&self) -> MutexGuard<'_, BTreeSet<SessionId>> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the sessions of a status that are old enough to be reconciled, read consistently,
    /// without those that have left the status.
    ///
    /// The age of a live session counts from its creation, because each listener that joins or
    /// leaves changes its record; the age of any other session counts from its last change.
    async fn old_enough(&self, status: SessionStatus) -> Result<Vec<Session>, PortError> {
        let before = if status.is_live() { self.now_ms } else { self.old_enough_before() };
        // An ended session without a stream has been cleaned.
        let has = if status == SessionStatus::Ended { "kvsStreamArn" } else { "createdAt" };
        let mut sessions = self.changed_before(status, before, has).await?;
        sessions.retain(|session| self.is_old_enough(session));
        Ok(sessions)
    }

    fn is_old_enough(&self, session: &Session) -> bool {
        session.created_at < self.old_enough_before()
    }

    fn old_enough_before(&self) -> u64 {
        self.ago(self.rules.min_age)
    }

    /// Returns the time `duration` before the start of the pass, Unix ms.
    fn ago(&self, duration: Duration) -> u64 {
        self.now_ms.saturating_sub(millis(duration))
    }

    async fn changed_before(
        &self,
        status: SessionStatus,
        before_ms: u64,
        attribute: &str,
    ) -> Result<Vec<Session>, PortError> {
        let ids = self.ports.sessions.with_status(status, before_ms, attribute).await?;
        let mut sessions = Vec::new();
        for id in ids {
            let session = match self.ports.sessions.get(&id).await {
                Ok(session) => session,
                // A permanent error of one record must not stop the others.
                Err(error) if !error.is_retryable() => {
                    if self.unreadable().insert(id.clone()) {
                        tracing::error!(sessionId = %id, %error, "health check: unreadable record skipped");
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            // Records of another environment are not touched, even in a shared table.
            sessions.extend(session.filter(|session| {
                session.status == status && session.env == self.rules.environment
            }));
        }
        Ok(sessions)
    }

    /// Runs a repair of one session as a piece of the trace.
    async fn repair<T: Send>(
        &self,
        name: &'static str,
        session_id: &SessionId,
        repair: impl Future<Output = Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        let work = Work { name, session_id, epoch: None };
        self.ports.context.traced(work, repair).await
    }

    /// Returns whether this pass sweeps.
    fn sweeps(&self) -> bool {
        (self.now_ms / millis(self.rules.interval).max(1)).is_multiple_of(rules::SWEEP_EVERY)
    }
}

/// The first error of a duty over many sessions. Each error is logged, and the other sessions are
/// still reconciled.
#[derive(Default)]
struct FirstError(Option<PortError>);

impl FirstError {
    fn take(&mut self, session: &SessionId, result: Result<(), PortError>) {
        if let Err(error) = result {
            tracing::error!(sessionId = %session, %error, "health check: this session was not reconciled");
            self.0.get_or_insert(error);
        }
    }

    fn result(self) -> Result<(), PortError> {
        self.0.map_or(Ok(()), Err)
    }
}
