//! What can go wrong, and how Lambda tells the sender.

use std::path::PathBuf;

use lambda_runtime::Diagnostic;
use session::audio::Refusal;
use session::{PortError, SessionId};

/// Why a payload was not taken.
///
/// The sender tells them apart by `errorType`: a [`Refusal`] says what to do, everything else is
/// worth another try: no sample was accepted, or the try will be answered as a duplicate.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The contract says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The watermark could not be moved.
    #[error("{session}: the watermark could not be moved: {source}")]
    Store {
        /// Which session.
        session: SessionId,
        /// What the store says.
        source: PortError,
    },
    /// The WAV file could not be written.
    #[error("{session}: {source}")]
    Recording {
        /// Which session.
        session: SessionId,
        /// What the disk says.
        source: RecordingError,
    },
}

/// A WAV file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct RecordingError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub source: std::io::Error,
}

impl ProcessError {
    /// Lambda's `errorType`.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.error_type(),
            Self::Store { .. } => "StoreUnavailable",
            Self::Recording { .. } => "RecordingFailed",
        }
    }
}

impl From<ProcessError> for Diagnostic {
    fn from(error: ProcessError) -> Self {
        Self { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    }
}
