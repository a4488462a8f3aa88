//! The typed resources of a template, with every intrinsic function resolved.

mod alarms;
mod events;
mod function;
mod http_api;
mod task;

use std::collections::BTreeMap;

use serde_json::Value;

pub use alarms::{Alarm, Dashboard, Subscription, Topic};
pub use events::{Archive, Queue, RetryPolicy, Rule, Target};
pub use function::{EventInvoke, Function, ManagedInstances};
pub use http_api::{Cors, HttpApi, JwtAuthorizer, Route, Throttle};
pub use task::{Effect, Role, Statement, Task};

use crate::account::Account;

/// A whole template, read and resolved.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Template {
    /// Where it is deployed.
    pub account: Account,
    /// Every parameter and its value.
    pub parameters: BTreeMap<String, String>,
    /// `AWS::Serverless::Function`.
    pub functions: Vec<Function>,
    /// `AWS::ECS::TaskDefinition`.
    pub tasks: Vec<Task>,
    /// `AWS::IAM::Role`: those of the functions and tasks.
    pub roles: Vec<Role>,
    /// `AWS::Serverless::HttpApi`.
    pub http_apis: Vec<HttpApi>,
    /// `AWS::DynamoDB::Table`.
    pub tables: Vec<Table>,
    /// `AWS::Events::Rule` and the rule and schedule events of functions.
    pub rules: Vec<Rule>,
    /// `AWS::SQS::Queue`, with its queue policies.
    pub queues: Vec<Queue>,
    /// `AWS::Events::Archive`.
    pub archives: Vec<Archive>,
    /// `AWS::CloudWatch::Alarm` and `AWS::CloudWatch::CompositeAlarm`.
    pub alarms: Vec<Alarm>,
    /// `AWS::CloudWatch::Dashboard`.
    pub dashboards: Vec<Dashboard>,
    /// `AWS::SNS::Topic`, with its subscriptions.
    pub topics: Vec<Topic>,
    /// The outputs, by name.
    pub outputs: BTreeMap<String, Value>,
}

/// A DynamoDB table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// The attribute that holds the time to live, in epoch seconds.
    pub ttl_attribute: Option<String>,
    /// The CreateTable request: keys, attributes, indexes, billing, stream.
    pub create: Value,
}
