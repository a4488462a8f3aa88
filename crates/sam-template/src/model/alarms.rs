//! Alarms, dashboards and the topics of notifications.

use serde_json::{Map, Value};

/// An alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// `arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME`.
    pub arn: String,
    /// Whether it combines the states of other alarms (`AWS::CloudWatch::CompositeAlarm`).
    pub is_composite: bool,
    /// Its properties, without its name and tags. They have the names and the form of the
    /// parameters of PutMetricAlarm or PutCompositeAlarm; the service that runs alarms checks them.
    pub properties: Map<String, Value>,
}

/// A dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dashboard {
    /// Its deployed name.
    pub name: String,
    /// Its body: JSON, with every intrinsic function resolved.
    pub body: String,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name inside the template.
    pub logical_id: String,
    /// `arn:aws:sns:REGION:ACCOUNT:NAME`.
    pub arn: String,
    /// Its subscriptions, in the order of the template.
    pub subscriptions: Vec<Subscription>,
}

/// A subscription to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// For example `email`.
    pub protocol: String,
    /// For example an email address.
    pub endpoint: String,
}
