//! GetMetricData and GetMetricStatistics.

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
