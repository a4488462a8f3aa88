#![doc = include_str!("../README.md")]

mod admin_api;
pub mod aws_error;
pub mod clock;
pub mod connections;
mod data_folder;
pub mod delivery_stats;
pub mod dynamodb;
pub mod error;
pub mod events;
pub mod faults;
pub mod http_api;
pub mod iam;
pub mod kvs;
pub mod lambda;
mod named_resources;
mod options;
mod rate_limit;
mod server;
mod services;
pub mod session_state;
pub mod signaling;
pub mod sqs;
mod start;
mod storage_session;
mod tls;
mod wildcard;
pub mod wire;

pub use admin_api::index::NAME as INDEX_NAME;
pub use aws_error::AwsError;
pub use clock::Clock;
pub use error::Error;
pub use faults::{Fault, FaultKind, Faults};
pub use options::Options;
pub use sam_template::Account;
pub use services::{Services, load_template};
pub use start::{LocalAws, start};
