//! How long the use cases may take, and how they wait.

use std::{future::Future, pin::pin, time::Duration};

use futures_util::future::{Either, select};

use crate::{
    ErrorKind, PortError,
    ports::{Clock, Random},
};

/// How far the clocks of two invocations may be apart.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Budgets of the use cases. The defaults fit a function timeout of
/// [`Limits::FUNCTION_TIMEOUT`], below API Gateway's 30 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the whole creation, until it is answered. Default 20 s.
    pub creation: Duration,
    /// For one call about an event or an item: putting, forgetting, a look, a mark. Default 2 s.
    pub event: Duration,
    /// For undoing a creation that failed, after [`Limits::creation`]. Default 7 s.
    pub undo: Duration,
    /// For what follows once a session is marked as ended. Default 15 s.
    pub deletion: Duration,
    /// For telling the listeners that the session ends, beside what else follows its end. Default 2 s.
    pub telling: Duration,
    /// How long a request with an `Idempotency-Key` may be under way; later, another one supersedes it. Default 34 s: the
    /// function's timeout, and 5 s for the clocks of two invocations, which may be that far apart.
    pub request_hold: Duration,
    /// First wait between two looks at a resource. Default 250 ms: KVS allows 5 calls a second per
    /// resource.
    pub first_pause: Duration,
    /// Longest wait between two looks. Default 1 s.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            creation: Duration::from_secs(20),
            event: Duration::from_secs(2),
            undo: Duration::from_secs(7),
            deletion: Duration::from_secs(15),
            telling: Duration::from_secs(2),
            request_hold: Self::FUNCTION_TIMEOUT + CLOCK_SKEW,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(1),
        }
    }
}

impl Limits {
    /// The function timeout for which the defaults are made.
    pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(29);

    /// The same budgets for an invocation that has only `remaining` time: all shrink alike, so that
    /// a creation that fails late can still be undone. The hold of a request stays: the invocation that finds its claim may
    /// have another deadline.
    #[must_use]
    pub fn within(self, remaining: Duration) -> Self {
        let share = remaining.as_secs_f64() / Self::FUNCTION_TIMEOUT.as_secs_f64();
        // 1 % less is no reason: the invocation was under way for a moment when it was asked.
        if share >= 0.99 {
            return self;
        }
        Self {
            creation: self.creation.mul_f64(share),
            event: self.event.mul_f64(share),
            undo: self.undo.mul_f64(share),
            deletion: self.deletion.mul_f64(share),
            telling: self.telling.mul_f64(share),
            ..self
        }
    }
}

/// Waits that grow by half each time and are drawn out by chance, so that many who started together
/// do not come back together. Never shorter than the first pause.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self { next: limits.first_pause, longest: limits.longest_pause }
    }

    fn draw(&mut self, random: &impl Random) -> Duration {
        let pause = self.next;
        self.next = (pause * 3 / 2).min(self.longest);
        let half = u64::try_from(pause.as_micros() / 2).unwrap_or(u64::MAX).max(1);
        pause + Duration::from_micros(random.next_u64() % half)
    }

    /// Waits, unless that would last beyond the deadline: then `false`, at once.
    pub(crate) async fn wait(
        &mut self,
        around: &(impl Clock + Random),
        deadline: Duration,
    ) -> bool {
        let pause = self.draw(around);
        if around.monotonic() + pause >= deadline {
            return false;
        }
        around.sleep(pause).await;
        true
    }
}

/// Gives a call until `deadline` (by [`Clock::monotonic`]) and then drops it.
pub(crate) async fn by<T>(
    clock: &impl Clock,
    deadline: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let left = deadline.saturating_sub(clock.monotonic());
    if left.is_zero() {
        // Nothing was sent, but a caller that must know what it left behind may not rely on that.
        return Err(PortError::new(operation, ErrorKind::TimedOut, "no time left"));
    }
    match select(pin!(call), pin!(clock.sleep(left))).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => {
            Err(PortError::new(operation, ErrorKind::TimedOut, "no answer within the time given"))
        }
    }
}

/// Repeats a call while `again` holds for its fault and there is time.
pub(crate) async fn persist<T, C: Future<Output = Result<T, PortError>>>(
    around: &(impl Clock + Random),
    limits: &Limits,
    deadline: Duration,
    operation: &'static str,
    again: fn(ErrorKind) -> bool,
    mut call: impl FnMut() -> C,
) -> Result<T, PortError> {
    let mut pauses = Pauses::new(limits);
    loop {
        let result = by(around, deadline, operation, call()).await;
        match result {
            Err(fault) if again(fault.kind) && pauses.wait(around, deadline).await => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budgets_fit_the_function_timeout() {
        let limits = Limits::default();
        assert!(limits.creation + limits.undo < Limits::FUNCTION_TIMEOUT);
        // The event is put, and forgotten.
        assert!(limits.creation + 2 * limits.event < Limits::FUNCTION_TIMEOUT);
        // A look, an earlier event put and forgotten, the mark, another look; a PATCH shows what became of it.
        assert!(limits.deletion + 6 * limits.event < Limits::FUNCTION_TIMEOUT);
    }

    #[test]
    fn a_shorter_invocation_shrinks_them_alike() {
        let limits = Limits::default();
        let half = limits.within(Limits::FUNCTION_TIMEOUT / 2);
        assert_eq!(half.creation, limits.creation / 2);
        assert_eq!(half.undo, limits.undo / 2);
        assert_eq!(half.request_hold, limits.request_hold);
        assert_eq!(half.first_pause, limits.first_pause);
        assert_eq!(limits.within(Limits::FUNCTION_TIMEOUT), limits);
        assert_eq!(limits.within(Duration::from_secs(900)), limits);
    }
}
