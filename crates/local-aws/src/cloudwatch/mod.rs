//! CloudWatch: metrics, alarms and dashboards.
//!
//! - `metrics`: the values of all metrics; `series`: those of one; `statistic`: of a period.
//! - `emf`: metrics in the functions' log lines.
//! - `query`, `expression`, `search`: MetricDataQuery, metric math and search expressions.
//! - `alarm`, `metric_alarm`: an alarm's settings; `evaluation`: its state for data points; `rule`:
//!   that of a composite alarm; `state_change`: history and messages.
//! - `service`: evaluates the alarms every minute of the cloud's clock.
//! - `api`, `alarms_api`, `data_api`, `metrics_api`, `input`, `wire`: the operations and their
//!   protocols.
//!
//! Every time is the cloud's, so that an alarm with a period of five minutes is raised within
//! seconds at a time scale of 60.

mod alarm;
mod alarms_api;
mod api;
mod data_api;
mod emf;
mod evaluation;
mod expression;
mod input;
mod metric_alarm;
mod metrics;
mod metrics_api;
mod query;
mod rule;
mod search;
mod series;
mod service;
mod state_change;
mod statistic;
#[cfg(test)]
mod tests;
mod wire;

pub use metrics::Metrics;
pub use service::CloudWatch;
