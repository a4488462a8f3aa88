//! The numbers of one stream, gathered between two lines of metrics.

use std::mem;

/// Most latencies kept per line: EMF takes 100 values per metric.
const LATENCIES: usize = 100;

/// What happened since the line before. Samples are 16 kHz samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// How far the reader was behind the newest fragment, ms; the latest value.
    pub lag_millis: Option<u64>,
    /// Samples the processor accepted.
    pub delivered: u64,
    /// Among them: concealed or silent.
    pub filled: u64,
    /// Samples skipped: gaps and pauses.
    pub skipped: u64,
    /// Samples of fragments that the producer had sent before.
    pub repeated: u64,
    /// Samples not decoded because a fragment claimed more audio than it can hold.
    pub refused: u64,
    /// How much later the producer's stamps stand than its samples, ms; the latest value.
    pub clock_drift_millis: Option<i64>,
    /// Samples KVS no longer had.
    pub unavailable: u64,
    /// Last sample of a chunk arrived → the processor accepted it, ms; a sample of at most 100.
    pub delivery_latency_millis: Vec<u64>,
    /// Next links that took over.
    pub hand_offs: u64,
    /// Time between the last link's release and this link's take, ms.
    pub hand_off_gap_millis: Option<u64>,
    /// Stop asked for → last sample delivered, ms.
    pub stop_latency_millis: Option<u64>,
    /// Until KVS forgets the oldest audio that is not delivered, ms, when less than half of its retention is
    /// left.
    pub retention_risk_millis: Option<u64>,
    /// Packets the decoder refused.
    pub decode_errors: u64,
    /// Changes to a codec that is not decoded.
    pub unsupported_codec: u64,
    /// Changes to a codec that is decoded in part.
    pub reduced_codec: u64,
    /// Times the breaker opened.
    pub circuit_opened: u64,
    /// Chunks put into the dead-letter queue.
    pub dead_lettered: u64,
    /// Delivery attempts that failed.
    pub delivery_failures: u64,
    /// GetMedia connections opened.
    pub connections: u64,
}

impl Snapshot {
    /// Adds one delivery latency; beyond 100 the later half thins out the earlier.
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

    /// Hands out what was gathered and starts anew.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }
}
