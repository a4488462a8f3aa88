//! Emitting the event of a state change that has already happened.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Notice, Occasion, PendingEvent, PortError, SessionId,
    limits::by,
    ports::{Clock, EventBus, Journal, PendingEvents},
};

/// Emits an event that was written together with its state change, and clears it when the bus has
/// taken it: right after the change, and by the health check for what is still pending.
///
/// An event that could not be cleared may be emitted twice, with the same `eventId`; none is lost.
///
/// # Errors
/// The bus did not take it within `budget`: it stays pending. The failure is in the log and the
/// metrics already.
pub async fn emit<R: Clock + Journal>(
    pending_events: &impl PendingEvents,
    bus: &impl EventBus,
    around: &R,
    session_id: &SessionId,
    event: &PendingEvent,
    budget: Duration,
) -> Result<(), PortError> {
    let deadline = around.monotonic() + budget;
    let put = bus.put(&event.detail, event.trace_header.as_deref());
    if let Err(fault) = by(around, deadline, "PutEvents", put).await {
        around.note(&Notice::EventFailed { session_id, fault: &fault });
        return Err(fault);
    }
    let occasion = occasion(&event.detail);
    around.note(&Notice::EventEmitted { session_id, occasion, detail: &event.detail });

    let deadline = around.monotonic() + budget;
    let clear = pending_events.clear_pending_event(session_id, event);
    if let Err(fault) = by(around, deadline, "UpdateItem", clear).await {
        around.note(&Notice::LeftBehind { session_id, fault: &fault });
    }
    Ok(())
}

fn occasion(detail: &str) -> Occasion {
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    if detail["status"] == "ACTIVE" { Occasion::Creation } else { Occasion::Deletion }
}
