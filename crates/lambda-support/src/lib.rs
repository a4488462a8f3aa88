//! Common start-up code of the Lambda functions.
//!
//! A function's `main` calls [`logging::init`], reads its own `Config::from_env` from [`Env`],
//! creates its adapters (`aws-adapters`) and runs. This crate contains the steps that several
//! functions share, and the clock, random source and telemetry that `session`'s use cases need
//! ([`context`]).
//!
//! No audio passes through this crate.

pub mod context;
pub mod env;
pub mod json_lines;
pub mod logging;
pub mod metrics;
pub mod trace;

pub use env::{ConfigError, Env, TimeScale};
