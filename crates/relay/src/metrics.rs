//! Metrics of one stream, collected between two reports.

use std::mem;

/// Maximum number of latencies per report: EMF accepts 100 values per metric.
const LATENCIES: usize = 100;

/// Metrics since the previous report. Samples are 16 kHz samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// How far the reader was behind the newest fragment, ms; the latest value.
    pub lag_millis: Option<u64>,
    /// Samples accepted by the processor.
    pub delivered: u64,
    /// Part of `delivered`: concealed or silent.
    pub filled: u64,
    /// Samples skipped: gaps and pauses.
    pub skipped: u64,
    /// Samples of fragments that the producer had already sent.
    pub repeated: u64,
    /// Samples not decoded because a fragment claimed more audio than it can hold.
    pub refused: u64,
    /// How far the producer's timestamps are ahead of its samples, ms; the latest value.
    pub clock_drift_millis: Option<i64>,
    /// Samples that KVS no longer had.
    pub unavailable: u64,
    /// Arrival of a chunk's last sample → acceptance by the processor, ms; at most 100 values.
    pub delivery_latency_millis: Vec<u64>,
    /// Hand-offs to this run.
    pub hand_offs: u64,
    /// Time between the previous holder's release and this run's take, ms.
    pub hand_off_gap_millis: Option<u64>,
    /// Stop request → last sample delivered, ms.
    pub stop_latency_millis: Option<u64>,
    /// Time until KVS deletes the oldest undelivered audio, ms, when less than half of its
    /// retention is left.
    pub retention_risk_millis: Option<u64>,
    /// Packets that the decoder rejected.
    pub decode_errors: u64,
    /// Changes to a codec that is not decoded.
    pub unsupported_codec: u64,
    /// Changes to a codec that is only partly decoded.
    pub reduced_codec: u64,
    /// Times the breaker opened.
    pub circuit_opened: u64,
    /// Chunks put into the dead-letter queue.
    pub dead_lettered: u64,
    /// Failed delivery attempts.
    pub delivery_failures: u64,
    /// GetMedia connections opened.
    pub connections: u64,
}

impl Snapshot {
    /// Adds a delivery latency. When 100 values are stored, every second one is dropped first.
    pub(crate) fn latency(&mut self, millis: u64) {
        if self.delivery_latency_millis.len() >= LATENCIES {
            let mut index = 0;
            self.delivery_latency_millis.retain(|_| {
                index += 1;
                index % 2 == 0
            });
        }
        self.delivery_latency_millis.push(millis);
    }

    /// Returns the collected metrics and resets them.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }
}
