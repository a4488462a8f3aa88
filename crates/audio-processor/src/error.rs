//! Errors, and their conversion to Lambda's FunctionError.

use std::path::PathBuf;

use lambda_runtime::Diagnostic;
use session::audio::Refusal;
use session::{PortError, SessionId};

/// Why a payload was not processed.
///
/// The sender distinguishes them by `errorType`. A [`Refusal`] states what the sender must do. All
/// other errors can be retried: either no sample was accepted, or the retry is answered as a
/// duplicate.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The processor rejected the payload.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The watermark could not be advanced.
    #[error("{session}: the watermark could not be moved: {source}")]
    Store {
        /// The session.
        session: SessionId,
        /// The store's error.
        source: PortError,
    },
    /// The WAV file could not be written.
    #[error("{session}: {source}")]
    Recording {
        /// The session.
        session: SessionId,
        /// The I/O error.
        source: RecordingError,
    },
}

/// A WAV file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct RecordingError {
    /// The file.
    pub path: PathBuf,
    /// The operating system's error.
    pub source: std::io::Error,
}

impl ProcessError {
    /// Returns Lambda's `errorType`.
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
