//! The values of all metrics. Clones share them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::series::{Series, Windows};
use super::statistic::Statistic;
use crate::clock::Clock;

/// Maximum number of metrics. A further one replaces that whose last value is the oldest.
const MAX_METRICS: usize = 2_000;

/// A name and a value that separate metrics of one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Dimension {
    pub(super) name: String,
    pub(super) value: String,
}

/// The identity of a metric: only equal namespace, name and dimensions select its values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Metric {
    pub(super) namespace: String,
    pub(super) metric_name: String,
    #[serde(default)]
    pub(super) dimensions: Vec<Dimension>,
}

impl Metric {
    /// The order of dimensions has no meaning.
    fn sorted(mut self) -> Self {
        self.dimensions.sort_unstable();
        self
    }
}

/// The values of all metrics, each at the cloud's time.
#[derive(Debug, Clone)]
pub struct Metrics {
    clock: Clock,
    series: Arc<Mutex<BTreeMap<Metric, Series>>>,
}

impl Metrics {
    /// No metrics.
    pub fn new(clock: Clock) -> Self {
        Self { clock, series: Arc::default() }
    }

    /// Adds a value of now to a metric of a service that has one dimension.
    pub(crate) fn count(
        &self,
        namespace: &str,
        metric: &str,
        (name, value): (&str, &str),
        unit: &str,
        number: f64,
    ) {
        let dimension = Dimension { name: name.to_owned(), value: value.to_owned() };
        let (namespace, metric_name) = (namespace.to_owned(), metric.to_owned());
        let metric = Metric { namespace, metric_name, dimensions: vec![dimension] };
        self.add(metric, Some(unit), self.clock.now_ms(), &[(number, 1.0)]);
    }

    /// Adds values, each with how often it occurred, at `time` (ms since the epoch).
    pub(super) fn add(&self, id: Metric, unit: Option<&str>, time: i64, values: &[(f64, f64)]) {
        let mut all = self.lock();
        let id = id.sorted();
        if all.len() >= MAX_METRICS && !all.contains_key(&id) {
            let oldest = all.iter().min_by_key(|(_, series)| series.newest());
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.and_then(|id| all.remove(&id));
        }
        let series = all.entry(id).or_default();
        series.unit = unit.map(str::to_owned);
        values.iter().for_each(|(value, count)| series.add(time, *value, *count));
    }

    /// Returns the cloud's time, ms since the epoch.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Returns a statistic of each window, `None` for one without values. A metric that does not
    /// exist, or has another unit than the wanted one, has no values.
    pub(super) fn statistics(
        &self,
        metric: &Metric,
        unit: Option<&str>,
        statistic: Statistic,
        windows: Windows,
    ) -> Vec<Option<f64>> {
        let all = self.lock();
        let found = all.get(&metric.clone().sorted());
        let found = found.filter(|it| unit.is_none() || it.unit.as_deref() == unit);
        match found {
            Some(series) => series.statistics(statistic, windows),
            None => vec![None; windows.count],
        }
    }

    /// Returns the unit of a metric's latest value.
    pub(super) fn unit(&self, metric: &Metric) -> Option<String> {
        self.lock().get(&metric.clone().sorted())?.unit.clone()
    }

    /// Returns every metric, in order, with the minute of its newest value.
    pub(super) fn list(&self) -> Vec<(Metric, i64)> {
        let all = self.lock();
        all.iter().filter_map(|(id, series)| Some((id.clone(), series.newest()?))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Metric, Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
