//! Runs one invocation in one execution environment: from the hand-over to the answer, and on until
//! the extensions have finished.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::concurrency::ConcurrencyPermit;
use super::environment::ExecutionEnvironment;
use super::invocation::{Invocation, Invoked};
use super::job::{InvocationGuard, Job, Outcome};
use crate::clock::real_now_ms;
use crate::faults::{Fault, FaultKind};

/// Limits of one execution.
pub(super) struct Limits {
    /// The function's timeout, in real time.
    pub(super) timeout: Duration,
    /// Counts the invocations that reach it.
    pub(super) timeouts: Arc<AtomicU64>,
}

/// Hands an invocation over and waits for the outcome, the exit of the process, or the timeout. A
/// [`FaultKind::Kill`] kills the process after its delay; without a delay, no answer is faster.
pub(super) async fn execute(
    environment: &Arc<ExecutionEnvironment>,
    invocation: &Invocation,
    fault: Option<Fault>,
    permit: ConcurrencyPermit,
    limits: Limits,
) -> Invoked {
    let timeout = limits.timeout;
    let deadline = Instant::now() + timeout;
    let deadline_ms =
        real_now_ms().saturating_add(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
    let finished = CancellationToken::new();
    let guard = InvocationGuard { _permit: permit, _finished: finished.clone().drop_guard() };
    let outcome = environment.give(Job { invocation: invocation.clone(), deadline_ms }, guard);
    let mut kill = Box::pin(kill_due(fault));
    let crashed = |status: String| {
        let reason = format!("Runtime exited with error: {status}");
        invocation.ended("Runtime.ExitError", &reason)
    };
    tokio::select! {
        // The kill first: once it is due, an answer that is already there does not count.
        biased;
        () = &mut kill => {
            environment.kill();
            crashed(environment.exited().await)
        }
        Ok(outcome) = outcome => {
            let environment = Arc::clone(environment);
            tokio::spawn(finish_extensions(environment, deadline, finished, kill, limits.timeouts));
            match outcome {
                Outcome::Answer(payload) => invocation.answered(payload),
                Outcome::Error(report) => invocation.failed(report),
            }
        }
        status = environment.exited() => crashed(status),
        () = tokio::time::sleep_until(deadline) => {
            // Managed instances interrupt neither the invocation nor the others of its process.
            if environment.function.instances.is_none() {
                environment.kill();
            }
            limits.timeouts.fetch_add(1, Ordering::Relaxed);
            let seconds = timeout.as_secs_f64();
            let reason = format!("Task timed out after {seconds:.2} seconds");
            invocation.ended("Sandbox.Timedout", &reason)
        }
    }
}

/// Completes when a fault kills the process; without such a fault, never.
async fn kill_due(fault: Option<Fault>) {
    match fault.filter(|fault| fault.kind == FaultKind::Kill) {
        // After even the shortest sleep, a quick answer would be first.
        Some(fault) if fault.delay().is_zero() => {}
        Some(fault) => tokio::time::sleep(fault.delay()).await,
        None => std::future::pending().await,
    }
}

/// Waits until the extensions have finished with an answered invocation. The timeout and the fault
/// still apply until they have.
async fn finish_extensions(
    environment: Arc<ExecutionEnvironment>,
    deadline: Instant,
    finished: CancellationToken,
    kill: impl Future<Output = ()>,
    timeouts: Arc<AtomicU64>,
) {
    let kill = pin!(kill);
    tokio::select! {
        biased;
        () = finished.cancelled() => {}
        () = kill => environment.kill(),
        _ = environment.exited() => {}
        () = tokio::time::sleep_until(deadline) => {
            environment.kill();
            timeouts.fetch_add(1, Ordering::Relaxed);
        }
    }
}
