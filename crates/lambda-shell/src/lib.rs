//! What every Lambda of this system starts with.
//!
//! A function's `main` reads as a list: [`logging::init`], its own `Config::from_env` over [`Env`],
//! its adapters (`aws-adapters`), run. This crate holds the parts of that list which several
//! functions share, and the surroundings that `session`'s use cases need ([`surroundings`]).
//!
//! No audio passes through it.

pub mod env;
pub mod logging;
pub mod metrics;
pub mod one_line;
pub mod surroundings;
pub mod trace;

pub use env::{ConfigError, Env, TimeScale};
