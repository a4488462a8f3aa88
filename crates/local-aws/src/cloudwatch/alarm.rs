//! An alarm of the template: its checked properties, and its state.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::evaluation::State;
use super::metric_alarm::{MetricAlarm, Properties};
use super::rule::Rule;

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

/// The properties of both kinds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Common {
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

    /// Returns it with other properties, and with its state.
    ///
    /// # Errors
    /// As [`Alarm::new`].
    pub(super) fn redefined(&self, config: &sam_template::Alarm, now: i64) -> Result<Self, String> {
        if self.properties == config.properties {
            return Ok(self.clone());
        }
        let Self { properties, kind, configured, .. } = Self::new(config, now)?;
        Ok(Self { properties, kind, configured, ..self.clone() })
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

fn read<'a, T: Deserialize<'a>>(properties: Value) -> Result<T, String> {
    T::deserialize(properties).map_err(|error| error.to_string())
}

/// Returns a time as messages have it: `2026-11-29T13:50:00.000+0000`.
pub(super) fn long(ms: i64) -> String {
    crate::clock::rfc3339(ms).replace('Z', "+0000")
}

#[cfg(test)]
mod tests {
    use super::super::metrics::{Metric, Metrics};
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

    #[test]
    fn a_search_is_refused() {
        let search = json!([{"Id": "m", "Expression": "SUM(SEARCH('{N,D} D=a', 'Sum', 60))"}]);
        let change = json!({"MetricName": null, "Namespace": null, "Dimensions": null,
            "Statistic": null, "Period": null, "Metrics": search});
        assert_eq!(alarm(change).unwrap_err(), "an alarm cannot search metrics");
    }
}
