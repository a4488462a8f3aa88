//! Renews the lease and reads the session's desired state while the run delivers.

use std::convert::Infallible;

use session::{Desired, PortError, SessionId, StreamItem};

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::lease::{Held, LeaseTable, Renewal};
use crate::line::{Line, Orders};
use crate::ports::{Meter, Ports, Sessions, millis};

/// The lease holder's writes. Each carries the current checkpoint and its own revision.
pub(crate) struct Keeper<'a, 'l, P: Ports> {
    line: &'a Line<'l, P>,
    owner: String,
    epoch: u64,
    revision: std::sync::atomic::AtomicU64,
}

impl<'a, 'l, P: Ports> Keeper<'a, 'l, P> {
    pub(crate) fn new(line: &'a Line<'l, P>, held: &Held) -> Self {
        line.term.send_replace(Some(held.since + line.config.lease_guard));
        Self {
            line,
            owner: held.owner.clone(),
            epoch: held.epoch,
            revision: std::sync::atomic::AtomicU64::new(0),
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Renews the lease until another run holds it.
    pub(crate) async fn keep(&self) {
        let line = self.line;
        let clock = line.ports.clock();
        let (first, _) = line.config.retry;
        let mut backoff = Backoff::new(first, line.config.renew);
        loop {
            let sent = clock.instant();
            let anchored = line.ledger().state().origin.is_some();
            // A response that arrives after the guard has expired is of no use.
            let renewed = clock.within(line.config.lease_guard / 2, self.renew()).await;
            match renewed {
                Some(Ok(Some(item))) => {
                    backoff.reset();
                    line.term.send_replace(Some(sent + line.config.lease_guard));
                    if anchored {
                        line.anchored.send_if_modified(|done| !std::mem::replace(done, true));
                    }
                    self.heard(&item);
                    tokio::select! {
                        () = clock.sleep_until(sent + line.config.renew) => {}
                        () = line.renew_now.notified() => {}
                    }
                }
                Some(Ok(None)) => return,
                Some(Err(error)) => {
                    tracing::warn!(sessionId = %line.session, %error, "lease renewal failed; retrying");
                    clock.sleep(backoff.next(line.ports.random())).await;
                }
                None => tracing::warn!(sessionId = %line.session, "lease renewal timed out"),
            }
        }
    }

    async fn renew(&self) -> Result<Option<StreamItem>, PortError> {
        let checkpoint = self.line.ledger().checkpoint();
        self.line.ports.leases().renew(&self.line.session, self.write(&checkpoint)).await
    }

    /// Stores the checkpoint and releases the lease in one write.
    pub(crate) async fn release(&self, ended: bool) -> Result<Option<()>, crate::RelayError> {
        let line = self.line;
        let mut checkpoint = line.ledger().checkpoint();
        checkpoint.released_at_ms = Some(line.ports.clock().now_ms());
        let release = || line.ports.leases().release(&line.session, self.write(&checkpoint), ended);
        crate::retry::persist(line.ports, line.config, &line.session, release).await
    }

    fn write<'w>(&'w self, checkpoint: &'w crate::Checkpoint) -> Renewal<'w> {
        let activity = *self.line.activity();
        let now = self.line.ports.clock().now_ms();
        Renewal {
            owner: &self.owner,
            epoch: self.epoch,
            revision: self.revision.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1,
            expires_at: now + millis(self.line.config.lease),
            checkpoint,
            // A reader blocked by the processor receives nothing; that does not count as speaker
            // silence.
            last_activity_at: if self.line.queue.is_full() { Some(now) } else { activity.last_at },
            fragment_millis: activity.longest_fragment_ms,
        }
    }

    fn heard(&self, item: &StreamItem) {
        let line = self.line;
        let before = line.orders.borrow().desired;
        line.heard(Orders::from(item));
        let orders = line.orders.borrow();
        if before != Desired::Stop && orders.desired == Desired::Stop {
            let now = line.ports.clock().now_ms();
            let latency = now.saturating_sub(orders.stop_at.unwrap_or(now));
            tracing::info!(sessionId = %line.session, stopSeenMillis = latency, "stop seen: draining");
        }
    }
}

/// Polls Sessions.status, so that a lost ENDED event still stops the stream. Never returns.
pub(crate) async fn watch_session<P: Ports>(line: &Line<'_, P>) -> Infallible {
    let clock = line.ports.clock();
    loop {
        clock.sleep(line.config.session_poll).await;
        if line.orders.borrow().desired == Desired::Stop {
            continue;
        }
        let look = line.ports.sessions().is_over(&line.session);
        match clock.within(line.config.session_poll, look).await {
            Some(Ok(true)) => {
                let request = request_stop(line.ports, &line.session, line);
                let _ = clock.within(line.config.session_poll, request).await;
            }
            Some(Ok(false)) => {}
            Some(Err(error)) => {
                tracing::warn!(sessionId = %line.session, %error, "session status query failed");
            }
            None => tracing::warn!(sessionId = %line.session, "session status query timed out"),
        }
    }
}

async fn request_stop<P: Ports>(ports: &P, session: &SessionId, line: &Line<'_, P>) {
    tracing::info!(sessionId = %session, "the session is over but no ENDED event was received; requesting a stop");
    // The next renewal returns the stop; a failure is retried at the next poll.
    if let Err(error) = ports.leases().request_stop(session, ports.clock().now_ms()).await {
        tracing::warn!(sessionId = %session, %error, "storing the stop request failed");
    } else {
        line.renew_now.notify_one();
    }
}

/// Polls the listeners' languages. Never returns.
pub(crate) async fn watch_languages<P: Ports>(line: &Line<'_, P>) -> Infallible {
    let clock = line.ports.clock();
    loop {
        let look = line.ports.sessions().listener_languages(&line.session);
        match clock.within(line.config.languages_poll, look).await {
            Some(Ok(languages)) => *line.languages() = languages,
            Some(Err(error)) => {
                tracing::warn!(sessionId = %line.session, %error, "listener language query failed");
            }
            None => tracing::warn!(sessionId = %line.session, "listener language query timed out"),
        }
        clock.sleep(line.config.languages_poll).await;
    }
}

/// Writes the stream's metrics periodically. Never returns.
pub(crate) async fn report<P: Ports>(line: &Line<'_, P>) -> Infallible {
    loop {
        line.ports.clock().sleep(line.config.metrics_every).await;
        let mut snapshot = line.metrics().take();
        snapshot.retention_risk_millis = line.retention_risk();
        if let Some(left) = snapshot.retention_risk_millis {
            tracing::error!(sessionId = %line.session, leftMillis = left, "undelivered audio is close to the end of its KVS retention; fix the processor or GetMedia errors in this log, or raise StreamRetentionHours");
        }
        line.ports.meter().emit(&line.session, &snapshot);
    }
}
