//! An alarm of the template: its checked settings, and its state.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::evaluation::{Comparison, MORE, Periods, State, TreatMissingData, evaluate};
use super::metrics::{Dimension, Metric, Metrics};
use super::query::{MetricStat, Queries, Query};
use super::rule::Rule;
use super::series::Windows;
use super::statistic::BASIC;

/// Maximum number of seconds that an alarm may cover with periods of less than an hour.
const MAX_DAY: u64 = 86_400;
/// The same with longer periods.
const MAX_WEEK: u64 = 604_800;
/// Maximum number of actions for a state.
const MAX_ACTIONS: usize = 5;

/// An alarm and its state.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub(super) name: String,
    pub(super) arn: String,
    /// As in the template, for answers and messages.
    pub(super) properties: Map<String, Value>,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) reason: String,
    /// JSON.
    pub(super) reason_data: Option<String>,
    /// When the alarm was created, ms since the epoch.
    pub(super) configured: i64,
    /// When the state or its reason was set last, and when the state was.
    pub(super) updated: i64,
    pub(super) transitioned: i64,
}

/// What an alarm evaluates.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Metric(MetricAlarm),
    Composite(Rule),
}

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
struct Properties {
    #[serde(flatten)]
    common: Common,
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

/// The properties of both kinds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Common {
    #[serde(rename = "AlarmDescription")]
    _description: Option<String>,
    #[serde(rename = "ActionsEnabled")]
    _actions_enabled: Option<bool>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default, rename = "OKActions")]
    ok_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
}

/// The properties of a composite alarm.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CompositeProperties {
    #[serde(flatten)]
    common: Common,
    alarm_rule: String,
}

impl Alarm {
    /// Creates an alarm at `now`, without data.
    ///
    /// # Errors
    /// A property is missing, unknown, or outside of its range.
    pub(super) fn new(config: &sam_template::Alarm, now: i64) -> Result<Self, String> {
        let properties = Value::Object(config.properties.clone());
        let (kind, common) = match config.is_composite {
            true => {
                let read: CompositeProperties = read(properties)?;
                (Kind::Composite(Rule::parse(&read.alarm_rule)?), read.common)
            }
            false => {
                let read: Properties = read(properties)?;
                let alarm = MetricAlarm::new(&read)?;
                (Kind::Metric(alarm), read.common)
            }
        };
        let actions =
            [&common.alarm_actions, &common.ok_actions, &common.insufficient_data_actions];
        if actions.iter().any(|it| it.len() > MAX_ACTIONS) {
            return Err(format!("more than {MAX_ACTIONS} actions for a state"));
        }
        Ok(Self {
            name: config.name.clone(),
            arn: config.arn.clone(),
            properties: config.properties.clone(),
            kind,
            state: State::InsufficientData,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            reason_data: None,
            configured: now,
            updated: now,
            transitioned: now,
        })
    }

    /// Returns the actions for its state, unless they are disabled.
    pub(super) fn actions(&self) -> Vec<String> {
        let name = match self.state {
            State::Ok => "OKActions",
            State::Alarm => "AlarmActions",
            State::InsufficientData => "InsufficientDataActions",
        };
        let enabled = self.properties.get("ActionsEnabled") != Some(&json!(false));
        let list = self.properties.get(name).filter(|_| enabled).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    }
}

impl MetricAlarm {
    fn new(read: &Properties) -> Result<Self, String> {
        let queries = Queries::new(queries(read)?)?;
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

fn read<'a, T: Deserialize<'a>>(properties: Value) -> Result<T, String> {
    T::deserialize(properties).map_err(|error| error.to_string())
}

/// Returns a time as reasons have it: `29/11/26 13:50:00`.
fn short(ms: i64) -> String {
    let text = crate::clock::rfc3339(ms);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}/{}/{} {}", part(8, 10), part(5, 7), part(2, 4), part(11, 19))
}

/// Returns a time as messages have it: `2026-11-29T13:50:00.000+0000`.
pub(super) fn long(ms: i64) -> String {
    crate::clock::rfc3339(ms).replace('Z', "+0000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn alarm(change: Value) -> Result<Alarm, String> {
        let mut properties = json!({
            "Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 300,
            "EvaluationPeriods": 1, "Threshold": 3, "TreatMissingData": "notBreaching",
            "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": ["arn"],
        });
        let Value::Object(change) = change else { unreachable!() };
        let Value::Object(all) = &mut properties else { unreachable!() };
        all.extend(change);
        all.retain(|_, value| !value.is_null());
        let config = sam_template::Alarm {
            logical_id: "A".to_owned(),
            name: "a".to_owned(),
            arn: "arn:a".to_owned(),
            is_composite: false,
            properties: all.clone(),
        };
        Alarm::new(&config, 0)
    }

    #[test]
    fn an_alarm_is_evaluated_over_its_periods() {
        let alarm = alarm(json!({})).unwrap();
        let Kind::Metric(watched) = &alarm.kind else { unreachable!() };
        let metrics = Metrics::new(Clock::new(1.0));
        let metric = Metric {
            namespace: "N".to_owned(),
            metric_name: "M".to_owned(),
            dimensions: Vec::new(),
        };
        let at = |minute: i64| watched.evaluate(&metrics, minute * 60_000, State::Ok);
        let (state, reason, _) = at(5);
        let expected = "Threshold Crossed: no datapoints were received for 1 period and 1 missing \
                        datapoint was treated as [NonBreaching].";
        assert_eq!((state, reason.as_str()), (State::Ok, expected));
        metrics.add(metric, None, 4 * 60_000, &[(1.0, 3.0)]);
        let (state, reason, data) = at(5);
        let expected = "Threshold Crossed: 1 out of the last 1 datapoint [3.0 (01/01/70 00:00:00)] \
                        was greater than or equal to the threshold (3.0) (minimum 1 datapoint for \
                        OK -> ALARM transition).";
        assert_eq!((state, reason.as_str()), (State::Alarm, expected));
        assert_eq!(data["recentDatapoints"], json!([3.0]));
        assert_eq!(
            (at(4).0, at(9).0, at(19).0, at(20).0),
            (State::Ok, State::Alarm, State::Alarm, State::Ok)
        );
    }

    #[test]
    fn wrong_settings_are_refused() {
        for change in [
            json!({"MetricName": null}),
            json!({"Period": null}),
            json!({"Period": 45}),
            json!({"Statistic": "p99"}),
            json!({"ExtendedStatistic": "p99"}),
            json!({"Threshold": null}),
            json!({"ComparisonOperator": "Greater"}),
            json!({"TreatMissingData": "notbreaching"}),
            json!({"EvaluationPeriods": 289}),
            json!({"DatapointsToAlarm": 2}),
            json!({"AlarmActions": ["1", "2", "3", "4", "5", "6"]}),
            json!({"ThresholdMetricId": "t1"}),
            json!({"Metrics": [{"Id": "m", "Expression": "1"}]}),
        ] {
            assert!(alarm(change.clone()).is_err(), "{change}");
        }
        assert!(alarm(json!({"EvaluationPeriods": 288})).is_ok());
    }
}
