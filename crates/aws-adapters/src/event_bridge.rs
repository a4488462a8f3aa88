//! EventBridge as event bus.

#[cfg(feature = "relay")]
use aws_sdk_eventbridge::config::{Config, retry::RetryConfig};
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

    /// Puts an event of another type, without the SDK's retries: the hand-off retries itself.
    ///
    /// # Errors
    /// The call failed.
    #[cfg(feature = "relay")]
    pub(crate) async fn put_once(
        &self,
        detail_type: &str,
        detail: &str,
        trace_header: Option<&str>,
    ) -> Result<(), PortError> {
        let once = Config::builder().retry_config(RetryConfig::disabled());
        self.send(detail_type, detail, trace_header, Some(once)).await
    }

    async fn send(
        &self,
        detail_type: &str,
        detail: &str,
        trace_header: Option<&str>,
        settings: Option<Builder>,
    ) -> Result<(), PortError> {
        let operation = "PutEvents";
        let trace_header = trace_header.filter(|header| header.len() <= MAX_TRACE_HEADER);
        let entry = PutEventsRequestEntry::builder()
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail)
            .event_bus_name(&self.bus)
            .set_trace_header(trace_header.map(ToOwned::to_owned))
            .build();
        let mut call = self.client.put_events().entries(entry).customize();
        if let Some(settings) = settings {
            call = call.config_override(settings);
        }
        let output = call.send().await;
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

impl EventBus for EventBridge {
    async fn put(&self, detail: &str, trace_header: Option<&str>) -> Result<(), PortError> {
        self.send(DETAIL_TYPE, detail, trace_header, None).await
    }
}
