//! Estimates the time on KVS's clock.
//!
//! KVS states with each fragment when it began to receive it, and with its end how long ago that
//! was when the end was sent; the sum is the time of sending on KVS's clock. A document may wait in
//! the connection's buffers for as long as the reader is slow, so each of them shows only that
//! KVS's clock is at least that far. The furthest is the best estimate: that of a document that
//! was read as soon as it was sent, such as the first of a connection.

/// The time on KVS's clock, as far as the documents that were read show it.
#[derive(Debug, Clone)]
pub(crate) struct KvsClock {
    /// Milliseconds of KVS's clock per millisecond of this host's.
    scale: f64,
    /// KVS's time at this host's time 0, in ms; at most the true value, but for the clocks' rates.
    offset_ms: Option<f64>,
}

impl KvsClock {
    pub(crate) fn new(scale: f64) -> Self {
        Self { scale, offset_ms: None }
    }

    /// Records a fragment that was read to its end at `now_ms` of this host's clock.
    pub(crate) fn observe(&mut self, server_ms: u64, behind_ms: u64, now_ms: u64) {
        let sent_ms = server_ms as f64 + behind_ms as f64;
        let offset_ms = sent_ms - now_ms as f64 * self.scale;
        self.offset_ms = Some(self.offset_ms.map_or(offset_ms, |best| best.max(offset_ms)));
    }

    /// Returns KVS's time at a time of this host's clock, both in ms since the epoch; `None` before
    /// the first fragment.
    pub(crate) fn at(&self, host_ms: u64) -> Option<u64> {
        self.offset_ms.map(|offset_ms| (offset_ms + host_ms as f64 * self.scale) as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH_MS: u64 = 1_732_540_620_000;

    proptest! {
        #[test]
        fn the_estimate_is_behind_by_the_shortest_delay(
            skew_ms in 0_u64..5_000,
            documents in prop::collection::vec((0_u64..20_000, 0_u64..600_000), 1..20),
        ) {
            let mut clock = KvsClock::new(1.0);
            prop_assert_eq!(clock.at(EPOCH_MS), None);
            let mut now_ms = EPOCH_MS;
            for (length_ms, delay_ms) in &documents {
                now_ms += length_ms + delay_ms;
                let sent_ms = now_ms + skew_ms - delay_ms;
                clock.observe(sent_ms - length_ms, *length_ms, now_ms);
            }
            let shortest = documents.iter().map(|(_, delay_ms)| delay_ms).min().unwrap();
            let estimate = clock.at(EPOCH_MS).unwrap();
            prop_assert!(estimate.abs_diff(EPOCH_MS + skew_ms - shortest) <= 1);
        }
    }

    #[test]
    fn a_scaled_clock_runs_faster() {
        let mut clock = KvsClock::new(20.0);
        clock.observe(EPOCH_MS, 2_000, 1_000);
        assert_eq!(clock.at(1_500), Some(EPOCH_MS + 2_000 + 10_000));
    }
}
