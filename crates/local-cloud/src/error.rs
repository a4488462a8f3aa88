//! The errors of the command line.

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The services did not start.
    #[error(transparent)]
    LocalAws(#[from] local_aws::Error),
    /// A file, folder or signal handler could not be used.
    #[error("{what}: {source}")]
    Io {
        /// The file, folder or signal.
        what: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The local cloud at the given URL could not be reached.
    #[error(
        "{url} does not answer ({}): is `local-cloud up` running there? `make up` starts one and prints \
         its URL",
        cause(source)
    )]
    Unreachable {
        /// The URL.
        url: String,
        /// The error of the HTTP client.
        source: reqwest::Error,
    },
    /// Something else than a local cloud answers at the given URL.
    #[error(
        "{url} is no local cloud (GET /_local: {answer}): give the URL that `local-cloud up` or `make \
         up` printed"
    )]
    NotACloud {
        /// The URL.
        url: String,
        /// What was answered.
        answer: String,
    },
    /// The command failed for the reason in the text.
    #[error("{0}")]
    Client(String),
}

impl Error {
    /// Returns a function that wraps an I/O error on `what`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Returns the innermost reason of an error: the outer ones repeat the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
