//! Emits the event of a state change that is already stored.

use std::time::Duration;

use serde_json::Value;

use crate::{
    DomainEvent, PendingEvent, PortError, SessionId,
    event::EventStatus,
    limits::with_deadline,
    ports::{Clock, EventBus, PendingEvents, Telemetry},
};

/// Emits an event that was stored together with its state change, and clears it once the bus has
/// accepted it. Called after the change, and by the health check for events that are still pending.
///
/// If clearing fails, the event may be emitted again with the same `eventId`. An event that
/// the bus did not accept stays pending until it is emitted; only the session's end
/// replaces it.
///
/// # Errors
/// Returns the error if the bus does not accept the event within `budget`, which applies to each of
/// the two calls; the event then stays
/// pending. The failure is already logged and counted.
pub async fn emit<C: Clock + Telemetry>(
    pending_events: &impl PendingEvents,
    bus: &impl EventBus,
    ctx: &C,
    session_id: &SessionId,
    event: &PendingEvent,
    budget: Duration,
) -> Result<(), PortError> {
    let deadline = ctx.instant() + budget;
    let put = bus.put(&event.detail, event.trace_header.as_deref());
    if let Err(cause) = with_deadline(ctx, deadline, "PutEvents", put).await {
        ctx.record(&DomainEvent::EventFailed { session_id, cause: &cause });
        return Err(cause);
    }
    let (status, detail) = (status(&event.detail), &event.detail);
    ctx.record(&DomainEvent::EventEmitted { session_id, status, detail });

    let deadline = ctx.instant() + budget;
    let clear = pending_events.clear_pending_event(session_id, event);
    if let Err(cause) = with_deadline(ctx, deadline, "UpdateItem", clear).await {
        ctx.record(&DomainEvent::CleanupDeferred { session_id, cause: &cause });
    }
    Ok(())
}

fn status(detail: &str) -> EventStatus {
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    if detail["status"] == "ACTIVE" { EventStatus::Active } else { EventStatus::Ended }
}
