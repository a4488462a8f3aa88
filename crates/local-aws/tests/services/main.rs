//! The services, tested through [`local_aws::start`] in this process.
//! One binary with a file for each guarantee, because all of them link the same large crate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod browsers;
mod connections;
mod deliveries;
mod deployments;
mod front_door;
mod index;
mod instances;
mod invocations;
mod keys;
mod live;
mod metrics;
mod pages;
mod refused_starts;
mod signaling;
mod support;
mod tables;
mod traces;
mod words;
