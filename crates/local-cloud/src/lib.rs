//! `local-cloud`: the whole system on one machine, in one process, on one port of 127.0.0.1.
//!
//! It reads the template that deploys ([`template`]), plays the services that the functions call
//! ([`lambda`], [`events`], [`kvs`], [`sqs`], [`dynamodb`], [`connections`]) and the front door
//! that the clients call ([`http_api`]), and runs the real function binaries as processes of their
//! own. Requests find their service by signing scope ([`server`]), so any AWS SDK works with
//! AWS_ENDPOINT_URL alone. A function may call what its role allows ([`iam`]). Fakes stand only
//! where AWS stands, errors included; faults come on demand ([`faults`]).

pub mod account;
mod admin_api;
pub mod aws_error;
pub mod cli;
pub mod clock;
pub mod connections;
mod data_folder;
pub mod delivery_stats;
pub mod dynamodb;
pub mod error;
pub mod events;
pub mod faults;
mod guide;
pub mod http_api;
pub mod iam;
pub mod kvs;
pub mod lambda;
mod options;
pub mod run;
mod server;
mod services;
mod signals;
pub mod speaker;
pub mod sqs;
mod start;
pub mod template;
mod wildcard;
pub mod wire;

pub use account::Account;
pub use aws_error::AwsError;
pub use clock::Clock;
pub use error::Error;
pub use faults::{Fault, FaultKind, Faults};
pub use options::Options;
pub use services::{Services, load_template};
pub use start::{LocalAws, start};
