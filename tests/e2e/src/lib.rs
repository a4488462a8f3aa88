//! The harness of the end-to-end tests in `tests/guarantees`, one module for each guarantee.
//! `docs/testing.md` describes how to run them.
//!
//! A test starts its own [`Cloud`]: the `local-cloud` binary on a free port, with its own data
//! directory, which runs the function binaries as `infra/template.yaml` defines them. The test acts
//! as a speaker ([`Cloud::open`], [`Session::say`], [`Session::end`]) and checks the delivered
//! audio ([`SessionRun`]). A wait polls its condition and fails with the last state after a
//! timeout. Only a test of a duration lets that duration pass (`Retry-After`, the time for which a
//! stream is kept).

mod audio;
mod cloud;
mod error;
pub mod jwt_attacks;
mod session;
mod session_run;
mod trace;

pub use audio::Packets;
pub use cloud::{Cloud, Options, binary, root, signal, template};
pub use error::Error;
pub use session::Session;
pub use session_run::SessionRun;
pub use trace::{Node, Trace};
