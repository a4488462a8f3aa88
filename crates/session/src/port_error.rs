//! Calls of the ports and their errors. The kind of an error determines whether a retry can
//! succeed.

/// A call of a port: a future that returns `T` or a [`PortError`]. Implementations are `async fn`.
pub trait PortFuture<T>: Future<Output = Result<T, PortError>> + Send {}

impl<T, F: Future<Output = Result<T, PortError>> + Send> PortFuture<T> for F {}

/// A failed call to an AWS service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct PortError {
    /// AWS name of the call, for example `CreateStream`.
    pub operation: &'static str,
    /// Classification of the error.
    pub kind: ErrorKind,
    /// Error code and message of the service, for logs. Contains no secret.
    pub message: String,
}

/// Classification of a [`PortError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The resource does not exist.
    NotFound,
    /// The name is taken, or the state of the resource does not permit the call.
    InUse,
    /// An account limit is reached until a resource is deleted.
    LimitExceeded,
    /// The rate of calls is too high.
    Throttled,
    /// The role lacks the permission.
    Denied,
    /// The call is invalid.
    Invalid,
    /// Server error or broken connection. The call may have taken effect.
    Unavailable,
    /// No response before the deadline. The call may have taken effect.
    TimedOut,
}

impl ErrorKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::NotFound,
        Self::InUse,
        Self::LimitExceeded,
        Self::Throttled,
        Self::Denied,
        Self::Invalid,
        Self::Unavailable,
        Self::TimedOut,
    ];

    /// Returns whether a retry of an idempotent call can succeed.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::TimedOut)
    }

    /// Returns whether the service rejected the call because of its rate. Such a call had no
    /// effect, so even a call that is not idempotent can be retried.
    #[must_use]
    pub const fn is_throttled(self) -> bool {
        matches!(self, Self::Throttled)
    }

    /// Returns whether the call may have taken effect in spite of the error.
    #[must_use]
    pub const fn is_outcome_unknown(self) -> bool {
        matches!(self, Self::Unavailable | Self::TimedOut)
    }
}

impl PortError {
    /// Creates an error of `operation`.
    #[must_use]
    pub fn new(operation: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { operation, kind, message: message.into() }
    }

    /// Returns [`ErrorKind::is_retryable`] of its kind.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}
