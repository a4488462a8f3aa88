//! EventBridge as event bus.

use aws_sdk_eventbridge::{Client, config::Builder, types::PutEventsRequestEntry};
use session::{
    PortError,
    event::{DETAIL_TYPE, SOURCE},
    ports::EventBus,
};

use crate::client::{Sdk, TraceHeader};
use crate::sdk_error::{bounded, kind_of, port_error};

/// EventBridge allows 500 characters (API reference, `PutEventsRequestEntry`); a longer trace
/// header is omitted.
const MAX_TRACE_HEADER: usize = 500;

/// An event bus of EventBridge.
#[derive(Clone, Debug)]
pub struct EventBridge {
    client: Client,
    bus: String,
}

impl EventBridge {
    /// Creates a client of the bus with this name or ARN.
    pub fn new(sdk: &Sdk, bus: String) -> Self {
        let config = Builder::from(sdk.config()).interceptor(TraceHeader).build();
        Self { client: Client::from_conf(config), bus }
    }
}

impl EventBus for EventBridge {
    async fn put(&self, detail: &str, trace_header: Option<&str>) -> Result<(), PortError> {
        let operation = "PutEvents";
        let trace_header = trace_header.filter(|header| header.len() <= MAX_TRACE_HEADER);
        let entry = PutEventsRequestEntry::builder()
            .source(SOURCE)
            .detail_type(DETAIL_TYPE)
            .detail(detail)
            .event_bus_name(&self.bus)
            .set_trace_header(trace_header.map(ToOwned::to_owned))
            .build();
        let output = self.client.put_events().entries(entry).send().await;
        let output = output.map_err(|error| port_error(operation, &error))?;
        // PutEvents returns 200 even if an entry failed.
        let entry = output.entries().first();
        let code = entry.and_then(|entry| entry.error_code());
        if output.failed_entry_count() == 0 && code.is_none() {
            return Ok(());
        }
        let message = entry.and_then(|entry| entry.error_message()).unwrap_or("no message");
        let message = format!("{}: {message}", code.unwrap_or("entry refused"));
        Err(PortError::new(operation, kind_of(code, 500), bounded(message)))
    }
}
