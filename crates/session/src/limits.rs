//! Time budgets and retries of the use cases.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    Backoff, ErrorKind, PortError, PortFuture,
    ports::{Clock, Random, ResourceState},
};

/// Maximum clock difference between two invocations.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Time budgets of the use cases. The defaults fit a function timeout of
/// [`Limits::FUNCTION_TIMEOUT`], which is below API Gateway's limit of 30 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a creation, up to its response. Default 20 s.
    pub creation: Duration,
    /// For one step on an event or an item, including retries: emit, clear, read or update. Default
    /// 2 s.
    pub event: Duration,
    /// For removing the resources of a failed creation, after [`Limits::creation`]. Default 7 s.
    pub compensation: Duration,
    /// For the steps after a session is marked as ended. Default 15 s.
    pub deletion: Duration,
    /// For notifying the listeners that the session is ending, concurrently with the other steps
    /// after its end. Default 2 s.
    pub notification: Duration,
    /// How long a request with an `Idempotency-Key` counts as in progress; after that, another
    /// request supersedes it. Default 34 s: the function timeout plus 5 s for clock differences
    /// between invocations.
    pub request_hold: Duration,
    /// Initial pause between two polls of a resource. Default 250 ms: KVS allows 5 calls per second
    /// and resource.
    pub first_pause: Duration,
    /// Maximum pause between two polls. Default 1 s.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            creation: Duration::from_secs(20),
            event: Duration::from_secs(2),
            compensation: Duration::from_secs(7),
            deletion: Duration::from_secs(15),
            notification: Duration::from_secs(2),
            request_hold: Self::FUNCTION_TIMEOUT + CLOCK_SKEW,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(1),
        }
    }
}

impl Limits {
    /// The function timeout that the defaults are designed for.
    pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(29);

    /// Returns these budgets scaled to an invocation with only `remaining` time, all by the same
    /// factor, so that a creation that fails late still has time for compensation. `request_hold`
    /// is not scaled, because the invocation that reads the claim may have another deadline.
    #[must_use]
    pub fn within(self, remaining: Duration) -> Self {
        let share = remaining.as_secs_f64() / Self::FUNCTION_TIMEOUT.as_secs_f64();
        // Differences below 1 % are ignored: the invocation started shortly before this call.
        if share >= 0.99 {
            return self;
        }
        Self {
            creation: self.creation.mul_f64(share),
            event: self.event.mul_f64(share),
            compensation: self.compensation.mul_f64(share),
            deletion: self.deletion.mul_f64(share),
            notification: self.notification.mul_f64(share),
            ..self
        }
    }
}

/// Runs a call with a deadline and drops it when the deadline passes.
pub(crate) async fn with_deadline<T: Send>(
    clock: &impl Clock,
    deadline: Instant,
    operation: &'static str,
    call: impl PortFuture<T>,
) -> Result<T, PortError> {
    let left = deadline.saturating_duration_since(clock.instant());
    let timed_out = |message| Err(PortError::new(operation, ErrorKind::TimedOut, message));
    if left.is_zero() {
        // No request was sent, but `TimedOut` makes the caller treat the outcome as unknown.
        return timed_out("no time left before the deadline");
    }
    let result = clock.within(left, call).await;
    result.unwrap_or_else(|| timed_out("no response before the deadline"))
}

/// A deadline shared by several calls, and the pauses between the attempts of each.
#[derive(Debug)]
pub(crate) struct CallBudget<'a, C> {
    ctx: &'a C,
    limits: &'a Limits,
    pub(crate) deadline: Instant,
}

impl<'a, C: Clock + Random> CallBudget<'a, C> {
    /// Creates a budget that ends `time` from now.
    pub(crate) fn new(ctx: &'a C, limits: &'a Limits, time: Duration) -> Self {
        Self::until(ctx, limits, ctx.instant() + time)
    }

    /// Creates a budget that ends at `deadline`.
    pub(crate) const fn until(ctx: &'a C, limits: &'a Limits, deadline: Instant) -> Self {
        Self { ctx, limits, deadline }
    }

