//! What can go wrong in a test before its promise is even reached.

/// What builds the binaries of the profile that this is compiled in.
const BUILD: &str = if cfg!(debug_assertions) {
    "cargo build --workspace --bins --examples"
} else {
    "cargo build --release --workspace --bins --examples"
};

/// A step of the harness failed; the message says which and what the cloud answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The binaries are not built.
    #[error("{0} is not built: run `{BUILD}` first")]
    NotBuilt(String),
    /// The local cloud did not come up, or a process could not be started.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The local cloud ended before it was ready.
    #[error("local-cloud ended before it was ready; its log:\n{0}")]
    NotReady(String),
    /// A request was not answered.
    #[error("no answer: {0}")]
    Http(#[from] reqwest::Error),
    /// A request was answered, but not as the step needs it.
    #[error("{what}: status {status}, body {body}")]
    Answer {
        /// The request.
        what: String,
        /// Its HTTP status.
        status: u16,
        /// Its body.
        body: String,
    },
    /// What a wait was for did not come.
    #[error("gave up after {seconds} s waiting for {what}; last seen: {last}")]
    Waited {
        /// What did not come.
        what: String,
        /// How long was waited.
        seconds: u64,
        /// The state at the last look.
        last: String,
    },
}
