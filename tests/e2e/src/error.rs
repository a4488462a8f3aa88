//! Errors of the test harness.

/// The command that builds the binaries with the profile of this crate.
const BUILD: &str = if cfg!(debug_assertions) {
    "cargo build --workspace --bins --examples"
} else {
    "cargo build --release --workspace --bins --examples"
};

/// A failed step of the harness, with the cloud's response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The binaries are not built.
    #[error("{0} is not built: run `{BUILD}` first")]
    NotBuilt(String),
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// The step.
        what: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The local cloud exited before it was ready.
    #[error("local-cloud exited before it was ready; its log:\n{0}")]
    NotReady(String),
    /// A request got no response.
    #[error("no response: {0}")]
    Http(#[from] reqwest::Error),
    /// A request got an unexpected response.
    #[error("{what}: status {status}, body {body}")]
    Answer {
        /// The request.
        what: String,
        /// Its HTTP status.
        status: u16,
        /// Its body.
        body: String,
    },
    /// A condition was not met in time.
    #[error("timed out after {seconds} s waiting for {what}; last state: {last}")]
    TimedOut {
        /// The condition.
        what: String,
        /// The timeout, s.
        seconds: u64,
        /// The last observed state.
        last: String,
    },
}
