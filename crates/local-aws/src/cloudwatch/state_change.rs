//! What a change of an alarm's state causes: entries of its history, and the message to its topic
//! (CloudWatch user guide, "Notifying users on alarm changes"; SNS messages as AWS sends them).

use serde_json::{Value, json};

use super::alarm::{Alarm, Kind, long};
use super::evaluation::State;
use sam_template::Account;

/// An entry of an alarm's history.
#[derive(Debug, Clone)]
pub(super) struct HistoryItem {
    pub(super) alarm: String,
    /// `MetricAlarm` or `CompositeAlarm`.
    pub(super) alarm_type: &'static str,
    /// ms since the epoch.
    pub(super) at: i64,
    /// `StateUpdate` or `Action`.
    pub(super) item_type: &'static str,
    pub(super) summary: String,
    /// JSON.
    pub(super) data: String,
}

impl Alarm {
    /// Returns the name of its kind in the API.
    pub(super) fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Metric(_) => "MetricAlarm",
            Kind::Composite(_) => "CompositeAlarm",
        }
    }

    /// Returns the entry for the change from `old`, which was set at `old_at` for `old_reason`.
    pub(super) fn state_update(&self, old: State, old_reason: &str) -> HistoryItem {
        let data = json!({
            "version": "1.0",
            "oldState": {"stateValue": old.name(), "stateReason": old_reason},
            "newState": {
                "stateValue": self.state.name(),
                "stateReason": self.reason,
                "stateReasonData": self.reason_data.as_deref().map(as_json),
            },
        });
        let summary = format!("Alarm updated from {} to {}", old.name(), self.state.name());
        self.item("StateUpdate", summary, data)
    }

    /// Returns the entry for an action; `failure` is why it was not executed.
    pub(super) fn action(&self, arn: &str, failure: Option<&str>) -> HistoryItem {
        let summary = match failure {
            None => format!("Successfully executed action {arn}"),
            Some(_) => format!("Failed to execute action {arn}"),
        };
        let data = json!({
            "version": "1.0",
            "actionState": if failure.is_none() { "Succeeded" } else { "Failed" },
            "notificationResource": arn,
            "stateUpdateTimestamp": self.transitioned,
            "error": failure,
        });
        self.item("Action", summary, data)
    }

    fn item(&self, item_type: &'static str, summary: String, data: Value) -> HistoryItem {
        let (alarm, alarm_type) = (self.name.clone(), self.type_name());
        let data = data.to_string();
        HistoryItem { alarm, alarm_type, at: self.transitioned, item_type, summary, data }
    }

    /// Returns subject and message of the notification about the change from `old`.
    pub(super) fn notification(&self, account: &Account, old: State) -> (String, String) {
        let property = |name: &str| self.properties.get(name).cloned();
        let list = |name: &str| property(name).unwrap_or_else(|| json!([]));
        let mut message = json!({
            "AlarmName": self.name,
            "AlarmDescription": property("AlarmDescription"),
            "AWSAccountId": account.id,
            "AlarmConfigurationUpdatedTimestamp": long(self.configured),
            "NewStateValue": self.state.name(),
            "NewStateReason": self.reason,
            "StateChangeTime": long(self.transitioned),
            "Region": region_name(account),
            "AlarmArn": self.arn,
            "OldStateValue": old.name(),
            "OKActions": list("OKActions"),
            "AlarmActions": list("AlarmActions"),
            "InsufficientDataActions": list("InsufficientDataActions"),
        });
        match &self.kind {
            Kind::Metric(_) => message["Trigger"] = self.trigger(),
            Kind::Composite(_) => message["AlarmRule"] = list("AlarmRule"),
        }
        let state = self.state.name();
        (format!("{state}: \"{}\" in {}", self.name, region_name(account)), message.to_string())
    }

    /// Returns the settings of a metric alarm. Dimensions have other names here than in the API.
    fn trigger(&self) -> Value {
        let property = |name: &str| self.properties.get(name).cloned().unwrap_or_default();
        let mut trigger = json!({
            "Period": property("Period"),
            "EvaluationPeriods": property("EvaluationPeriods"),
            "DatapointsToAlarm": property("DatapointsToAlarm"),
            "ComparisonOperator": property("ComparisonOperator"),
            "Threshold": property("Threshold"),
            "TreatMissingData": property("TreatMissingData"),
            "EvaluateLowSampleCountPercentile": "",
        });
        if let Some(queries) = self.properties.get("Metrics") {
            trigger["Metrics"] = queries.clone();
            return trigger;
        }
        let dimensions = property("Dimensions");
        let dimensions = dimensions.as_array().into_iter().flatten();
        let dimensions = dimensions.map(|it| json!({"value": it["Value"], "name": it["Name"]}));
        trigger["Dimensions"] = dimensions.collect();
        trigger["MetricName"] = property("MetricName");
        trigger["Namespace"] = property("Namespace");
        trigger["Unit"] = property("Unit");
        match property("Statistic").as_str() {
            Some(basic) => {
                let names = [("SampleCount", "SAMPLE_COUNT")];
                let upper = names.iter().find(|(name, _)| *name == basic);
                trigger["StatisticType"] = "Statistic".into();
                trigger["Statistic"] =
                    upper.map_or_else(|| basic.to_uppercase(), |(_, it)| (*it).to_owned()).into();
            }
            None => {
                trigger["StatisticType"] = "ExtendedStatistic".into();
                trigger["ExtendedStatistic"] = property("ExtendedStatistic");
            }
        }
        trigger
    }
}

/// Returns the region as messages name it.
fn region_name(account: &Account) -> &str {
    match account.region.as_str() {
        "us-east-1" => "US East (N. Virginia)",
        code => code,
    }
}

fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
