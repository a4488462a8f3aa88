//! The error of this crate.

use std::path::PathBuf;

use sam_template::TemplateError;

/// Why the services did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The template is malformed or asks for something that is not supported.
    #[error("{path}: {source}")]
    Template {
        /// The template's file.
        path: PathBuf,
        /// The error, with its place in the template.
        source: TemplateError,
    },
    /// A service rejected its part of the template.
    #[error("{service}: {reason}")]
    Service {
        /// The service, for example `events`.
        service: &'static str,
        /// Why it was rejected.
        reason: String,
    },
    /// A port, file or folder could not be used.
    #[error("{what}: {source}")]
    Io {
        /// The port, file or folder.
        what: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Another process uses the data folder.
    #[error(
        "{folder} is in use by another local-cloud (process {process}): stop that process, or choose \
         another data folder"
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The id of that process, or `unknown`.
        process: String,
    },
    /// The token issuer's key could not be generated, or a token could not be signed.
    #[error("token issuer: {0}")]
    Issuer(String),
}

impl Error {
    /// Returns a function that wraps an I/O error on `what`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
