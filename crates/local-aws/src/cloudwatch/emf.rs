//! Metrics in log lines (CloudWatch user guide, "Specification: Embedded metric format").
//!
//! A value counts at the cloud's time at which its line was read, not at the `Timestamp` of the
//! line: functions write that with the real clock, which differs at a time scale above 1.

use serde::Deserialize;
use serde_json::Value;

use super::metrics::{Dimension, Metric, Metrics};

/// Limits of the specification: dimensions of a set, metrics of a directive, values of a metric.
const MAX_DIMENSIONS: usize = 30;
const MAX_METRICS: usize = 100;
const MAX_VALUES: usize = 100;

/// The member of a line that makes it metrics.
const MARK: &[u8] = b"\"_aws\"";

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "_aws")]
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    cloud_watch_metrics: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: String,
    dimensions: Vec<Vec<String>>,
    metrics: Vec<Definition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: String,
    unit: Option<String>,
}

impl Metrics {
    /// Adds the metrics of a log line. A line without metrics, or one that breaks the
    /// specification, adds none.
    pub(crate) fn read_log_line(&self, line: &[u8]) {
        if !line.windows(MARK.len()).any(|part| part == MARK) {
            return;
        }
        let Ok(members) = serde_json::from_slice::<Value>(line) else { return };
        let Ok(Line { metadata }) = Line::deserialize(&members) else { return };
        for directive in metadata.cloud_watch_metrics {
            if directive.metrics.len() <= MAX_METRICS {
                self.read(&directive, &members);
            }
        }
    }

    fn read(&self, directive: &Directive, members: &Value) {
        let sets = directive.dimensions.iter().filter(|set| set.len() <= MAX_DIMENSIONS);
        for dimensions in sets.filter_map(|set| dimensions(set, members)) {
            for Definition { name, unit } in &directive.metrics {
                let metric = Metric {
                    namespace: directive.namespace.clone(),
                    metric_name: name.clone(),
                    dimensions: dimensions.clone(),
                };
                let values = values(&members[name.as_str()]);
                if !values.is_empty() {
                    self.add(metric, unit.as_deref(), self.now_ms(), &values);
                }
            }
        }
    }
}

/// Returns the dimensions of a set; `None` if a member is missing or not text.
fn dimensions(names: &[String], members: &Value) -> Option<Vec<Dimension>> {
    let dimension = |name: &String| {
        let value = members[name.as_str()].as_str()?.to_owned();
        Some(Dimension { name: name.clone(), value })
    };
    names.iter().map(dimension).collect()
}

fn values(member: &Value) -> Vec<(f64, f64)> {
    match member {
        Value::Array(list) if list.len() > MAX_VALUES => Vec::new(),
        Value::Array(list) => list.iter().filter_map(Value::as_f64).map(|it| (it, 1.0)).collect(),
        one => one.as_f64().map(|it| (it, 1.0)).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::Windows;
    use super::super::statistic::Statistic;
    use super::*;
    use crate::clock::Clock;

    fn sum(line: &str, dimensions: &[(&str, &str)]) -> Option<f64> {
        let metrics = Metrics::new(Clock::new(1.0));
        let now = metrics.now_ms();
        metrics.read_log_line(line.as_bytes());
        let dimension = |(name, value): &(&str, &str)| Dimension {
            name: (*name).into(),
            value: (*value).into(),
        };
        let metric = Metric {
            namespace: "N".into(),
            metric_name: "M".into(),
            dimensions: dimensions.iter().map(dimension).collect(),
        };
        let windows = Windows { start: now - 60_000, length: 180_000, count: 1 };
        metrics.statistics(&metric, Some("Count"), Statistic::Sum, windows)[0]
    }

    #[test]
    fn each_set_of_dimensions_is_a_metric() {
        let line = r#"{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [[], ["A"]],
            "Metrics": [{"Name": "M", "Unit": "Count"}, {"Name": "Absent"}]}]}, "A": "a", "M": [1, 2.5]}"#;
        assert_eq!(sum(line, &[]), Some(3.5));
        assert_eq!(sum(line, &[("A", "a")]), Some(3.5));
        assert_eq!(sum(line, &[("A", "b")]), None);
        assert_eq!(sum(&line.replace("\"A\": \"a\"", "\"A\": 1"), &[("A", "a")]), None);
        assert_eq!(sum(&line.replace("\"_aws\"", "\"aws\""), &[]), None);
        assert_eq!(sum(&line.replace("[1, 2.5]", "\"1\""), &[]), None);
        assert_eq!(sum("\"_aws\"", &[]), None);
    }
}
