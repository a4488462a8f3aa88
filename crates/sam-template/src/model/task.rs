//! Tasks of containers, and the roles of functions and tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

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
