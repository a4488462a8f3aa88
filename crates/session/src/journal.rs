//! What the use cases tell of: log lines and metrics, word for word in one place.
//!
//! The texts of the events are the specification's ("Key Log Patterns"); operators search for them.

use std::fmt;

use crate::{
    Error, PortError, SessionId,
    listeners::{News, Told},
    metrics::{self, Metric},
};

/// Something worth a log line, and perhaps a metric. Its `Display` is the line's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// A session was created.
    SessionCreated {
        /// The session.
        session_id: &'a SessionId,
        /// Time from the request to the answer, ms.
        latency_ms: u64,
    },
    /// A session could not be created.
    SessionFailed {
        /// Why.
        error: &'a Error,
    },
    /// A speaker ended their session.
    SessionDeleted {
        /// The session.
        session_id: &'a SessionId,
    },
    /// EventBridge took an event.
    EventEmitted {
        /// The session.
        session_id: &'a SessionId,
        /// What it tells of.
        occasion: Occasion,
        /// The event's detail, JSON text.
        detail: &'a str,
    },
    /// EventBridge did not take an event; it stays pending.
    EventFailed {
        /// The session.
        session_id: &'a SessionId,
        /// Why.
        fault: &'a PortError,
    },
    /// Listeners were told of a session's end, as far as they could be.
    ListenersTold {
        /// The session.
        session_id: &'a SessionId,
        /// What they were told.
        news: News,
        /// How many.
        told: Told,
        /// Why one could not be told, if any could not.
        fault: Option<&'a PortError>,
    },
    /// Something was left behind that the health check will repair or remove.
    LeftBehind {
        /// The session.
        session_id: &'a SessionId,
        /// What could not be done.
        fault: &'a PortError,
    },
}

/// What an event tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A session became active.
    Creation,
    /// A session ended.
    Deletion,
}

/// How serious a [`Notice`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Info,
    /// Repaired without anybody's help.
    Warning,
    /// Somebody did not get what they asked for, or not in time.
    Error,
}

impl<'a> Notice<'a> {
    /// The session it is about.
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

    /// The log field `event_detail`.
    #[must_use]
    pub const fn event_detail(&self) -> Option<&'a str> {
        match self {
            Self::EventEmitted { detail, .. } => Some(detail),
            _ => None,
        }
    }

    /// How serious it is.
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

    /// The metrics it counts for.
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
