//! GetMetricData, GetMetricStatistics, ListMetrics and PutMetricData.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Time, invalid, page, read, seconds, wrong_combination, wrong_value};
use super::metrics::{Dimension, Metric};
use super::query::{Queries, Query};
use super::series::Windows;
use super::service::CloudWatch;
use super::statistic::{BASIC, Statistic};
use crate::aws_error::AwsError;

/// Limits of GetMetricData: queries, and data points in an answer.
const MAX_QUERIES: usize = 500;
const MAX_POINTS: usize = 100_800;
/// Maximum number of data points of GetMetricStatistics.
const MAX_STATISTICS: usize = 1_440;
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
struct GetMetricData {
    metric_data_queries: Vec<Query>,
    start_time: Time,
    end_time: Time,
    scan_by: Option<String>,
    max_datapoints: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetMetricStatistics {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    start_time: Time,
    end_time: Time,
    period: u32,
    #[serde(default)]
    statistics: Vec<String>,
    #[serde(default)]
    extended_statistics: Vec<String>,
    unit: Option<String>,
}

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
    pub(super) fn get_metric_data(&self, input: &Value) -> Result<Value, AwsError> {
        let wanted: GetMetricData = read(input)?;
        if !(1..=MAX_QUERIES).contains(&wanted.metric_data_queries.len()) {
            return Err(invalid(format!("MetricDataQueries must have 1 to {MAX_QUERIES} members")));
        }
        let ascending = match wanted.scan_by.as_deref() {
            None | Some("TimestampDescending") => false,
            Some("TimestampAscending") => true,
            Some(other) => return Err(invalid(format!("ScanBy {other:?} is not valid"))),
        };
        let size = wanted.max_datapoints.unwrap_or(MAX_POINTS);
        if !(1..=MAX_POINTS).contains(&size) {
            return Err(invalid(format!("MaxDatapoints must be between 1 and {MAX_POINTS}")));
        }
        let queries = Queries::new(wanted.metric_data_queries).map_err(invalid)?;
        let mut points = Vec::new();
        let returned: Vec<&Query> = queries.all.iter().filter(|it| it.returns()).collect();
        for (index, query) in returned.iter().enumerate() {
            let period = queries.period(query).map_err(invalid)?;
            let windows = windows(wanted.start_time, wanted.end_time, period).map_err(invalid)?;
            let values = queries.values(query, &self.metrics, windows);
            let of_query = windows.starts().zip(values);
            let mut of_query: Vec<_> =
                of_query.filter_map(|(at, value)| Some((index, at, value?))).collect();
            if !ascending {
                of_query.reverse();
            }
            points.extend(of_query);
        }
        let (points, next) = page(points.into_iter(), size, wanted.next_token.as_deref())?;
        let result = |(index, query): (usize, &&Query)| {
            let own = || points.iter().filter(|(of, ..)| *of == index);
            json!({
                "Id": query.id,
                "Label": query.label(),
                "Timestamps": own().map(|(_, at, _)| seconds(*at)).collect::<Vec<_>>(),
                "Values": own().map(|(.., value)| *value).collect::<Vec<_>>(),
                "StatusCode": if next.is_some() { "PartialData" } else { "Complete" },
            })
        };
        let results: Vec<Value> = returned.iter().enumerate().map(result).collect();
        let mut answer = json!({ "MetricDataResults": results, "Messages": [] });
        if let Some(next) = &next {
            answer["NextToken"] = next.as_str().into();
        }
        Ok(answer)
    }

    pub(super) fn get_metric_statistics(&self, input: &Value) -> Result<Value, AwsError> {
        let wanted: GetMetricStatistics = read(input)?;
        let statistics = statistics(&wanted)?;
        let windows =
            windows(wanted.start_time, wanted.end_time, wanted.period).map_err(wrong_value)?;
        if windows.count > MAX_STATISTICS {
            return Err(wrong_combination(format!(
                "You have requested up to {} datapoints, which exceeds the limit of 1,440. You may \
                 reduce the datapoints requested by increasing Period, or decreasing the time range.",
                windows.count
            )));
        }
        let metric = Metric {
            namespace: wanted.namespace,
            metric_name: wanted.metric_name,
            dimensions: wanted.dimensions,
        };
        let unit = self.metrics.unit(&metric).unwrap_or_else(|| "None".to_owned());
        let of = |statistic| {
            self.metrics.statistics(&metric, wanted.unit.as_deref(), statistic, windows)
        };
        let columns: Vec<_> = statistics.iter().map(|(name, it)| (name, of(*it))).collect();
        let point = |(index, at): (usize, i64)| {
            let mut point = json!({ "Timestamp": seconds(at), "Unit": unit });
            for (name, values) in &columns {
                let value = (*values.get(index)?)?;
                match BASIC.iter().any(|(basic, _)| basic == name) {
                    true => point[name.as_str()] = value.into(),
                    false => point["ExtendedStatistics"][name.as_str()] = value.into(),
                }
            }
            Some(point)
        };
        let points: Vec<Value> = windows.starts().enumerate().filter_map(point).collect();
        Ok(json!({ "Label": metric.metric_name, "Datapoints": points }))
    }

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
            return Err(wrong_value(format!("{name}: Values and Counts must be equally many")));
        }
        if values.iter().chain(&counts).any(|it| !it.is_finite())
            || counts.iter().any(|it| *it <= 0.0)
        {
            return Err(wrong_value(format!("{name} has a value that is no number")));
        }
        Ok(values.into_iter().zip(counts).collect())
    }
}

/// Returns the periods between two times, of which the first begins at a whole period.
fn windows(start: Time, end: Time, period: u32) -> Result<Windows, String> {
    if period == 0 || !period.is_multiple_of(60) {
        return Err(format!("Period {period} is not a multiple of 60"));
    }
    let length = i64::from(period) * 1000;
    let (start, end) = (start.ms() - start.ms().rem_euclid(length), end.ms());
    if start >= end {
        return Err("The parameter StartTime must be less than the parameter EndTime.".to_owned());
    }
    let count = (end - start).div_euclid(length) + i64::from((end - start) % length > 0);
    match usize::try_from(count) {
        Ok(count) if count <= MAX_POINTS => Ok(Windows { start, length, count }),
        _ => Err(format!("more than {MAX_POINTS} periods")),
    }
}

/// Returns the wanted statistics by name.
fn statistics(wanted: &GetMetricStatistics) -> Result<Vec<(String, Statistic)>, AwsError> {
    let basic = wanted.statistics.iter().map(|name| {
        let found = BASIC.iter().find(|(basic, _)| basic == name);
        Some((name.clone(), found?.1))
    });
    let extended = wanted
        .extended_statistics
        .iter()
        .map(|name| Some((name.clone(), Statistic::percentile(name)?)));
    let found: Option<Vec<_>> = basic.chain(extended).collect();
    let found = found.ok_or_else(|| wrong_value("a statistic is not valid, or not supported"))?;
    let names: BTreeSet<_> = found.iter().map(|(name, _)| name).collect();
    match found.len() {
        0 => {
            let message = "Must specify either Statistics or ExtendedStatistics";
            Err(AwsError::bad_request("MissingParameter", message))
        }
        count if count > names.len() => Err(wrong_value("a statistic is given twice")),
        _ if wanted.statistics.len() > 5 || wanted.extended_statistics.len() > 10 => {
            Err(wrong_value("at most 5 Statistics and 10 ExtendedStatistics"))
        }
        _ => Ok(found),
    }
}
