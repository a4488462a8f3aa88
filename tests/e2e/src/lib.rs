//! The harness of the end-to-end tests in `tests/`, one file per promise.
//!
//! A test starts its own [`Cloud`]: the `local-cloud` binary on a port the system picks, with its
//! own data directory, running the real function binaries from `infra/template.yaml`. It acts as a
//! speaker would ([`Cloud::open`], [`Session::say`], [`Session::end`]) and looks at what arrived
//! ([`Journey`]) as an operator would. Nothing waits by the clock: every wait polls for the thing
//! itself, and gives up loudly.

mod audio;
mod cloud;
mod error;
pub mod forge;
mod journey;
mod session;

pub use audio::Packets;
pub use cloud::{Cloud, Options, signal, template};
pub use error::Error;
pub use journey::Journey;
pub use session::Session;
