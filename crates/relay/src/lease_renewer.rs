//! Renews the lease while the run delivers, and releases it at the end. Each write carries the
//! current checkpoint.
//!
//! Between two renewals the holder reads its item each [`Config::observe`](crate::Config::observe).
//! DynamoDB charges a write by the size of the item, which contains the checkpoint, and a read much
//! less: so the item is read often, and written when the lease or the checkpoint requires it.

use std::sync::atomic::{AtomicU64, Ordering};

use session::Backoff;
use session::ports::{Clock, millis};
use session::{PortError, StreamItem};
use tokio::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::desired_state::DesiredState;
use crate::error::RelayError;
use crate::lease::Lease;
use crate::lease_table::{LeaseTable, Renewal};
use crate::ports::Ports;
use crate::retry::retry;
use crate::run_state::RunState;

/// Why the time between two renewals ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Observed {
    /// The next renewal is due.
    RenewalDue,
    /// The item shows that another run holds the lease.
    LeaseLost,
}

/// The writes of the lease holder. Each has its own revision.
pub(crate) struct LeaseRenewer<'a, P: Ports> {
    run: &'a RunState<'a, P>,
    lease: &'a Lease,
    revision: AtomicU64,
}

impl<'a, P: Ports> LeaseRenewer<'a, P> {
    pub(crate) fn new(run: &'a RunState<'a, P>, lease: &'a Lease) -> Self {
        run.lease.extend(lease.since + run.ctx.config.lease_guard());
        Self { run, lease, revision: AtomicU64::new(0) }
    }

    /// Renews the lease until another run holds it.
    pub(crate) async fn renew_loop(&self) {
        let (ctx, view) = (&self.run.ctx, &self.run.lease);
        let (clock, config) = (ctx.clock(), ctx.config);
        let (first, _) = config.retry;
        let mut backoff = Backoff::new(first, config.observe);
        loop {
            let sent = clock.instant();
            let has_origin = self.run.progress.lock().settled().origin.is_some();
            let renewed = clock.within(config.table_timeout(), self.renew()).await;
            match renewed {
                Some(Ok(Some(item))) => {
                    backoff.reset();
                    view.extend(sent + config.lease_guard());
                    if has_origin {
                        view.set_origin_persisted();
                    }
                    self.apply(&item);
                    let observed = tokio::select! {
                        observed = self.observe_until(sent + config.renew()) => observed,
                        () = view.renewal_requested() => Observed::RenewalDue,
                    };
                    if observed == Observed::LeaseLost {
                        return;
                    }
                }
                Some(Ok(None)) => return,
                Some(Err(error)) => {
                    tracing::warn!(sessionId = %ctx.session_id, %error, "lease renewal failed; retrying");
                    clock.sleep(backoff.next(ctx.clock())).await;
                }
                None => tracing::warn!(sessionId = %ctx.session_id, "lease renewal timed out"),
            }
        }
    }

    /// Reads the item until a renewal is due, and applies the desired state that it contains. A
    /// read that fails is repeated: the renewal decides whether the table can be reached.
    async fn observe_until(&self, due: Instant) -> Observed {
        let ctx = &self.run.ctx;
        let clock = ctx.clock();
        loop {
            clock.sleep_until(due.min(clock.instant() + ctx.config.observe)).await;
            let left = due.saturating_duration_since(clock.instant());
            if left.is_zero() {
                return Observed::RenewalDue;
            }
            match clock.within(left, ctx.relay.leases.load(&ctx.session_id)).await {
                Some(Ok(Some(item))) if self.holds(&item) => {
                    let was_paused = self.run.lease.desired().paused;
                    self.apply(&item);
                    // The checkpoint then passes what was skipped: no later run delivers it.
                    if was_paused != self.run.lease.desired().paused {
                        return Observed::RenewalDue;
                    }
                }
                Some(Ok(_)) => return Observed::LeaseLost,
                Some(Err(error)) => {
                    tracing::warn!(sessionId = %ctx.session_id, %error, "reading the lease failed; retrying");
                }
                None => tracing::warn!(sessionId = %ctx.session_id, "reading the lease timed out"),
            }
        }
    }

    /// Returns whether the item shows this run as the holder.
    fn holds(&self, item: &StreamItem) -> bool {
        item.owner.as_deref() == Some(&self.lease.owner) && item.epoch == self.lease.epoch
    }

    async fn renew(&self) -> Result<Option<StreamItem>, PortError> {
        let checkpoint = self.run.progress.lock().checkpoint();
        self.run.ctx.relay.leases.renew(&self.run.ctx.session_id, self.renewal(&checkpoint)).await
    }

    /// Stores the checkpoint and releases the lease in one write.
    ///
    /// # Errors
    /// The table is unavailable.
    pub(crate) async fn release(&self, ended: bool) -> Result<(), RelayError> {
        let ctx = &self.run.ctx;
        let mut checkpoint = self.run.progress.lock().checkpoint();
        checkpoint.released_at_ms = Some(ctx.clock().now_ms());
        let release =
            || ctx.relay.leases.release(&ctx.session_id, self.renewal(&checkpoint), ended);
        // A failed condition means that another run holds the lease already.
        retry(ctx.relay, &ctx.session_id, release).await.map(drop)
    }

    fn renewal<'w>(&'w self, checkpoint: &'w Checkpoint) -> Renewal<'w> {
        let observed = *self.run.reader.observed();
        let now = self.run.ctx.clock().now_ms();
        Renewal {
            owner: &self.lease.owner,
            epoch: self.lease.epoch,
            revision: self.revision.fetch_add(1, Ordering::Relaxed) + 1,
            expires_at: now + millis(self.run.ctx.config.lease),
            checkpoint,
            // A reader blocked by the processor receives nothing; that does not count as speaker
            // silence.
            last_activity_at: if self.run.queue.is_full() { Some(now) } else { observed.active_at },
        }
    }

    fn apply(&self, item: &StreamItem) {
        let was_stopping = self.run.lease.is_stopping();
        self.run.lease.apply(DesiredState::from(item));
        let age = self.run.lease.stopped_for(self.run.ctx.clock().now_ms());
        if let Some(age) = age.filter(|_| !was_stopping) {
            tracing::info!(sessionId = %self.run.ctx.session_id, stopSeenMillis = millis(age), "stop seen: draining");
        }
    }
}
