//! All AWS calls of the system.
//!
//! | module | service | port |
//! |---|---|---|
//! | [`dynamodb`], `SessionsTable` | DynamoDB | `session::ports::Sessions`, `SessionsIndex` |
//! | [`dynamodb`], `SessionWatch` | DynamoDB | `relay::ports::Sessions` |
//! | [`dynamodb`], `StreamsTable` | DynamoDB | `relay::lease_table::LeaseTable`, `Streams` |
//! | [`dynamodb`], `ProcessedTable` | DynamoDB | `session::Watermarks` |
//! | [`kinesis_video`] | Kinesis Video Streams, control plane | `MediaControl`, `Inventory` |
//! | [`event_bridge`] | EventBridge | `session::ports::EventBus` |
//! | [`listeners`] | DynamoDB, API Gateway's WebSocket connections | `session::ports::Listeners` |
//! | [`get_media`] | Kinesis Video Streams, media | `relay::ports::MediaSource` |
//! | [`put_media`] | Kinesis Video Streams, media | – |
//! | [`canary`] | Lambda | – |
//! | [`dynamodb`], `ProgressTables` | DynamoDB | – |
//! | [`lambda`] | Lambda | `relay::ports::Processor` |
//! | [`next_run`] | Lambda, or EventBridge and SQS | `relay::ports::SelfInvoker`, `Consumer` |
//! | [`starts_queue`] | SQS | – |
//! | [`sqs`] | SQS | `relay::ports::DeadLetters`, `session::reconcile::DeadLetters` |
//!
//! `SessionsIndex`, `Streams`, `Inventory` and `Consumer` are ports of `session::reconcile`,
//! `MediaControl` is one of `session::ports`.
//!
//! Every adapter returns [`session::PortError`]; the module `sdk_error` determines its kind, and
//! the kind determines whether a retry can succeed. No SDK type is public: a function loads an
//! [`Sdk`] and passes it to the adapters. The features `watermarks`, `sessions`, `relay` and
//! `canary` select the adapters of the four functions, `producer` those of a producer.

mod client;
pub use client::Sdk;

mod error_body;

mod sdk_error;

mod trace_header;

pub mod dynamodb;

#[cfg(feature = "canary")]
pub mod canary;

#[cfg(feature = "sessions")]
pub mod event_bridge;

#[cfg(feature = "sessions")]
pub mod kinesis_video;

#[cfg(feature = "sessions")]
pub mod listeners;

#[cfg(feature = "sessions")]
mod websocket;

#[cfg(feature = "relay")]
pub mod get_media;

#[cfg(feature = "relay")]
pub mod lambda;

#[cfg(feature = "relay")]
pub mod next_run;

#[cfg(feature = "producer")]
pub mod put_media;

#[cfg(feature = "relay")]
pub mod sqs;

#[cfg(feature = "relay")]
pub mod starts_queue;
