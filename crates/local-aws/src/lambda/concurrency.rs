//! How many invocations of one function run at once, and the limit on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use crate::aws_error::AwsError;

/// The default concurrency limit of an account. Here it applies to each function, not to their sum.
const ACCOUNT_CONCURRENCY: u64 = 1_000;

/// The concurrency of one function.
#[derive(Debug)]
pub(super) struct Concurrency {
    running: Arc<AtomicU64>,
    reserved: Option<u32>,
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
        Self { running: Arc::default(), reserved }
    }

    /// Counts an invocation.
    ///
    /// # Errors
    /// `TooManyRequestsException` at the limit.
    pub(super) fn acquire(&self) -> Result<ConcurrencyPermit, AwsError> {
        let (limit, reason) = match self.reserved {
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
