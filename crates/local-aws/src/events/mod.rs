//! EventBridge: PutEvents, rules, targets with retries and dead letters, schedules, archives.
//!
//! - `pattern`: which events a rule matches.
//! - `entry`: converts an entry of PutEvents to the event for targets.
//! - `delivery`: one event to one target, with its retry policy and dead-letter queue.
//! - `schedule`: `rate(...)` on the cloud's clock.
//! - `archive`: stores events; `replay`: sends them again.
//! - `bus_log`: the latest events, for `/_local/events`.
//! - `service`: the rules and archives of the bus.
//! - `api`: the operations, from JSON to JSON.
//! - `page`: pagination of lists.
//!
//! Faults of operation `PutEvents` (target: the bus) apply to the call, and those of kind `entry`
//! to one entry inside a successful answer (`extra.entry`: its index). Faults of operation
//! `Deliver` (target: the rule) apply to one attempt to deliver: an error is retried and ends in
//! the dead-letter queue, `answer-lost` delivers and tries again, `cut` loses the event without a
//! trace.

mod api;
mod archive;
mod bus_log;
mod delivery;
mod entry;
mod page;
mod pattern;
mod put_events;
mod rate;
mod replay;
mod rule;
mod schedule;
mod service;

pub use service::Events;
