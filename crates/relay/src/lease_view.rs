//! This run's view of its lease: how long it may deliver, whether a hand-off is requested, and the
//! desired state that was read last. The acquisition and then the renewer write lease and desired
//! state; other parts may request a renewal or a hand-off.

use std::time::Duration;

use session::ports::Clock;
use tokio::sync::{Notify, SetOnce, watch};
use tokio::time::Instant;

use crate::desired_state::DesiredState;

/// A hand-off is requested: the run finishes the delivery attempt in flight and stops delivering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandoffRequested;

/// The view of one run. Waiting on it cannot fail, because its senders live as long as the view.
pub(crate) struct LeaseView {
    desired: watch::Sender<DesiredState>,
    /// When this run's right to deliver expires; `None` before it holds the lease.
    valid_until: watch::Sender<Option<Instant>>,
    /// A checkpoint with the origin is stored.
    origin_persisted: SetOnce<()>,
    renewal_requested: Notify,
    handoff_requested: SetOnce<()>,
}

impl LeaseView {
    pub(crate) fn new(desired: DesiredState) -> Self {
        Self {
            desired: watch::Sender::new(desired),
            valid_until: watch::Sender::new(None),
            origin_persisted: SetOnce::new(),
            renewal_requested: Notify::new(),
            handoff_requested: SetOnce::new(),
        }
    }

    /// Returns the desired state. The reference must not be held across an await.
    pub(crate) fn desired(&self) -> watch::Ref<'_, DesiredState> {
        self.desired.borrow()
    }

    /// Returns a receiver of changes of the desired state.
    pub(crate) fn desired_changes(&self) -> watch::Receiver<DesiredState> {
        self.desired.subscribe()
    }

    /// Applies the state read from the table.
    pub(crate) fn apply(&self, read: DesiredState) {
        self.desired.send_if_modified(|current| {
            let updated = current.updated(read);
            let changed = *current != updated;
            *current = updated;
            changed
        });
    }

    /// Returns whether the session is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.desired().is_stop()
    }

    /// Returns when the stop was requested, in ms since the epoch; `None` without a request.
    pub(crate) fn stop_at(&self) -> Option<u64> {
        let desired = self.desired();
        desired.stop_at.filter(|_| desired.is_stop())
    }

    /// Returns the time since the stop request at `now_ms`; `None` without one.
    pub(crate) fn stopped_for(&self, now_ms: u64) -> Option<Duration> {
        let desired = self.desired();
        let since_ms = desired.stop_at.unwrap_or(now_ms);
        desired.is_stop().then(|| Duration::from_millis(now_ms.saturating_sub(since_ms)))
    }

    /// Resolves when the stop request is `duration` old.
    pub(crate) async fn stopped_longer_than(&self, duration: Duration, clock: &impl Clock) {
        let _ = self.desired.subscribe().wait_for(DesiredState::is_stop).await;
        let since = self.stopped_for(clock.now_ms()).unwrap_or_default();
        clock.sleep(duration.saturating_sub(since)).await;
    }

    /// Resolves when a successor has announced itself: its GetMedia connection is open.
    pub(crate) async fn successor_announced(&self) {
        let _ = self.desired.subscribe().wait_for(|desired| desired.successor.is_some()).await;
    }

    /// Resolves once this run has acquired the lease.
    pub(crate) async fn acquired(&self) {
        let _ = self.valid_until.subscribe().wait_for(Option::is_some).await;
    }

    /// Extends the right to deliver.
    pub(crate) fn extend(&self, until: Instant) {
        self.valid_until.send_replace(Some(until));
    }

    /// Waits until the lease is valid by this run's monotonic clock.
    ///
    /// # Errors
    /// The run is to hand off.
    pub(crate) async fn valid(&self, clock: &impl Clock) -> Result<(), HandoffRequested> {
        let mut valid_until = self.valid_until.subscribe();
        loop {
            let until = *valid_until.borrow_and_update();
            if until.is_some_and(|until| clock.instant() < until) {
                return Ok(());
            }
            self.unless_handoff(valid_until.changed()).await?.ok();
        }
    }

    /// Records that a checkpoint with the origin is stored.
    pub(crate) fn set_origin_persisted(&self) {
        self.origin_persisted.set(()).ok();
    }

    /// Waits until a checkpoint with the origin is stored, and requests a renewal that stores it.
    ///
    /// # Errors
    /// The run is to hand off.
    pub(crate) async fn origin_persisted(&self) -> Result<(), HandoffRequested> {
        if !self.origin_persisted.initialized() {
            self.request_renewal();
            self.unless_handoff(self.origin_persisted.wait()).await?;
        }
        Ok(())
    }

    /// Requests a renewal before the next interval.
    pub(crate) fn request_renewal(&self) {
        self.renewal_requested.notify_one();
    }

    /// Resolves when a renewal is requested.
    pub(crate) async fn renewal_requested(&self) {
        self.renewal_requested.notified().await;
    }

    /// Requests a hand-off of this run.
    pub(crate) fn request_handoff(&self) {
        self.handoff_requested.set(()).ok();
    }

    /// Returns the output of `future`.
    ///
    /// # Errors
    /// A hand-off is requested first.
    pub(crate) async fn unless_handoff<F: Future>(
        &self,
        future: F,
    ) -> Result<F::Output, HandoffRequested> {
        tokio::select! {
            biased;
            _ = self.handoff_requested.wait() => Err(HandoffRequested),
            output = future => Ok(output),
        }
    }
}
