//! SQS: what the dead-letter queues need. Standard queues, the json-1.0 protocol.
//!
//! - `queue`: one queue's messages, in flight and waiting. Time is passed in.
//! - `message`: what a message is and its MD5s, which SDKs check.
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
