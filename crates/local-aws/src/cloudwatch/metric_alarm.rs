//! A metric alarm: its settings, its evaluation, and the words of its reason.

use serde::Deserialize;
use serde_json::{Value, json};

use super::alarm::{Common, long};
use super::evaluation::{Comparison, MORE, Periods, State, TreatMissingData, evaluate};
use super::metrics::{Dimension, Metric, Metrics};
use super::query::{MetricStat, Queries, Query};
use super::series::Windows;
use super::statistic::BASIC;

/// Maximum number of seconds that an alarm may cover with periods of less than an hour.
const MAX_DAY: u64 = 86_400;
/// The same with longer periods.
const MAX_WEEK: u64 = 604_800;
/// The settings of a metric alarm.
#[derive(Debug, Clone)]
pub(super) struct MetricAlarm {
    queries: Queries,
    /// The index of the query that is compared with the threshold.
    watched: usize,
    /// Seconds.
    pub(super) period: u32,
    periods: Periods,
    threshold: f64,
    comparison: Comparison,
    missing: TreatMissingData,
}

/// The properties of a metric alarm.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Properties {
    #[serde(flatten)]
    pub(super) common: Common,
    metric_name: Option<String>,
    namespace: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    period: Option<u32>,
    unit: Option<String>,
    #[serde(default)]
    metrics: Vec<Query>,
    evaluation_periods: usize,
    datapoints_to_alarm: Option<usize>,
    threshold: f64,
    comparison_operator: Comparison,
    #[serde(default)]
    treat_missing_data: TreatMissingData,
}

impl MetricAlarm {
    /// Checks the properties of a metric alarm.
    ///
    /// # Errors
    /// One is missing or outside of its range.
    pub(super) fn new(read: &Properties) -> Result<Self, String> {
        let queries = Queries::new(queries(read)?)?;
        if queries.have_search() {
            return Err("an alarm cannot search metrics".to_owned());
        }
        let mut returned = (0..queries.all.len()).filter(|index| queries.all[*index].returns());
        let (Some(watched), None) = (returned.next(), returned.next()) else {
            return Err("exactly one query must have ReturnData".to_owned());
        };
        let period = queries.period(&queries.all[watched])?;
        let evaluated = read.evaluation_periods;
        let to_alarm = read.datapoints_to_alarm.unwrap_or(evaluated);
        if evaluated == 0 || to_alarm == 0 || to_alarm > evaluated {
            return Err(format!("{to_alarm} of {evaluated} periods to alarm"));
        }
        let longest = if period < 3600 { MAX_DAY } else { MAX_WEEK };
        if u64::from(period).saturating_mul(evaluated as u64) > longest {
            return Err(format!("{evaluated} periods of {period} s are more than {longest} s"));
        }
        Ok(Self {
            queries,
            watched,
            period,
            periods: Periods { evaluated, to_alarm },
            threshold: read.threshold,
            comparison: read.comparison_operator,
            missing: read.treat_missing_data,
        })
    }

    /// Returns state, reason and data of the reason at `now`, a whole minute.
    pub(super) fn evaluate(
        &self,
        metrics: &Metrics,
        now: i64,
        current: State,
    ) -> (State, String, Value) {
        let count = self.periods.evaluated + MORE;
        let length = i64::from(self.period) * 1000;
        let windows = Windows { start: now - length * count as i64, length, count };
        let values = self.queries.values(&self.queries.all[self.watched], metrics, windows);
        let breaches = |value: &Option<f64>| {
            value.map(|value| self.comparison.breaches(value, self.threshold))
        };
        let range: Vec<_> = values.iter().map(breaches).collect();
        let state = evaluate(&range, self.periods, self.missing, current);
        let points = windows.starts().zip(values).filter_map(|(at, it)| Some((at, it?)));
        let mut points: Vec<_> = points.collect();
        points.reverse();
        points.truncate(self.periods.evaluated);
        (state, self.reason(state, &points), self.reason_data(now, &points))
    }

