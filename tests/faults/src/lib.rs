//! The fault matrix: checks under each fault that the processor accepts every sample that KVS holds
//! once and in order.
//!
//! There are two kinds of runs. *Simulated* runs ([`simulated`]) deliver a session with the
//! consumer's code in the [`simulator`], whose time is virtual, so that a thousand outages of
//! minutes take a minute. Runs with *processes* ([`processes`]) use the function binaries on the
//! local cloud. Both take all random numbers from a seed, and their results are [`Row`]s of one
//! table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod processes;
pub mod scenario;
pub mod simulated;
pub mod stamps;

mod matrix;
mod summary;

pub use matrix::{Kind, matrix};
pub use summary::{Row, RunResult, table};
