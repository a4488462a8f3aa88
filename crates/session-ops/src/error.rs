//! What can fail, and the exit codes.

use std::process::ExitCode;

/// Something is left to do: letters are kept, a replay failed, or the output was not written.
pub(crate) const INCOMPLETE: u8 = 1;
/// AWS refused a call or did not answer. Exit code 2 is clap's, for wrong arguments.
const AWS: u8 = 3;
/// What was named does not exist.
const NOT_FOUND: u8 = 4;
/// Interrupted by Ctrl-C, as shells report it.
pub(crate) const INTERRUPTED: u8 = 130;

/// An error that ends the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No region is configured.
    #[error("no region: give --region, set AWS_REGION, or choose a profile that has one")]
    NoRegion,
    /// The profile that was named does not exist.
    #[error(
        "the profile {0} is in neither file of the AWS configuration: `aws configure list-profiles`"
    )]
    NoProfile(String),
    /// The credentials of the profile that was named cannot be loaded.
    #[error(
        "the profile {name} has no credentials that session-ops can load: {reason}: set the keys that \
         `aws configure export-credentials --profile {name} --format env` prints"
    )]
    Profile {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A call failed.
    #[error("{operation}: {message}")]
    Aws {
        /// The operation, for example `dynamodb scan`.
        operation: String,
        /// AWS's code and message, or why there was no answer.
        message: String,
    },
    /// A function failed.
    #[error("{function} failed: {message}")]
    Function {
        /// Its name.
        function: String,
        /// The error as it returned it.
        message: String,
    },
    /// There is no such session.
    #[error("no session {0}")]
    NoSession(session::SessionId),
    /// An item or an answer is not as this build expects it.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// What it is.
        what: String,
        /// Why.
        reason: String,
    },
    /// A value of an option contradicts another.
    #[error("{0}")]
    Usage(&'static str),
    /// Output, signals or the runtime.
    #[error("cannot {what}: {source}")]
    Io {
        /// The step.
        what: &'static str,
        /// The cause.
        source: std::io::Error,
    },
}

impl Error {
    /// Returns an error of reading or writing.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// Returns the exit code of the command.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::NoSession(_) => NOT_FOUND,
            Self::NoRegion | Self::NoProfile(_) | Self::Profile { .. } | Self::Usage(_) => 2,
            Self::Io { .. } => INCOMPLETE,
            _ => AWS,
        })
    }

    /// Returns whether the reader of the output has ended.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}
