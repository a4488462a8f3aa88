//! What every Lambda of this system starts with.
//!
//! A function's `main` reads as a list: [`logging::init`], its own `Config::from_env` over [`Env`],
//! [`aws::sdk_config`], its clients, run. This crate holds the parts of that list which are the
//! same for more than one function, and nothing of their jobs; also what `session`'s use cases need of
//! any function ([`surroundings`]) and what its ports call an SDK's error ([`sdk_fault`]).
//!
//! On the way of the data (request → session → event → stream → PCM → processor) it stands
//! beside each Lambda, never in the middle: nothing here touches audio.

pub mod aws;
pub mod env;
mod error_body;
pub mod logging;
pub mod metrics;
pub mod one_line;
pub mod sdk_fault;
pub mod surroundings;
pub mod trace;

pub use env::{ConfigError, Env, TimeScale};
