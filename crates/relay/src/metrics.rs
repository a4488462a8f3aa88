//! Metrics of one stream between two reports.
//!
//! Counts that the checkpoint also keeps are not counted twice: a report contains the difference of
//! the session's [`Totals`] since the previous report. Only observations that no total covers are
//! collected here.

use std::convert::Infallible;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::checkpoint::Totals;
use crate::clock::Clock;
use crate::context::RunContext;
use crate::ports::{MetricsSink, Ports};
use crate::progress::SharedProgress;
use crate::reader_status::ReaderStatus;

/// Maximum number of latencies per report: EMF accepts 100 values per metric.
const MAX_LATENCIES: usize = 100;

/// Metrics since the previous report. Samples are 16 kHz samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The session's totals since the previous report.
    pub totals: Totals,
    /// Observations since the previous report.
    pub observed: Observations,
    /// Time until KVS deletes the oldest undelivered audio, ms, when less than half of its
    /// retention is left.
    pub retention_risk_millis: Option<u64>,
}

/// Observations that no total of the session covers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observations {
    /// How far the reader was behind the newest fragment, ms; the latest value.
    pub lag_millis: Option<u64>,
    /// How far the producer's timestamps are ahead of its samples, ms; the latest value.
    pub clock_drift_millis: Option<i64>,
    /// Arrival of a chunk's last sample → acceptance by the processor, ms; at most 100 values.
    pub delivery_latency_millis: Vec<u64>,
    /// Time between the previous holder's release and this run's take, ms.
    pub hand_off_gap_millis: Option<u64>,
    /// Stop request → last sample delivered, ms.
    pub stop_latency_millis: Option<u64>,
    /// Packets that the decoder rejected.
    pub decode_errors: u64,
    /// Changes to a codec that is not decoded.
    pub unsupported_codec: u64,
    /// Changes to a codec that is only partly decoded.
    pub reduced_codec: u64,
    /// Times the breaker opened.
    pub circuit_opened: u64,
}

impl Observations {
    /// Adds a delivery latency. When 100 values are stored, every second one is dropped first.
    pub(crate) fn add_latency(&mut self, millis: u64) {
        if self.delivery_latency_millis.len() >= MAX_LATENCIES {
            let mut index = 0;
            self.delivery_latency_millis.retain(|_| {
                index += 1;
                index % 2 == 0
            });
        }
        self.delivery_latency_millis.push(millis);
    }
}

/// The metrics of one run.
#[derive(Debug, Default)]
pub(crate) struct RunMetrics {
    observed: Mutex<Observations>,
    /// The session's totals at the previous report.
    reported: Mutex<Totals>,
}

impl RunMetrics {
    /// Returns the observations since the last report. The guard must not be held across an await.
    pub(crate) fn observed(&self) -> MutexGuard<'_, Observations> {
        // Held for a few instructions by futures of one task: only a panic that already ended the
        // run can poison it.
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the reports of this run at the totals of its predecessors.
    pub(crate) fn start_at(&self, totals: Totals) {
        *self.reported.lock().unwrap_or_else(PoisonError::into_inner) = totals;
    }

    /// Returns the metrics since the last report.
    pub(crate) fn take(&self, totals: Totals, retention_risk_millis: Option<u64>) -> Snapshot {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *reported, totals);
        let observed = mem::take(&mut *self.observed());
        Snapshot { totals: totals.since(&before), observed, retention_risk_millis }
    }
}

/// Writes the stream's metrics periodically. Never returns.
pub(crate) async fn report_periodically<P: Ports>(
    ctx: &RunContext<'_, P>,
    metrics: &RunMetrics,
    progress: &SharedProgress,
    reader: &ReaderStatus,
) -> Infallible {
    loop {
        ctx.clock().sleep(ctx.config.metrics_every).await;
        let open_since = reader.observed().open_fragment_since;
        let (totals, oldest) = {
            let progress = progress.lock();
            (progress.state().totals, progress.oldest_unsettled_ms())
        };
        // A fragment that cannot be read completely, because nothing can be delivered, counts too.
        let oldest = oldest.or(open_since);
        let risk = oldest.and_then(|at| ctx.config.retention_risk(at, ctx.clock().now_ms()));
        if let Some(left) = risk {
            tracing::error!(sessionId = %ctx.session_id, leftMillis = left, "undelivered audio is close to the end of its KVS retention; fix the processor or GetMedia errors in this log, or raise StreamRetentionHours");
        }
        ctx.ports.metrics().emit(&ctx.session_id, &metrics.take(totals, risk));
    }
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

    #[test]
    fn latencies_are_thinned_beyond_the_limit_of_a_report() {
        let mut observed = Observations::default();
        for millis in 0..1_000 {
            observed.add_latency(millis);
            assert!(observed.delivery_latency_millis.len() <= MAX_LATENCIES);
        }
        assert_eq!(observed.delivery_latency_millis.last(), Some(&999));
    }
}
