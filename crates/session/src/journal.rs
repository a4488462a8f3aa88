//! Log messages and metrics of the use cases, defined in one place.
//!
//! The messages for event emission are fixed by the specification ("Key Log Patterns"); operators
//! search for them.

use std::fmt;

use crate::{
    Error, PortError, SessionId,
    listeners::{News, Told},
    metrics::{self, Metric},
};

/// A notable event of a use case: one log line and optionally metrics. `Display` formats the log
/// message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// A session was created.
    SessionCreated {
        /// The session.
        session_id: &'a SessionId,
        /// Time from request to response, ms.
        latency_ms: u64,
    },
    /// A session could not be created.
    SessionFailed {
        /// The error.
        error: &'a Error,
    },
    /// A speaker ended their session.
    SessionDeleted {
        /// The session.
        session_id: &'a SessionId,
    },
    /// EventBridge accepted an event.
    EventEmitted {
        /// The session.
        session_id: &'a SessionId,
        /// The change that the event announces.
        occasion: Occasion,
        /// The event's detail, JSON text.
        detail: &'a str,
    },
    /// EventBridge did not accept an event; it stays pending.
    EventFailed {
        /// The session.
        session_id: &'a SessionId,
        /// The error.
        fault: &'a PortError,
    },
    /// A session's listeners were notified of its end.
    ListenersTold {
        /// The session.
        session_id: &'a SessionId,
        /// The message.
        news: News,
        /// Number of listeners by outcome.
        told: Told,
        /// The first error, if any listener could not be notified.
        fault: Option<&'a PortError>,
    },
    /// A step failed, and the health check will complete it.
    LeftBehind {
        /// The session.
        session_id: &'a SessionId,
        /// The error of the step.
        fault: &'a PortError,
    },
}

/// The change that an event announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A session became active.
    Creation,
    /// A session ended.
    Deletion,
}

/// Severity of a [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Normal operation.
    Info,
    /// Repaired automatically.
    Warning,
    /// A request failed, or its effect is delayed.
    Error,
}

impl<'a> Notice<'a> {
    /// Returns the session concerned, if there is one.
    #[must_use]
    pub const fn session_id(&self) -> Option<&'a SessionId> {
        match self {
            Self::SessionCreated { session_id, .. }
            | Self::SessionDeleted { session_id }
            | Self::EventEmitted { session_id, .. }
            | Self::EventFailed { session_id, .. }
            | Self::ListenersTold { session_id, .. }
            | Self::LeftBehind { session_id, .. } => Some(session_id),
            Self::SessionFailed { error: Error::Creation { session_id, .. } } => Some(session_id),
            Self::SessionFailed { .. } => None,
        }
    }

    /// Returns the value of the log field `event_detail`.
    #[must_use]
    pub const fn event_detail(&self) -> Option<&'a str> {
        match self {
            Self::EventEmitted { detail, .. } => Some(detail),
            _ => None,
        }
    }

    /// Returns the severity.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::SessionCreated { .. }
            | Self::SessionDeleted { .. }
            | Self::EventEmitted { .. } => Severity::Info,
            Self::ListenersTold { told, .. } if told.left == 0 => Severity::Info,
            Self::ListenersTold { .. } | Self::LeftBehind { .. } => Severity::Warning,
            Self::SessionFailed { .. } | Self::EventFailed { .. } => Severity::Error,
        }
    }

    /// Returns the metrics and their values.
    #[must_use]
    pub fn metrics(&self) -> Vec<(Metric, f64)> {
        match self {
            Self::SessionCreated { latency_ms, .. } => vec![
                (metrics::SESSION_CREATION_COUNT, 1.0),
                (metrics::SESSION_CREATION_LATENCY, *latency_ms as f64),
            ],
            Self::SessionFailed { .. } => vec![(metrics::SESSION_CREATION_FAILURE_COUNT, 1.0)],
            Self::SessionDeleted { .. } => vec![(metrics::SESSION_DELETION_COUNT, 1.0)],
            Self::EventEmitted { .. } => vec![(metrics::EVENT_EMISSION_SUCCESS, 1.0)],
            Self::EventFailed { .. } => vec![(metrics::EVENT_EMISSION_FAILURE, 1.0)],
            Self::ListenersTold { told, .. } if told.left > 0 => {
                vec![(metrics::LISTENERS_NOT_TOLD, told.left as f64)]
            }
            Self::ListenersTold { .. } | Self::LeftBehind { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionCreated { .. } => f.write_str("Session created"),
            Self::SessionFailed { error } => write!(f, "Session not created: {error}"),
            Self::SessionDeleted { .. } => f.write_str("Session deleted"),
            Self::EventEmitted { occasion: Occasion::Creation, .. } => {
                f.write_str("EventBridge event emitted for session creation")
            }
            Self::EventEmitted { occasion: Occasion::Deletion, .. } => {
                f.write_str("EventBridge event emitted for session deletion")
            }
            Self::EventFailed { fault, .. } => {
                write!(f, "Failed to emit EventBridge event: {fault}")
            }
            Self::ListenersTold {
                news, told: Told { told, gone, removed, left }, fault, ..
            } => {
                write!(
                    f,
                    "Listeners told {}: {told}, gone: {gone}, only removed: {removed}, left: {left}",
                    news.as_str()
                )?;
                fault.map_or(Ok(()), |fault| write!(f, " ({fault})"))
            }
            Self::LeftBehind { fault, .. } => write!(f, "Left to the health check: {fault}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn the_lines_are_those_of_the_specification() {
        let session_id = &"a-b-1".parse().unwrap();
        let emitted = |occasion| Notice::EventEmitted { session_id, occasion, detail: "{}" };
        let fault = &PortError::new("PutEvents", ErrorKind::Throttled, "ThrottlingException");
        for (notice, line) in [
            (emitted(Occasion::Creation), "EventBridge event emitted for session creation"),
            (emitted(Occasion::Deletion), "EventBridge event emitted for session deletion"),
            (
                Notice::EventFailed { session_id, fault },
                "Failed to emit EventBridge event: PutEvents: ThrottlingException",
            ),
        ] {
            assert_eq!(notice.to_string(), line);
            assert_eq!(notice.session_id(), Some(session_id));
        }
        assert_eq!(emitted(Occasion::Creation).event_detail(), Some("{}"));
    }
}
