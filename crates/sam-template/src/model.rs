//! The typed resources of a template, with every intrinsic function resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

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

/// A function.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its name inside the template.
    pub logical_id: String,
    /// The package of its binary: the last part of CodeUri.
    pub package: String,
    /// The name of its log: its package, or its deployed name if an earlier function has the same
    /// package.
    pub log: String,
    /// Its deployed name.
    pub name: String,
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`.
    pub arn: String,
    /// The alias of its published version (`AutoPublishAlias`).
    pub alias: Option<String>,
    /// How it runs on managed instances, if it does (`CapacityProviderConfig`).
    pub instances: Option<ManagedInstances>,
    /// Timeout of an invocation, in the cloud's time.
    pub timeout: Duration,
    /// Memory in MB: 128..=10240. Passed to the function, not enforced.
    pub memory_mb: u32,
    /// The ARN of its role; absent if SAM creates the role, which is not modelled here.
    pub role: Option<String>,
    /// The environment, every value resolved.
    pub environment: BTreeMap<String, String>,
    /// Maximum number of concurrent invocations, if limited.
    pub reserved_concurrency: Option<u32>,
    /// The settings of asynchronous invocations.
    pub event_invoke: EventInvoke,
    /// Whether Lambda traces invocations for which the caller has not decided (`Tracing: Active`).
    pub tracing_active: bool,
    /// Whether recursive loops are allowed (`RecursiveLoop: Allow`).
    pub recursive_loop_allowed: bool,
}

/// A function's part of managed instances: its environments run several invocations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedInstances {
    /// Invocations that one environment runs at once
    /// (`PerExecutionEnvironmentMaxConcurrency`).
    pub max_concurrency: u32,
}

/// A task: a container that runs until it is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its name inside the template.
    pub logical_id: String,
    /// The family of its definition.
    pub name: String,
    /// The package of its binary: the name of its container.
    pub package: String,
    /// The ARN of its role (`TaskRoleArn`).
    pub role: Option<String>,
    /// The environment, every value resolved.
    pub environment: BTreeMap<String, String>,
    /// The log group of its container.
    pub log_group: Option<String>,
    /// Time from SIGTERM to SIGKILL when it is stopped, in the cloud's time.
    pub stop_timeout: Duration,
}

/// The role of a function or a task, with the statements of its inline policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The documents of its inline policies, by name.
    pub policies: BTreeMap<String, Value>,
    /// The statements of all its policies, in the order of the template.
    pub statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its name.
    pub sid: String,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Actions, with the wildcards `*` and `?`.
    pub actions: Vec<String>,
    /// ARNs, with the wildcards `*` and `?`, or `*` alone.
    pub resources: Vec<String>,
    /// Whether it has a condition. The condition is not evaluated.
    pub conditional: bool,
}

/// The effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Allows the actions.
    Allow,
    /// Denies the actions, and overrides every Allow.
    Deny,
}

/// How Lambda retries asynchronous invocations (`EventInvokeConfig`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInvoke {
    /// Retries after a function error: 0..=2.
    pub maximum_retry_attempts: u32,
    /// Maximum age of an event, in the cloud's time: 60 s to 6 h.
    pub maximum_event_age: Duration,
    /// Destination of the record of a given-up event (ARN).
    pub on_failure: Option<String>,
    /// Destination of the record of a successful event (ARN).
    pub on_success: Option<String>,
}

impl Default for EventInvoke {
    fn default() -> Self {
        Self {
            maximum_retry_attempts: 2,
            maximum_event_age: Duration::from_secs(21_600),
            on_failure: None,
            on_success: None,
        }
    }
}

/// An HTTP API with its routes.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpApi {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its id, as in its host name.
    pub id: String,
    /// The stage. Default: `$default`.
    pub stage: String,
    /// Its routes, in the order of the template.
    pub routes: Vec<Route>,
    /// The CORS configuration; absent: API Gateway does not handle CORS.
    pub cors: Option<Cors>,
}

/// The CORS configuration of an HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// Origins, `*`, or every origin of a scheme (`https://*`).
    pub allow_origins: Vec<String>,
    /// Methods of requests.
    pub allow_methods: Vec<String>,
    /// Headers of requests.
    pub allow_headers: Vec<String>,
    /// Headers of responses that a page may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may cache the answer to a preflight, in seconds.
    pub max_age: Option<u64>,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Upper-case method, or `ANY`.
    pub method: String,
    /// The path with its parameters, for example `/sessions/{sessionId}`.
    pub path: String,
    /// The logical id of its function.
    pub function: String,
    /// The authorizer; absent: no token is required.
    pub authorizer: Option<JwtAuthorizer>,
    /// How long API Gateway waits for the function, in the cloud's time: at most 30 s.
    pub timeout: Duration,
    /// The throttling limits; absent: unlimited.
    pub throttle: Option<Throttle>,
}

