//! Renews the lease while the run delivers, and releases it at the end. Each write carries the
//! current checkpoint.

use std::sync::atomic::{AtomicU64, Ordering};

use session::{PortError, StreamItem};

use crate::backoff::Backoff;
use crate::checkpoint::Checkpoint;
use crate::clock::{Clock, millis};
use crate::context::RunContext;
use crate::desired_state::DesiredState;
use crate::error::RelayError;
use crate::lease::Lease;
use crate::lease_table::{LeaseTable, Renewal};
use crate::lease_view::LeaseView;
use crate::ports::Ports;
use crate::progress::SharedProgress;
use crate::queue::Queue;
use crate::reader_status::ReaderStatus;
use crate::retry::retry;

/// The writes of the lease holder. Each has its own revision.
pub(crate) struct LeaseRenewer<'a, P: Ports> {
    ctx: &'a RunContext<'a, P>,
    lease: &'a Lease,
    view: &'a LeaseView,
    progress: &'a SharedProgress,
    reader: &'a ReaderStatus,
    queue: &'a Queue,
    revision: AtomicU64,
}

impl<'a, P: Ports> LeaseRenewer<'a, P> {
    pub(crate) fn new(
        ctx: &'a RunContext<'a, P>,
        lease: &'a Lease,
        view: &'a LeaseView,
        progress: &'a SharedProgress,
        reader: &'a ReaderStatus,
        queue: &'a Queue,
    ) -> Self {
        view.extend(lease.since + ctx.config.lease_guard);
        Self { ctx, lease, view, progress, reader, queue, revision: AtomicU64::new(0) }
    }

    /// Renews the lease until another run holds it.
    pub(crate) async fn renew_loop(&self) {
        let (ctx, clock) = (self.ctx, self.ctx.clock());
        let (first, _) = ctx.config.retry;
        let mut backoff = Backoff::new(first, ctx.config.renew);
        loop {
            let sent = clock.instant();
            let has_origin = self.progress.lock().state().origin.is_some();
            // A response that arrives after the guard has expired is of no use.
            let renewed = clock.within(ctx.config.lease_guard / 2, self.renew()).await;
            match renewed {
                Some(Ok(Some(item))) => {
                    backoff.reset();
                    self.view.extend(sent + ctx.config.lease_guard);
                    if has_origin {
                        self.view.set_origin_persisted();
                    }
                    self.apply(&item);
                    tokio::select! {
                        () = clock.sleep_until(sent + ctx.config.renew) => {}
                        () = self.view.renewal_requested() => {}
                    }
                }
                Some(Ok(None)) => return,
                Some(Err(error)) => {
                    tracing::warn!(sessionId = %ctx.session_id, %error, "lease renewal failed; retrying");
                    clock.sleep(backoff.next(ctx.ports.random())).await;
                }
                None => tracing::warn!(sessionId = %ctx.session_id, "lease renewal timed out"),
            }
        }
    }

    async fn renew(&self) -> Result<Option<StreamItem>, PortError> {
        let checkpoint = self.progress.lock().checkpoint();
        self.ctx.ports.leases().renew(&self.ctx.session_id, self.renewal(&checkpoint)).await
    }

    /// Stores the checkpoint and releases the lease in one write.
    ///
    /// # Errors
    /// The table is unavailable.
    pub(crate) async fn release(&self, ended: bool) -> Result<(), RelayError> {
        let ctx = self.ctx;
        let mut checkpoint = self.progress.lock().checkpoint();
        checkpoint.released_at_ms = Some(ctx.clock().now_ms());
        let release =
            || ctx.ports.leases().release(&ctx.session_id, self.renewal(&checkpoint), ended);
        // A failed condition means that another run holds the lease already.
        retry(ctx.ports, ctx.config, &ctx.session_id, release).await.map(drop)
    }

    fn renewal<'w>(&'w self, checkpoint: &'w Checkpoint) -> Renewal<'w> {
        let observed = *self.reader.observed();
        let now = self.ctx.clock().now_ms();
        Renewal {
            owner: &self.lease.owner,
            epoch: self.lease.epoch,
            revision: self.revision.fetch_add(1, Ordering::Relaxed) + 1,
            expires_at: now + millis(self.ctx.config.lease),
            checkpoint,
            // A reader blocked by the processor receives nothing; that does not count as speaker
            // silence.
            last_activity_at: if self.queue.is_full() {
                Some(now)
            } else {
                observed.last_fragment_at
            },
        }
    }

    fn apply(&self, item: &StreamItem) {
        let was_stopping = self.view.is_stopping();
        self.view.apply(DesiredState::from(item));
        let age = self.view.stopped_for(self.ctx.clock().now_ms());
        if let Some(age) = age.filter(|_| !was_stopping) {
            tracing::info!(sessionId = %self.ctx.session_id, stopSeenMillis = millis(age), "stop seen: draining");
        }
    }
}
