//! The fault matrix: whatever fails, every sample that KVS holds is accepted by the processor once,
//! in order.
//!
//! Two kinds of runs. *Simulated* ones ([`simulated`]) carry a session with the consumer's own code
//! through a [`simulator`] whose time is virtual, so that a thousand outages of minutes take a minute.
//! Runs of *processes* ([`processes`]) do the same with the real function binaries over the local
//! cloud. Both draw all chance from a seed and come to a [`Row`] of the same table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod processes;
pub mod scene;
pub mod simulated;
pub mod stamps;

mod matrix;
mod summary;

pub use matrix::{Kind, matrix};
pub use summary::{Row, Sum, table};
