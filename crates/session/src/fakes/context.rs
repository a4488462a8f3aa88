//! Random numbers and telemetry, and what a test reads of them.

use super::World;
use crate::DomainEvent;
use crate::ports::{Random, Telemetry, Tracer};

impl World {
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.state().calls.iter().filter(|(name, _)| *name == operation).count()
    }

    pub(crate) fn has_line(&self, start: &str) -> bool {
        self.state().lines.iter().any(|(line, _)| line.starts_with(start))
    }

    pub(crate) fn count(&self, metric: &str) -> usize {
        self.state().metrics.iter().filter(|(name, _)| *name == metric).count()
    }
}

impl Random for World {
    fn next_u64(&self) -> u64 {
        let mut state = self.state();
        state.random = state.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (state.random ^ (state.random >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}

impl Telemetry for World {
    fn record(&self, event: &DomainEvent<'_>) {
        let mut state = self.state();
        state.lines.push((event.to_string(), event.event_detail().map(ToOwned::to_owned)));
        let metrics = event.metrics();
        state.metrics.extend(metrics.into_iter().map(|(metric, value)| (metric.name, value)));
    }
}

impl Tracer for World {}
