//! SQS, to the extent that dead-letter queues need it: standard queues, the json-1.0 protocol.
//!
//! - `queue`: one queue's messages, in flight and waiting. Time is passed in.
//! - `message`: messages and their MD5s, which SDKs check.
//! - `api`: the operations, from JSON to JSON.
//! - `service`: the queues.
//! - `policy`: whether a queue's policy allows a service to send.

mod api;
mod errors;
mod message;
mod parameters;
mod policy;
mod queue;
mod service;

pub(crate) use errors::error_response;
pub(crate) use parameters::queue_of;
pub use service::Sqs;
