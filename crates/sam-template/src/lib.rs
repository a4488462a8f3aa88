#![doc = include_str!("../README.md")]

mod account;
mod alarms;
mod capacity;
mod cors;
mod definition;
mod draft;
mod events;
mod function;
mod http_api;
mod include;
mod load;
mod model;
mod names;
mod nearest;
mod options;
mod parameters;
mod queue;
mod reader;
mod role;
mod rules;
mod scope;
mod table;
mod task;
mod throttle;
mod yaml;

pub use account::Account;
pub use load::NOT_RUN;
pub use model::{
    Alarm, Archive, Cors, Dashboard, Effect, EventInvoke, Function, HttpApi, JwtAuthorizer,
    ManagedInstances, Queue, RetryPolicy, Role, Route, Rule, Statement, Subscription, Table,
    Target, Task, Template, Throttle, Topic,
};
pub use options::LoadOptions;

/// Why a template was rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not YAML, or not the shape of a template.
    #[error("not a template: {0}")]
    Malformed(String),
    /// A part of the template is malformed or not supported.
    #[error("{place}: {reason}")]
    At {
        /// The logical id, with the property where that helps.
        place: String,
        /// The reason.
        reason: String,
    },
}