    /// Returns the reason of a state as CloudWatch words it. `points` are the newest first.
    fn reason(&self, state: State, points: &[(i64, f64)]) -> String {
        let Periods { evaluated, to_alarm } = self.periods;
        let s = |count: usize| if count == 1 { "" } else { "s" };
        let absent = evaluated - points.len();
        let treated = format!(
            "{absent} missing datapoint{} {} treated as [{}]",
            s(absent),
            if absent == 1 { "was" } else { "were" },
            self.missing.name()
        );
        if points.is_empty() {
            let received =
                format!("no datapoints were received for {evaluated} period{}", s(evaluated));
            return match state {
                State::InsufficientData => format!("Insufficient Data: {received}."),
                _ => format!("Threshold Crossed: {received} and {treated}."),
            };
        }
        let (breaching, not) = match state {
            State::Alarm => (true, ""),
            _ => (false, "not "),
        };
        let counted = points
            .iter()
            .filter(|(_, value)| self.comparison.breaches(*value, self.threshold) == breaching);
        let counted = counted.count();
        let shown: Vec<_> =
            points.iter().map(|(at, value)| format!("{value:?} ({})", short(*at))).collect();
        let missing = if absent == 0 { String::new() } else { format!(" and {treated}") };
        format!(
            "Threshold Crossed: {counted} out of the last {} datapoint{} [{}] {} {not}{} the \
             threshold ({:?}){missing} (minimum {to_alarm} datapoint{} for {} transition).",
            points.len(),
            s(points.len()),
            shown.join(", "),
            if counted == 1 { "was" } else { "were" },
            self.comparison.words(),
            self.threshold,
            s(to_alarm),
            if breaching { "OK -> ALARM" } else { "ALARM -> OK" },
        )
    }

    fn reason_data(&self, now: i64, points: &[(i64, f64)]) -> Value {
        let evaluated =
            points.iter().map(|(at, value)| json!({"timestamp": long(*at), "value": value}));
        let mut data = json!({
            "version": "1.0",
            "queryDate": long(now),
            "period": self.period,
            "recentDatapoints": points.iter().rev().map(|(_, value)| value).collect::<Vec<_>>(),
            "threshold": self.threshold,
            "evaluatedDatapoints": evaluated.collect::<Vec<_>>(),
        });
        if let Some((at, _)) = points.last() {
            data["startDate"] = long(*at).into();
        }
        data
    }
}

/// Returns the queries of an alarm; one that names a metric has a single query.
fn queries(read: &Properties) -> Result<Vec<Query>, String> {
    let (Some(namespace), Some(name)) = (&read.namespace, &read.metric_name) else {
        return match read.metrics.is_empty() {
            true => Err("needs either MetricName and Namespace, or Metrics".to_owned()),
            false => Ok(read.metrics.clone()),
        };
    };
    let stat = match (&read.statistic, &read.extended_statistic) {
        (Some(basic), None) if BASIC.iter().any(|(name, _)| name == basic) => basic,
        (None, Some(percentile)) if percentile.starts_with('p') => percentile,
        _ => return Err("needs either Statistic or ExtendedStatistic".to_owned()),
    };
    if !read.metrics.is_empty() {
        return Err("Metrics and MetricName exclude each other".to_owned());
    }
    let (namespace, metric_name) = (namespace.clone(), name.clone());
    let metric = Metric { namespace, metric_name, dimensions: read.dimensions.clone() };
    Ok(vec![Query {
        id: "m1".to_owned(),
        metric_stat: Some(MetricStat {
            metric,
            period: read.period.ok_or("Period is missing")?,
            stat: stat.clone(),
            unit: read.unit.clone(),
        }),
        expression: None,
        label: None,
        return_data: None,
        period: None,
    }])
}

/// Returns a time as reasons have it: `29/11/26 13:50:00`.
fn short(ms: i64) -> String {
    let text = crate::clock::rfc3339(ms);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}/{}/{} {}", part(8, 10), part(5, 7), part(2, 4), part(11, 19))
}
