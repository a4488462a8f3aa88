//! One invocation in one process: from the hand-over to its answer, and on until the process is
//! done with it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Invoked;
use super::instance::{Instance, Job, Kept, Outcome};
use super::invocation::Invocation;
use super::pool::{Pool, Running};
use crate::clock::real_now_ms;
use crate::faults::{Fault, FaultKind};

impl Pool {
    /// Hands the invocation over and waits for its outcome, the process's end or the timeout.
    pub(super) async fn run_on(
        self: &Arc<Self>,
        instance: &Arc<Instance>,
        invocation: &Invocation,
        fault: Option<Fault>,
        running: Running,
    ) -> Invoked {
        let timeout = self.clock.real(self.function.timeout);
        let deadline = Instant::now() + timeout;
        let deadline_ms =
            real_now_ms().saturating_add(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        let over = CancellationToken::new();
        let kept = Kept { _running: running, _over: over.clone().drop_guard() };
        let outcome = instance.give(Job { invocation: invocation.clone(), deadline_ms }, kept);
        let mut killed = Box::pin(killed(Arc::clone(instance), fault));
        let crashed = |how: String| {
            let reason = format!("Runtime exited with error: {how}");
            invocation.ended("Runtime.ExitError", &reason)
        };
        tokio::select! {
            biased;
            how = &mut killed => crashed(how),
            Ok(outcome) = outcome => {
                let rest = wind_up(Arc::clone(self), Arc::clone(instance), deadline, over, killed);
                tokio::spawn(rest);
                match outcome {
                    Outcome::Answer(payload) => invocation.answered(payload),
                    Outcome::Error(report) => invocation.failed(report),
                }
            }
            how = instance.exited() => crashed(how),
            () = tokio::time::sleep_until(deadline) => {
                instance.kill();
                self.counts.timeouts.fetch_add(1, Ordering::Relaxed);
                let seconds = self.function.timeout.as_secs_f64();
                let reason = format!("Task timed out after {seconds:.2} seconds");
                invocation.ended("Sandbox.Timedout", &reason)
            }
        }
    }
}

/// Ends the process when the fault says so; then it tells how it ended.
async fn killed(instance: Arc<Instance>, fault: Option<Fault>) -> String {
    match fault.filter(|fault| fault.kind == FaultKind::Kill) {
        // Even the shortest sleep would let a quick answer through.
        Some(fault) if fault.delay().is_zero() => {}
        Some(fault) => tokio::time::sleep(fault.delay()).await,
        None => std::future::pending().await,
    }
    instance.kill();
    instance.exited().await
}

/// Lets the extensions finish with an invocation that was answered: until it is `over`, it has its
/// time, and a fault may strike it.
async fn wind_up(
    pool: Arc<Pool>,
    instance: Arc<Instance>,
    deadline: Instant,
    over: CancellationToken,
    killed: impl Future<Output = String>,
) {
    tokio::select! {
        biased;
        () = over.cancelled() => {}
        _ = killed => {}
        _ = instance.exited() => {}
        () = tokio::time::sleep_until(deadline) => {
            instance.kill();
            pool.counts.timeouts.fetch_add(1, Ordering::Relaxed);
        }
    }
}
