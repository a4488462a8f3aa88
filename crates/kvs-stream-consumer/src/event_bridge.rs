//! Emits status changes: those that were left pending, and the end of sessions that fell silent.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::DisplayErrorContext;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use relay::StoreError;
use session::PendingEvent;
use session::event::{DETAIL_TYPE, SOURCE};

/// The bus.
#[derive(Debug)]
pub(crate) struct EventBridge {
    client: Client,
    bus: String,
}

impl EventBridge {
    pub(crate) fn new(client: Client, bus: String) -> Self {
        Self { client, bus }
    }

    /// Emits one event, with the trace of the request that caused it.
    pub(crate) async fn emit(&self, event: &PendingEvent) -> Result<(), StoreError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(SOURCE)
            .detail_type(DETAIL_TYPE)
            .detail(&event.detail)
            .set_trace_header(event.trace_header.clone())
            .build();
        let failed = |message: String| StoreError { message, retryable: true };
        let output = self.client.put_events().entries(entry).send().await;
        let output = output.map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
        if output.failed_entry_count == 0 {
            return Ok(());
        }
        // PutEvents answers 200 although an entry failed: the entry says why.
        let reason = output.entries().iter().find_map(|entry| entry.error_code());
        Err(failed(format!("entry refused: {}", reason.unwrap_or("no code"))))
    }
}