    /// Returns a budget of the first of `steps` equal parts of the remaining time.
    pub(crate) fn first_of(&self, steps: u32) -> Self {
        let left = self.deadline.saturating_duration_since(self.ctx.instant());
        Self::new(self.ctx, self.limits, left / steps)
    }

    /// Retries a call while its error [is retryable](ErrorKind::is_retryable) and time remains.
    pub(crate) async fn idempotent<T: Send, F: PortFuture<T>>(
        &self,
        operation: &'static str,
        call: impl FnMut() -> F,
    ) -> Result<T, PortError> {
        self.retry(operation, ErrorKind::is_retryable, call).await
    }

    /// Retries a call while it [is throttled](ErrorKind::is_throttled), so that no attempt follows
    /// one that may have taken effect.
    pub(crate) async fn at_most_once<T: Send, F: PortFuture<T>>(
        &self,
        operation: &'static str,
        call: impl FnMut() -> F,
    ) -> Result<T, PortError> {
        self.retry(operation, ErrorKind::is_throttled, call).await
    }

    /// Retries a call while `is_retryable` returns true for its error and time remains.
    pub(crate) async fn retry<T: Send, F: PortFuture<T>>(
        &self,
        operation: &'static str,
        is_retryable: fn(ErrorKind) -> bool,
        mut call: impl FnMut() -> F,
    ) -> Result<T, PortError> {
        // Twice, because a pause is at least half its maximum: none is shorter than the first.
        let mut backoff = Backoff::new(self.limits.first_pause * 2, self.limits.longest_pause);
        loop {
            let result = with_deadline(self.ctx, self.deadline, operation, call()).await;
            match result {
                Err(error) if is_retryable(error.kind) => {
                    let pause = backoff.next(self.ctx);
                    if self.ctx.instant() + pause >= self.deadline {
                        return Err(error);
                    }
                    self.ctx.sleep(pause).await;
                }
                result => return result,
            }
        }
    }

    /// Polls a resource with increasing pauses until it is ACTIVE.
    pub(crate) async fn until_active<F: PortFuture<ResourceState>>(
        &self,
        operation: &'static str,
        describe: impl Fn() -> F + Sync,
    ) -> Result<(), PortError> {
        // The control plane is eventually consistent: a new resource may not be visible yet.
        let is_retryable = |kind: ErrorKind| kind.is_retryable() || kind == ErrorKind::NotFound;
        let state = || async {
            let error = |kind, message| PortError::new(operation, kind, message);
            match describe().await? {
                ResourceState::Active => Ok(()),
                ResourceState::Deleting => Err(error(ErrorKind::InUse, "it is being deleted")),
                ResourceState::Pending => {
                    Err(error(ErrorKind::TimedOut, "not ACTIVE within the time given"))
                }
            }
        };
        self.retry(operation, is_retryable, state).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budgets_fit_the_function_timeout() {
        let limits = Limits::default();
        assert!(limits.creation + limits.compensation < Limits::FUNCTION_TIMEOUT);
        // Emits the event and clears it.
        assert!(limits.creation + 2 * limits.event < Limits::FUNCTION_TIMEOUT);
        // Reads the session, emits and clears an earlier event, marks the end, reads again; a PATCH
        // then reads the result.
        assert!(limits.deletion + 6 * limits.event < Limits::FUNCTION_TIMEOUT);
    }

    #[test]
    fn a_shorter_invocation_shrinks_them_alike() {
        let limits = Limits::default();
        let half = limits.within(Limits::FUNCTION_TIMEOUT / 2);
        assert_eq!(half.creation, limits.creation / 2);
        assert_eq!(half.compensation, limits.compensation / 2);
        assert_eq!(half.request_hold, limits.request_hold);
        assert_eq!(half.first_pause, limits.first_pause);
        assert_eq!(limits.within(Limits::FUNCTION_TIMEOUT), limits);
        assert_eq!(limits.within(Duration::from_secs(900)), limits);
    }
}
