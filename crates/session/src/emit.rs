//! Emits the event of a state change that is already stored.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Notice, Occasion, PendingEvent, PortError, SessionId,
    limits::by,
    ports::{Clock, EventBus, Journal, PendingEvents},
};

/// Emits an event that was stored together with its state change, and clears it once the bus has
/// accepted it. Called right after the change, and by the health check for events that are still
/// pending.
///
/// If clearing fails, the event may be emitted again with the same `eventId`. No event is lost.
///
/// # Errors
/// Returns the error if the bus does not accept the event within `budget`; the event then stays
/// pending. The failure is already logged and counted.
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
