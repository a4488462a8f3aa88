//! Functions on managed instances: a fixed number of processes, each started again when it ends.
//!
//! AWS starts three environments and scales them by their load; here their number does not change.
//! An invocation for which no worker is free is throttled, as on AWS while it scales.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::environment::ExecutionEnvironment;
use super::pool::Pool;
use crate::aws_error::AwsError;

/// Pause before a process is started again, in the cloud's time.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

impl Pool {
    /// Keeps `count` processes of a function on managed instances until the services stop. Returns
    /// when each has started, or has failed to.
    pub(super) async fn keep_instances(self: &Arc<Self>, count: u32) {
        if self.function().instances.is_none() {
            return;
        }
        let begun = (0..count).map(|_| {
            let (started, begun) = oneshot::channel();
            tokio::spawn(Arc::clone(self).keep_instance(started));
            begun
        });
        join_all(begun).await;
    }

    async fn keep_instance(self: Arc<Self>, started: oneshot::Sender<()>) {
        let mut first = Some(started);
        loop {
            let started = self.start().await;
            if let Some(first) = first.take() {
                // The receiver is gone when the services have stopped.
                let _ = first.send(());
            }
            let end = match started {
                Ok(environment) => environment.exited().await,
                Err(failure) => format!("{failure:?}"),
            };
            tracing::info!(function = self.function().name, end, "environment ended");
            tokio::select! {
                () = self.clock().sleep(RESTART_PAUSE) => {}
                () = self.stopped() => return,
            }
        }
    }

    /// Claims a worker of a function on managed instances, in the process with the fewest
    /// invocations. Returns `None` for another function.
    ///
    /// # Errors
    /// `TooManyRequestsException`: no worker waits.
    pub(super) fn claim_instance(&self) -> Result<Option<Arc<ExecutionEnvironment>>, AwsError> {
        if self.function().instances.is_none() {
            return Ok(None);
        }
        let environments = self.environments();
        let mut least_first: Vec<_> = environments.values().collect();
        least_first.sort_by_key(|environment| environment.running());
        let claimed = least_first.into_iter().find(|environment| environment.claim());
        match claimed {
            Some(environment) => Ok(Some(Arc::clone(environment))),
            None => {
                let (status, code) =
                    (http::StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException");
                let error = AwsError::new(status, code, "Rate Exceeded.").with("Type", "User");
                self.refused(&error);
                Err(error)
            }
        }
    }
}
