//! How many invocations of one function run at once, and the limit on them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

use crate::aws_error::AwsError;

/// The default concurrency limit of an account. Here it applies to each function, not to their sum.
const ACCOUNT_CONCURRENCY: u64 = 1_000;

/// The concurrency of one function.
#[derive(Debug)]
pub(super) struct Concurrency {
    running: Arc<AtomicU64>,
    reserved: Mutex<Option<u32>>,
}

/// One invocation that counts against the concurrency until it is dropped.
#[derive(Debug)]
pub(super) struct ConcurrencyPermit(Arc<AtomicU64>);

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Concurrency {
    /// The concurrency of a function with `reserved` concurrent executions, or the account's limit.
    pub(super) fn new(reserved: Option<u32>) -> Self {
        Self { running: Arc::default(), reserved: Mutex::new(reserved) }
    }

    /// Returns the reserved concurrency; `None`: the account's limit applies.
    pub(super) fn reserved(&self) -> Option<u32> {
        *self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves concurrency. Invocations that run already continue, also beyond it.
    pub(super) fn reserve(&self, reserved: Option<u32>) {
        *self.reserved.lock().unwrap_or_else(PoisonError::into_inner) = reserved;
    }

    /// Counts an invocation.
    ///
    /// # Errors
    /// `TooManyRequestsException` at the limit.
    pub(super) fn acquire(&self) -> Result<ConcurrencyPermit, AwsError> {
        let (limit, reason) = match self.reserved() {
            Some(limit) => (u64::from(limit), "ReservedFunctionConcurrentInvocationLimitExceeded"),
            None => (ACCOUNT_CONCURRENCY, "ConcurrentInvocationLimitExceeded"),
        };
        let acquired = self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| {
            (running < limit).then_some(running + 1)
        });
        if acquired.is_ok() {
            return Ok(ConcurrencyPermit(Arc::clone(&self.running)));
        }
        let (status, code) = (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException");
        Err(AwsError::new(status, code, "Rate Exceeded.")
            .with("Reason", reason)
            .with("Type", "User"))
    }

    /// Returns how many invocations run.
    pub(super) fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_applies_to_new_invocations() {
        let concurrency = Concurrency::new(Some(1));
        let first = concurrency.acquire().unwrap();
        concurrency.reserve(Some(0));
        assert_eq!(concurrency.running(), 1);
        drop(first);
        let refused = concurrency.acquire().unwrap_err();
        assert_eq!(refused.extra["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
        concurrency.reserve(None);
        assert_eq!(concurrency.reserved(), None);
        assert!(concurrency.acquire().is_ok() && concurrency.acquire().is_ok());
    }
}