/// The limits of a route, shared by all clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Sustained requests per second (`ThrottlingRateLimit`).
    pub rate: u32,
    /// Maximum burst of requests (`ThrottlingBurstLimit`).
    pub burst: u32,
}

impl Route {
    /// Returns `METHOD /path`, the form in events and logs.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// A JWT authorizer, and the scopes that its route requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtAuthorizer {
    /// Its name.
    pub name: String,
    /// The required issuer.
    pub issuer: String,
    /// The accepted audiences; a token must have one of them.
    pub audience: Vec<String>,
    /// The accepted scopes; a token must have one of them. Empty: no scope is required.
    pub scopes: Vec<String>,
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

/// A rule on an event bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The name of the bus. Default: `default`.
    pub bus: String,
    /// The description.
    pub description: Option<String>,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The events it matches.
    pub pattern: Option<Value>,
    /// `rate(...)` or `cron(...)`.
    pub schedule: Option<String>,
    /// The targets of its events.
    pub targets: Vec<Target>,
}

/// A target of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its id inside the rule.
    pub id: String,
    /// The function or queue.
    pub arn: String,
    /// `Input`: the JSON text that replaces the event.
    pub input: Option<String>,
    /// `InputPath`: the part of the event that replaces it.
    pub input_path: Option<String>,
    /// `InputTransformer`, as written.
    pub input_transformer: Option<Value>,
    /// The retry policy of its deliveries.
    pub retry: RetryPolicy,
    /// The ARN of the queue for undeliverable events.
    pub dead_letter_arn: Option<String>,
}

/// A target's retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Retries after the first attempt: 0..=185.
    pub maximum_retry_attempts: u32,
    /// Maximum age of an event, in the cloud's time: 60 s to 24 h.
    pub maximum_event_age: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { maximum_retry_attempts: 185, maximum_event_age: Duration::from_secs(86_400) }
    }
}

/// An SQS queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its URL on this cloud.
    pub url: String,
    /// Visibility timeout of a received message, in the cloud's time.
    pub visibility_timeout: Duration,
    /// Retention period of a message, in the cloud's time.
    pub retention: Duration,
    /// How long ReceiveMessage waits when the queue is empty, in the cloud's time.
    pub receive_wait: Duration,
    /// Delay before a new message is visible, in the cloud's time.
    pub delay: Duration,
    /// `RedrivePolicy`, as written.
    pub redrive_policy: Option<Value>,
    /// The documents of the policies that name this queue.
    pub policies: Vec<Value>,
}

/// An archive of a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// Its name inside the template.
    pub logical_id: String,
    /// Its deployed name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The ARN of the archived bus.
    pub source_arn: String,
    /// The description.
    pub description: Option<String>,
    /// The pattern of archived events; absent: all events.
    pub pattern: Option<Value>,
    /// Retention in days; 0: unlimited.
    pub retention_days: u32,
}
