//! Emitting the event of a state change that has already happened.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Notice, Occasion, PendingEvent, SessionId,
    limits::by,
    ports::{Clock, EventBus, Journal, PendingEvents},
};

/// Emits an event that was written together with its state change, and forgets it when the bus has
/// taken it. Used right after the change, and again by the health check for what is still pending.
///
/// Never fails: what cannot be emitted within `budget` stays pending, with its `eventId`. So an
/// event may be emitted twice (when it cannot be forgotten), but never be lost.
/// Returns whether the bus took it.
pub async fn emit<R: Clock + Journal>(
    pending_events: &impl PendingEvents,
    bus: &impl EventBus,
    around: &R,
    session_id: &SessionId,
    event: &PendingEvent,
    budget: Duration,
) -> bool {
    let deadline = around.monotonic() + budget;
    let put = bus.put(&event.detail, event.trace_header.as_deref());
    if let Err(fault) = by(around, deadline, "PutEvents", put).await {
        around.note(&Notice::EventFailed { session_id, fault: &fault });
        return false;
    }
    let occasion = occasion(&event.detail);
    around.note(&Notice::EventEmitted { session_id, occasion, detail: &event.detail });

    let deadline = around.monotonic() + budget;
    let clear = pending_events.clear_pending_event(session_id, event);
    if let Err(fault) = by(around, deadline, "UpdateItem", clear).await {
        around.note(&Notice::LeftBehind { session_id, fault: &fault });
    }
    true
}

fn occasion(detail: &str) -> Occasion {
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    if detail["status"] == "ACTIVE" { Occasion::Creation } else { Occasion::Deletion }
}
