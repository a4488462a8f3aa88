//! The `local-cloud` command: runs the whole system on one machine, from the template that deploys
//! it.
//!
//! The services are those of [`local_aws`]; the functions are the real binaries, each in its own
//! processes. This crate contains the command line ([`cli`]), the speaker that sends a recording to
//! a session's stream ([`speaker`]), and the run of one session with its report ([`run`]).

pub mod cli;
mod discovery;
mod error;
mod guide;
mod lost_sessions;
pub mod run;
mod signals;
pub mod speaker;

pub use error::Error;
