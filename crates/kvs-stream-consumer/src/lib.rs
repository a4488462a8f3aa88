//! What the consumer does with an event, whatever its host: a Lambda invocation
//! (`kvs-stream-consumer`) or a message of a worker (`stream-worker`).
//!
//! A host reads its [`Config`], creates one [`Consumer`], and calls [`Consumer::handle`] for each
//! event with the time that the event may take.

mod authority;
mod config;
mod consumer;
mod end_notice;
mod event;
mod failure;
mod handler;
mod health_check;
mod metrics;
mod ports;

pub use authority::Contradiction;
pub use config::{Config, Destination, Host};
pub use consumer::Consumer;
pub use failure::Failure;
pub use handler::Event;
