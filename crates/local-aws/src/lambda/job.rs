//! What a process is given, what it returns, and why it did not start.

use bytes::Bytes;
use tokio_util::sync::DropGuard;

use super::concurrency::ConcurrencyPermit;
use super::invocation::Invocation;

/// The process's outcome of an invocation.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Bytes),
    Error(Bytes),
}

/// An invocation on its way to the process.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) invocation: Invocation,
    /// Real time, in milliseconds since the Unix epoch.
    pub(super) deadline_ms: i64,
}

/// Held until the process and its extensions have finished with an invocation.
#[derive(Debug)]
pub(super) struct InvocationGuard {
    pub(super) _permit: ConcurrencyPermit,
    /// Cancels the token that the invocation's timeout waits on.
    pub(super) _finished: DropGuard,
}

/// Why a process did not request its first invocation.
#[derive(Debug, Clone)]
pub(super) enum StartFailure {
    /// The function reported an error during its initialization.
    Reported(Bytes),
    /// The process exited, with this status.
    Exited(String),
    /// The process did not request an invocation in time.
    TooSlow,
    /// The process was not started.
    NotStarted(String),
}
