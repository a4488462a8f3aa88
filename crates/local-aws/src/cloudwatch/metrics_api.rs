//! ListMetrics and PutMetricData.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Time, page, read, wrong_combination, wrong_value};
use super::metrics::{Dimension, Metric};
use super::service::CloudWatch;
use crate::aws_error::AwsError;

/// Metrics in a page of ListMetrics.
const METRICS_PAGE: usize = 500;
/// The metrics that `RecentlyActive` selects have values of the last three hours.
const RECENT_MS: i64 = 3 * 3_600_000;
/// Maximum number of metrics of PutMetricData, and of values of one.
const MAX_DATA: usize = 1_000;
const MAX_VALUES: usize = 150;
/// How far the time of PutMetricData may be in the past and in the future.
const PAST_MS: i64 = 14 * 86_400_000;
const FUTURE_MS: i64 = 2 * 3_600_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<DimensionFilter>,
    next_token: Option<String>,
    recently_active: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DimensionFilter {
    name: String,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutMetricData {
    namespace: String,
    #[serde(default)]
    metric_data: Vec<Datum>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Datum {
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    timestamp: Option<Time>,
    value: Option<f64>,
    #[serde(default)]
    values: Vec<f64>,
    counts: Option<Vec<f64>>,
    unit: Option<String>,
}

impl CloudWatch {
    pub(super) fn list_metrics(&self, input: &Value) -> Result<Value, AwsError> {
        let wanted: ListMetrics = read(input)?;
        if wanted.dimensions.len() > 10 {
            return Err(wrong_value("Dimensions must have at most 10 members"));
        }
        if wanted.recently_active.as_deref().is_some_and(|it| it != "PT3H") {
            return Err(wrong_value("RecentlyActive must be PT3H"));
        }
        let oldest = self.clock.now_ms() - RECENT_MS;
        let equals =
            |wanted: &Option<String>, is: &String| wanted.as_ref().is_none_or(|it| it == is);
        let has = |metric: &Metric, filter: &DimensionFilter| {
            let named = metric.dimensions.iter().filter(|it| it.name == filter.name);
            named.into_iter().any(|it| equals(&filter.value, &it.value))
        };
        let found = self.metrics.list().into_iter().filter(|(metric, newest)| {
            equals(&wanted.namespace, &metric.namespace)
                && equals(&wanted.metric_name, &metric.metric_name)
                && wanted.dimensions.iter().all(|filter| has(metric, filter))
                && (wanted.recently_active.is_none() || *newest >= oldest)
        });
        let found = found.map(|(metric, _)| metric);
        let (found, next) = page(found, METRICS_PAGE, wanted.next_token.as_deref())?;
        let mut answer = json!({ "Metrics": found });
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }

    pub(super) fn put_metric_data(&self, input: &Value) -> Result<Value, AwsError> {
        let wanted: PutMetricData = read(input)?;
        if wanted.namespace.starts_with("AWS/") || wanted.namespace.starts_with(':') {
            return Err(wrong_value(
                "The value AWS/ for parameter Namespace is invalid: it is reserved for AWS",
            ));
        }
        if wanted.metric_data.len() > MAX_DATA {
            return Err(wrong_value(format!("MetricData has more than {MAX_DATA} members")));
        }
        let now = self.clock.now_ms();
        let times = now - PAST_MS..=now + FUTURE_MS;
        let mut accepted = Vec::new();
        for datum in wanted.metric_data {
            let time = datum.timestamp.map_or(now, Time::ms);
            if !times.contains(&time) {
                return Err(wrong_value(
                    "Timestamp must be within the last two weeks, or the next two hours",
                ));
            }
            accepted.push((datum.samples()?, time, datum));
        }
        for (values, time, datum) in accepted {
            let Datum { metric_name, dimensions, unit, .. } = datum;
            let namespace = wanted.namespace.clone();
            let metric = Metric { namespace, metric_name, dimensions };
            self.metrics.add(metric, unit.as_deref(), time, &values);
        }
        Ok(json!({}))
    }
}

impl Datum {
    /// Returns the values, each with its count.
    fn samples(&self) -> Result<Vec<(f64, f64)>, AwsError> {
        let name = &self.metric_name;
        let values: Vec<f64> = self.value.iter().chain(&self.values).copied().collect();
        let counts = self.counts.clone().unwrap_or_else(|| vec![1.0; values.len()]);
        if values.is_empty() || (self.value.is_some() && !self.values.is_empty()) {
            return Err(wrong_combination(format!("{name} needs either Value or Values")));
        }
        if values.len() != counts.len() || values.len() > MAX_VALUES {
            return Err(wrong_value(format!(
                "{name}: Values and Counts must have the same length, at most {MAX_VALUES}"
            )));
        }
        if values.iter().chain(&counts).any(|it| !it.is_finite())
            || counts.iter().any(|it| *it <= 0.0)
        {
            return Err(wrong_value(format!("{name}: values must be finite, and counts positive")));
        }
        Ok(values.into_iter().zip(counts).collect())
    }
}
