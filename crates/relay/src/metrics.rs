//! Metrics of one stream between two reports.
//!
//! Counts that the checkpoint also keeps are not counted twice: a report contains the difference of
//! the session's [`Totals`] since the previous report. Only observations that no total covers are
//! collected here.

use crate::checkpoint::Totals;

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
    /// How late a fragment was read to its end, ms since KVS received its first byte, or how long
    /// audio that was read waits for its delivery; the largest value.
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

#[cfg(test)]
mod tests {
    use super::*;

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
