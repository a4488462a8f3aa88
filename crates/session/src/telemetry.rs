//! Log messages and metrics of the use cases, defined in one place.
//!
//! The messages for event emission are fixed by the external specification ("Key Log Patterns");
//! operators search for them.

use std::fmt;

use crate::{
    Error, PairUse, PortError, SessionId,
    event::EventStatus,
    listeners::{Notification, NotifySummary},
    metrics::{self, Metric},
};

/// A notable event of a use case: one log line and optionally metrics. `Display` formats the log
/// message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainEvent<'a> {
    /// A session was created.
    SessionCreated {
        /// The session.
        session_id: &'a SessionId,
        /// Time from request to response, ms.
        latency_ms: u64,
        /// Whether the session has a warm pair.
        pair: PairUse,
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
        status: EventStatus,
        /// The event's detail, JSON text.
        detail: &'a str,
    },
    /// EventBridge did not accept an event; it stays pending.
    EventFailed {
        /// The session.
        session_id: &'a SessionId,
        /// The error.
        cause: &'a PortError,
    },
    /// A session's listeners were notified of its end.
    ListenersNotified {
        /// The session.
        session_id: &'a SessionId,
        /// The message.
        notification: Notification,
        /// Number of listeners by outcome.
        summary: NotifySummary,
        /// The first error, if any listener could not be notified.
        cause: Option<&'a PortError>,
    },
    /// A step failed; the health check completes it.
    CleanupDeferred {
        /// The session.
        session_id: &'a SessionId,
        /// The error of the step.
        cause: &'a PortError,
    },
}

/// Severity of a [`DomainEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Normal operation.
    Info,
    /// Repaired automatically.
    Warning,
    /// A request failed, or its effect is delayed.
    Error,
}

impl<'a> DomainEvent<'a> {
    /// Returns the session concerned, if there is one.
    #[must_use]
    pub const fn session_id(&self) -> Option<&'a SessionId> {
        match self {
            Self::SessionCreated { session_id, .. }
            | Self::SessionDeleted { session_id }
            | Self::EventEmitted { session_id, .. }
            | Self::EventFailed { session_id, .. }
            | Self::ListenersNotified { session_id, .. }
            | Self::CleanupDeferred { session_id, .. } => Some(session_id),
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
            Self::ListenersNotified { summary, .. } if summary.failed == 0 => Severity::Info,
            Self::ListenersNotified { .. } | Self::CleanupDeferred { .. } => Severity::Warning,
            Self::SessionFailed { .. } | Self::EventFailed { .. } => Severity::Error,
        }
    }

    /// Returns the metrics and their values.
    #[must_use]
    pub fn metrics(&self) -> Vec<(Metric, f64)> {
        match self {
            Self::SessionCreated { latency_ms, pair, .. } => {
                let miss = (*pair == PairUse::Cold).then_some((metrics::WARM_PAIR_MISSES, 1.0));
                let created = [
                    (metrics::SESSION_CREATION_COUNT, 1.0),
                    (metrics::SESSION_CREATION_LATENCY, *latency_ms as f64),
                ];
                created.into_iter().chain(miss).collect()
            }
            Self::SessionFailed { .. } => vec![(metrics::SESSION_CREATION_FAILURE_COUNT, 1.0)],
            Self::SessionDeleted { .. } => vec![(metrics::SESSION_DELETION_COUNT, 1.0)],
            Self::EventEmitted { .. } => vec![(metrics::EVENT_EMISSION_SUCCESS, 1.0)],
            Self::EventFailed { .. } => vec![(metrics::EVENT_EMISSION_FAILURE, 1.0)],
            Self::ListenersNotified { summary, .. } if summary.failed > 0 => {
                vec![(metrics::LISTENERS_NOT_NOTIFIED, summary.failed as f64)]
            }
            Self::ListenersNotified { .. } | Self::CleanupDeferred { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for DomainEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionCreated { pair: PairUse::Off, .. } => f.write_str("Session created"),
            Self::SessionCreated { pair: PairUse::Warm, .. } => {
                f.write_str("Session created with a warm pair")
            }
            Self::SessionCreated { pair: PairUse::Cold, .. } => {
                f.write_str("Session created without a warm pair: none was ready")
            }
            Self::SessionFailed { error } => write!(f, "Session not created: {error}"),
            Self::SessionDeleted { .. } => f.write_str("Session deleted"),
            Self::EventEmitted { status: EventStatus::Active, .. } => {
                f.write_str("EventBridge event emitted for session creation")
            }
            Self::EventEmitted { status: EventStatus::Ended, .. } => {
                f.write_str("EventBridge event emitted for session deletion")
            }
            Self::EventFailed { cause, .. } => {
                write!(f, "Failed to emit EventBridge event: {cause}")
            }
            Self::ListenersNotified {
                notification,
                summary: NotifySummary { notified, gone, removed, failed },
                cause,
                ..
            } => {
                write!(
                    f,
                    "Listeners notified of {}: {notified}, gone: {gone}, only removed: {removed}, \
                     failed: {failed}",
                    notification.as_str()
                )?;
                cause.map_or(Ok(()), |cause| write!(f, " ({cause})"))
            }
            Self::CleanupDeferred { cause, .. } => {
                write!(f, "Deferred to the health check: {cause}")
            }
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
        let emitted = |status| DomainEvent::EventEmitted { session_id, status, detail: "{}" };
        let cause = &PortError::new("PutEvents", ErrorKind::Throttled, "ThrottlingException");
        for (event, line) in [
            (emitted(EventStatus::Active), "EventBridge event emitted for session creation"),
            (emitted(EventStatus::Ended), "EventBridge event emitted for session deletion"),
            (
                DomainEvent::EventFailed { session_id, cause },
                "Failed to emit EventBridge event: PutEvents: ThrottlingException",
            ),
        ] {
            assert_eq!(event.to_string(), line);
            assert_eq!(event.session_id(), Some(session_id));
        }
        assert_eq!(emitted(EventStatus::Active).event_detail(), Some("{}"));
    }
}
