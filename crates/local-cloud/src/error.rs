//! What keeps local-cloud from starting or a client command from ending well.

use std::path::PathBuf;

use crate::template::TemplateError;

/// The crate's error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The template could not be read or says something that local-cloud does not run.
    #[error("{path}: {source}")]
    Template {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: TemplateError,
    },
    /// A service refuses what the template says.
    #[error("{service}: {reason}")]
    Service {
        /// Which service.
        service: &'static str,
        /// What it says.
        reason: String,
    },
    /// Something of the machine failed: a port, a file, a folder.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another cloud keeps its data there.
    #[error(
        "{folder} is in use by another local-cloud (process {process}): end that one, or give \
         --data another folder"
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The id of the process that holds it, as far as its lock file says.
        process: String,
    },
    /// The key of the local token issuer could not be made.
    #[error("token issuer: {0}")]
    Issuer(String),
    /// The running cloud could not be reached.
    #[error("{url} does not answer ({source}): is `local-cloud up` running there?")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the client says.
        source: reqwest::Error,
    },
    /// A client command failed.
    #[error("{0}")]
    Client(String),
}

impl Error {
    /// An [`Error::Io`] that says what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
