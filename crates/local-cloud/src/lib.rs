//! The `local-cloud` command: runs the whole system on one machine, from the template that deploys
//! it.
//!
//! The services are those of [`local_aws`]; the functions are the real binaries, each in its own
//! processes. This crate contains the command line ([`cli`]), the speaker that sends a recording to
//! a session's stream ([`speaker`]), the run of one session with its report ([`run`]), and the
//! commands that show what a running cloud does ([`inspect`]).

pub mod cli;
mod discovery;
mod error;
mod guide;
mod host;
pub mod inspect;
mod lost_sessions;
mod parameter;
mod permissions;
mod processor;
mod progress;
pub mod run;
mod signals;
pub mod speaker;
mod token;
mod up;

pub use error::Error;
