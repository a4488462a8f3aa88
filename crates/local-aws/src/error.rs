//! The error of this crate.

use std::path::{Path, PathBuf};

use sam_template::TemplateError;

/// Why the services did not start, or did not change.
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
    /// There is no template.
    #[error("{path}: no such template{}", searched(path))]
    NoTemplate {
        /// The path of the template.
        path: PathBuf,
    },
    /// A deployment would change a resource that running services do not change.
    #[error(
        "{resource}: this resource differs, and a running cloud changes only rules, queues, roles, \
         and settings of functions and tasks: start the cloud again with these parameters"
    )]
    Fixed {
        /// Its logical id.
        resource: String,
    },
    /// A parameter names something that does not exist on this machine.
    #[error("parameter {name}: {reason}")]
    Parameter {
        /// The parameter.
        name: String,
        /// Why no function could use its value, and what to do.
        reason: String,
    },
    /// The port is in use, or this process may not listen on it.
    #[error(
        "port {port}: {source}: stop the program that uses it, or choose another port \
         (`local-cloud up --port` or `--tls-port`, `make up PORT=… DATA=…`; 0: a free one)"
    )]
    Port {
        /// The port on 127.0.0.1.
        port: u16,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file or folder could not be used.
    #[error("{what}: {source}")]
    Io {
        /// The file or folder.
        what: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Another process uses the data folder.
    #[error(
        "{folder} is in use by another local-cloud (process {process}): stop that process, or choose \
         another data folder (`local-cloud up --data`, `make up DATA=…`)"
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

/// Returns where a relative path was searched, and what to do.
fn searched(path: &Path) -> String {
    match path.is_absolute() {
        true => ": correct the path: `--template`".to_owned(),
        false => {
            let folder = std::env::current_dir().unwrap_or_default();
            format!(
                " in {} (start at the top of the repository, or correct the path: `--template`)",
                folder.display()
            )
        }
    }
}
