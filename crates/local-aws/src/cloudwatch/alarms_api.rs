//! DescribeAlarms, DescribeAlarmHistory and SetAlarmState.

use serde::Deserialize;
use serde_json::{Value, json};

use super::alarm::{Alarm, Kind};
use super::evaluation::State;
use super::input::{Time, invalid, page, read, records, seconds};
use super::service::CloudWatch;
use super::state_change::HistoryItem;
use crate::aws_error::AwsError;

/// Maximum number of names in a request.
const MAX_NAMES: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeAlarms {
    alarm_names: Option<Vec<String>>,
    alarm_name_prefix: Option<String>,
    alarm_types: Option<Vec<String>>,
    state_value: Option<State>,
    action_prefix: Option<String>,
    max_records: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeAlarmHistory {
    alarm_name: Option<String>,
    alarm_types: Option<Vec<String>>,
    history_item_type: Option<String>,
    start_date: Option<Time>,
    end_date: Option<Time>,
    scan_by: Option<String>,
    max_records: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SetAlarmState {
    alarm_name: String,
    state_value: State,
    state_reason: String,
    state_reason_data: Option<String>,
}

impl CloudWatch {
    pub(super) fn describe_alarms(&self, input: &Value) -> Result<Value, AwsError> {
        let wanted: DescribeAlarms = read(input)?;
        let names = wanted.alarm_names.as_deref();
        if names.is_some() && wanted.alarm_name_prefix.is_some() {
            return Err(invalid("AlarmNames and AlarmNamePrefix exclude each other"));
        }
        if names.is_some_and(|names| names.len() > MAX_NAMES) {
            return Err(invalid(format!("AlarmNames has more than {MAX_NAMES} members")));
        }
        let prefix = wanted.alarm_name_prefix.as_deref().unwrap_or_default();
        let alarms = self.alarms();
        let found = alarms.by_name.values().filter(|it| {
            names.is_none_or(|names| names.contains(&it.name))
                && it.name.starts_with(prefix)
                && is_type(wanted.alarm_types.as_deref(), it.type_name())
                && wanted.state_value.is_none_or(|state| state == it.state)
                && wanted.action_prefix.as_deref().is_none_or(|prefix| it.has_action(prefix))
        });
        let size = records(wanted.max_records)?;
        let (found, next) = page(found, size, wanted.next_token.as_deref())?;
        let (metric, composite): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|it| matches!(it.kind, Kind::Metric(_)));
        let shown = |list: Vec<&Alarm>| list.into_iter().map(Alarm::show).collect::<Vec<_>>();
        Ok(with_token(
            json!({ "MetricAlarms": shown(metric), "CompositeAlarms": shown(composite) }),
            next,
        ))
    }

    pub(super) fn describe_alarm_history(&self, input: &Value) -> Result<Value, AwsError> {
        let wanted: DescribeAlarmHistory = read(input)?;
        let (from, to) = (wanted.start_date.map(Time::ms), wanted.end_date.map(Time::ms));
        let alarms = self.alarms();
        let mut found: Vec<&HistoryItem> = alarms.history.iter().collect();
        match wanted.scan_by.as_deref() {
            None | Some("TimestampDescending") => found.reverse(),
            Some("TimestampAscending") => {}
            Some(other) => return Err(invalid(format!("ScanBy {other:?} is not valid"))),
        }
        let found = found.into_iter().filter(|it| {
            wanted.alarm_name.as_ref().is_none_or(|name| *name == it.alarm)
                // As in DescribeAlarms, only metric alarms without a type or a name.
                && (wanted.alarm_name.is_some()
                    || is_type(wanted.alarm_types.as_deref(), it.alarm_type))
                && wanted.history_item_type.as_deref().is_none_or(|kind| kind == it.item_type)
                && from.is_none_or(|from| it.at >= from)
                && to.is_none_or(|to| it.at <= to)
        });
        let size = records(wanted.max_records)?;
        let (found, next) = page(found, size, wanted.next_token.as_deref())?;
        let items: Vec<Value> = found.into_iter().map(HistoryItem::show).collect();
        Ok(with_token(json!({ "AlarmHistoryItems": items }), next))
    }

    /// Sets a state until the next evaluation.
    pub(super) fn set_alarm_state(&self, input: &Value) -> Result<Value, AwsError> {
        let wanted: SetAlarmState = read(input)?;
        if let Some(data) = &wanted.state_reason_data
            && serde_json::from_str::<Value>(data).is_err()
        {
            let message = "StateReasonData was not valid JSON";
            return Err(AwsError::bad_request("InvalidFormat", message));
        }
        let mut alarms = self.alarms();
        if !alarms.by_name.contains_key(&wanted.alarm_name) {
            let status = http::StatusCode::NOT_FOUND;
            return Err(AwsError::new(status, "ResourceNotFound", "Alarm does not exist"));
        }
        let SetAlarmState { alarm_name, state_value, state_reason, state_reason_data } = wanted;
        self.set(&mut alarms, &alarm_name, state_value, state_reason, state_reason_data);
        Ok(json!({}))
    }
}

/// Without types, only metric alarms are wanted.
fn is_type(wanted: Option<&[String]>, name: &str) -> bool {
    match wanted {
        Some(types) if !types.is_empty() => types.iter().any(|it| it == name),
        _ => name == "MetricAlarm",
    }
}

fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["NextToken"] = next.into();
    }
    answer
}

impl Alarm {
    fn has_action(&self, prefix: &str) -> bool {
        let lists = ["AlarmActions", "OKActions", "InsufficientDataActions"];
        let lists = lists.iter().filter_map(|name| self.properties.get(*name)?.as_array());
        lists.flatten().filter_map(Value::as_str).any(|action| action.starts_with(prefix))
    }

    fn show(&self) -> Value {
        let mut shown = self.properties.clone();
        for list in ["AlarmActions", "OKActions", "InsufficientDataActions", "Dimensions"] {
            if list != "Dimensions" || shown.contains_key("MetricName") {
                shown.entry(list).or_insert_with(|| json!([]));
            }
        }
        shown.entry("ActionsEnabled").or_insert(true.into());
        let state = json!({
            "AlarmName": self.name,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": seconds(self.configured),
            "StateValue": self.state.name(),
            "StateReason": self.reason,
            "StateUpdatedTimestamp": seconds(self.updated),
            "StateTransitionedTimestamp": seconds(self.transitioned),
        });
        shown.extend(state.as_object().cloned().unwrap_or_default());
        if let Some(data) = &self.reason_data {
            shown.insert("StateReasonData".to_owned(), data.clone().into());
        }
        Value::Object(shown)
    }
}

impl HistoryItem {
    fn show(&self) -> Value {
        json!({
            "AlarmName": self.alarm,
            "AlarmType": self.alarm_type,
            "Timestamp": seconds(self.at),
            "HistoryItemType": self.item_type,
            "HistorySummary": self.summary,
            "HistoryData": self.data,
        })
    }
}
