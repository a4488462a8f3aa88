//! The health check: reconciles what should be (Sessions) with what is (Streams, KVS, listeners).
//!
//! It is the last resort behind every lost event, killed run and interrupted request. Each duty is
//! idempotent and bounded, and two runs at once do no harm: what is restarted twice is carried once
//! (the lease), what is emitted twice has one `eventId`, and what is deleted was claimed before by
//! a conditional write. A duty that fails is logged and does not keep the others from running; the
//! run then fails as a whole.
//!
//! | duty | what it does |
//! |---|---|
//! | `resend` | emits events that their writer could not |
//! | `expire` | ends sessions that are idle, too old, or whose stream is gone |
//! | `restart` | starts a consumer for sessions that have none |
//! | `notify` | tells listeners whose consumer died that the session has ended |
//! | `clean` | removes what sessions leave in KVS, and what no session has |

use std::time::Duration;

use serde::Serialize;

use crate::{
    PortError, Session, SessionId, SessionStatus,
    ports::{Clock, SessionLookup},
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

pub use dead_letters::DeadLetterScan;
pub use ports::{
    Checkpoints, Consumer, DeadLetters, Inventory, Ports, Resource, SessionsIndex, Streams,
};
pub use rules::Rules;

#[cfg(test)]
mod tests;

/// What one run did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Streams that have an active consumer.
    pub active_streams: u64,
    /// Consumers invoked to start or to drain a session.
    pub restarted: u64,
    /// Sessions whose checkpoint was written by another build.
    pub unreadable: u64,
    /// Pending events emitted.
    pub resent: u64,
    /// Sessions ended for silence or age, or because their stream is gone.
    pub ended: u64,
    /// Listeners notified that their session has ended.
    #[serde(rename = "told")]
    pub notified: u64,
    /// Sessions whose channel and stream were removed.
    pub cleaned: u64,
    /// Resources without a session that were removed.
    pub swept: u64,
}

/// Runs every duty once. `trace_header` is that of the invocation; events carry it on.
///
/// The second value is the first failure of a duty, after all of them have run.
pub async fn run<P: Ports>(
    ports: &P,
    rules: &Rules,
    trace_header: Option<String>,
) -> (Summary, Option<PortError>) {
    let now_ms = ports.context().now_ms();
    let run = Run { ports, rules, now_ms, trace_header };
    let mut summary = Summary::default();
    // Events first: an ACTIVE that was never emitted makes a restart unnecessary.
    let results = [
        ("resend", resend::run(&run, &mut summary).await),
        ("expire", expire::run(&run, &mut summary).await),
        ("restart", restart::run(&run, &mut summary).await),
        ("notify", notify::run(&run, &mut summary).await),
        ("clean", clean::run(&run, &mut summary).await),
    ];
    let mut first = None;
    for (duty, result) in results {
        if let Err(error) = result {
            tracing::error!(duty, %error, "health check: a duty failed");
            first.get_or_insert(error);
        }
    }
    (summary, first)
}

/// One run.
struct Run<'a, P: Ports> {
    ports: &'a P,
    rules: &'a Rules,
    /// When it began, Unix ms.
    now_ms: u64,
    trace_header: Option<String>,
}

impl<P: Ports> Run<'_, P> {
    /// The sessions of a status that are old enough to be looked after, read consistently; those
    /// that left the status meanwhile are not among them.
    ///
    /// Old enough means created a while ago for live sessions, because every listener who comes or
    /// goes changes their record, and unchanged for a while for all others.
    async fn settled(&self, status: SessionStatus) -> Result<Vec<Session>, PortError> {
        let before = if status.is_live() { self.now_ms } else { self.settled_before() };
        // An ended session without a stream was cleaned: nothing is left to do for it.
        let has = if status == SessionStatus::Ended { "kvsStreamArn" } else { "createdAt" };
        let mut sessions = self.changed_before(status, before, has).await?;
        sessions.retain(|session| self.is_settled(session));
        Ok(sessions)
    }

    fn is_settled(&self, session: &Session) -> bool {
        session.created_at < self.settled_before()
    }

    fn settled_before(&self) -> u64 {
        self.ago(self.rules.settled)
    }

    /// Unix ms, so long before the run began.
    fn ago(&self, duration: Duration) -> u64 {
        self.now_ms.saturating_sub(millis(duration))
    }

    async fn changed_before(
        &self,
        status: SessionStatus,
        before_ms: u64,
        attribute: &str,
    ) -> Result<Vec<Session>, PortError> {
        let ids = self.ports.sessions().with_status(status, before_ms, attribute).await?;
        let mut sessions = Vec::new();
        for id in ids {
            let session = match self.ports.sessions().get(&id).await {
                Ok(session) => session,
                // A record that cannot be read never will be: the others must not wait for it.
                Err(error) if !error.is_retryable() => {
                    tracing::error!(sessionId = %id, %error, "health check: unreadable record skipped");
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

    /// Whether this run sweeps.
    fn sweeps(&self) -> bool {
        (self.now_ms / millis(self.rules.interval).max(1)).is_multiple_of(rules::SWEEP_EVERY)
    }
}

/// The first error of a duty over many sessions. Each is logged, and the others are still looked
/// after.
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
