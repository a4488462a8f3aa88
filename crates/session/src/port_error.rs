//! What can go wrong at a port, and whether a retry helps: decided here and nowhere else.

/// A failed call to something outside: DynamoDB, Kinesis Video Streams, EventBridge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct PortError {
    /// The call, by its AWS name, for example `CreateStream`.
    pub operation: &'static str,
    /// What it means for us.
    pub kind: ErrorKind,
    /// The service's code and message, for people. Holds no secret.
    pub message: String,
}

/// What a [`PortError`] means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The thing does not exist.
    NotFound,
    /// The name is taken, or the thing is not in a state for this call.
    InUse,
    /// A limit of the account is reached, and stays so until something is removed.
    LimitExceeded,
    /// Too many calls at once.
    Throttled,
    /// We lack the permission.
    Denied,
    /// The call is wrong.
    Invalid,
    /// No usable answer: server error, broken connection. The call may have had its effect.
    Unavailable,
    /// No answer within our budget. The call may have had its effect.
    TimedOut,
}

impl ErrorKind {
    /// Every kind.
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

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::TimedOut)
    }

    /// Whether the call may have had its effect in spite of the error.
    #[must_use]
    pub const fn is_outcome_unknown(self) -> bool {
        matches!(self, Self::Unavailable | Self::TimedOut)
    }
}

impl PortError {
    /// An error of `operation`.
    #[must_use]
    pub fn new(operation: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { operation, kind, message: message.into() }
    }

    /// Whether the same call may succeed a little later: [`ErrorKind::is_retryable`].
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}
