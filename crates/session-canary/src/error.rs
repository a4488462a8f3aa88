//! Why a canary session failed.

use std::collections::BTreeMap;
use std::time::Duration;

use producer::SpeakError;
use session::PortError;

/// Why a canary session failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CanaryError {
    /// A call of AWS failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The session handler refused a request.
    #[error("{method} was answered with {status} {body}")]
    Refused {
        /// The HTTP method.
        method: &'static str,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The stream did not accept the sentence.
    #[error(transparent)]
    Speak(#[from] SpeakError),
    /// KVS did not store all of the sentence.
    #[error("{persisted} of {sent} fragments were persisted")]
    NotPersisted {
        /// The stored fragments.
        persisted: usize,
        /// The fragments of the sentence.
        sent: usize,
    },
    /// The session ended without all of the sentence.
    #[error("{accepted} of {spoken} samples were accepted, of these or beside them: {missing:?}")]
    NotWhole {
        /// The position of the processor, in samples.
        accepted: u64,
        /// The samples of the sentence.
        spoken: u64,
        /// Samples without delivered audio, by cause.
        missing: BTreeMap<String, u64>,
    },
    /// A step took too long.
    #[error("{step} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// The step.
        step: &'static str,
        /// Its limit, as on AWS.
        limit: Duration,
    },
}
