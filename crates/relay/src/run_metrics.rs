//! Collects the metrics of one run and reports them.

use std::convert::Infallible;
use std::mem;
use std::sync::MutexGuard;

use session::ports::{Clock, millis};

use crate::checkpoint::Totals;
use crate::metrics::{Observations, Snapshot};
use crate::ports::{MetricsSink, Ports};
use crate::run_state::RunState;
use crate::shared::Shared;

/// The metrics of one run.
#[derive(Debug, Default)]
pub(crate) struct RunMetrics {
    observed: Shared<Observations>,
    /// The session's totals at the previous report.
    reported: Shared<Totals>,
}

impl RunMetrics {
    /// Returns the observations since the last report. The guard must not be held across an await.
    pub(crate) fn observed(&self) -> MutexGuard<'_, Observations> {
        self.observed.lock()
    }

    /// Starts the reports of this run at the totals of its predecessors.
    pub(crate) fn start_at(&self, totals: Totals) {
        *self.reported.lock() = totals;
    }

    /// Returns the metrics since the last report.
    pub(crate) fn take(&self, totals: Totals, retention_risk_millis: Option<u64>) -> Snapshot {
        let mut reported = self.reported.lock();
        let before = mem::replace(&mut *reported, totals);
        let observed = mem::take(&mut *self.observed());
        Snapshot { totals: totals.since(&before), observed, retention_risk_millis }
    }
}

/// Writes the stream's metrics periodically. Never returns.
pub(crate) async fn report_periodically<P: Ports>(run: &RunState<'_, P>) -> Infallible {
    let ctx = &run.ctx;
    loop {
        ctx.clock().sleep(ctx.config.metrics_every).await;
        let open_since = run.reader.observed().open_fragment_since;
        let (totals, oldest) = {
            let progress = run.progress.lock();
            (progress.settled().totals, progress.oldest_unsettled_ms())
        };
        // A fragment that cannot be read completely, because nothing can be delivered, counts too.
        let oldest = oldest.or(open_since);
        let risk = oldest.and_then(|at| ctx.config.retention_risk(at, ctx.clock().now_ms()));
        if let Some(left) = risk {
            tracing::error!(sessionId = %ctx.session_id, leftMillis = left, "undelivered audio is close to the end of its KVS retention; fix the processor or GetMedia errors in this log, or raise StreamRetentionHours");
        }
        observe_wait(run);
        ctx.relay.metrics.emit(&ctx.session_id, &run.metrics.take(totals, risk));
    }
}

/// Counts the time that audio waits for its delivery as lag: while nothing can be delivered, the
/// buffer is full and no fragment is read.
fn observe_wait<P: Ports>(run: &RunState<'_, P>) {
    let Some(since) = run.queue.waits_since() else { return };
    let waited = run.ctx.clock().instant().saturating_duration_since(since);
    let mut observed = run.metrics.observed();
    observed.lag_millis = observed.lag_millis.max(Some(millis(waited)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_holds_what_happened_since_the_report_before() {
        let metrics = RunMetrics::default();
        metrics.start_at(Totals { delivered: 100, ..Totals::default() });
        metrics.observed().circuit_opened += 1;
        let mut totals = Totals { delivered: 150, gap: 3, ..Totals::default() };
        let first = metrics.take(totals, None);
        assert_eq!((first.totals.delivered, first.totals.gap), (50, 3));
        assert_eq!(first.observed.circuit_opened, 1);
        totals.delivered = 160;
        let second = metrics.take(totals, Some(9));
        assert_eq!((second.totals.delivered, second.totals.gap), (10, 0));
        assert_eq!(second.observed, Observations::default());
        assert_eq!(second.retention_risk_millis, Some(9));
    }
}
