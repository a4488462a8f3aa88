//! What the worker needs of its queue and of the consumer; the tests have their own.

use aws_adapters::starts_queue::{Start, StartsQueue};
use kvs_stream_consumer::{Consumer, Event, Failure};
use serde_json::Value;
use session::PortError;

/// Seconds for which a received message is invisible unless that is extended: the time after which
/// another worker gets the message of one that was killed.
pub(crate) const VISIBILITY_SECONDS: i32 = 30;

/// The workers' queue.
pub(crate) trait Queue: Send + Sync + 'static {
    /// Receives up to `most` messages, and waits for the first one.
    fn receive(&self, most: usize) -> impl Future<Output = Result<Vec<Start>, PortError>> + Send;

    /// Makes a message invisible for `seconds` from now on.
    fn hide(
        &self,
        receipt: &str,
        seconds: i32,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a message.
    fn delete(&self, receipt: &str) -> impl Future<Output = Result<(), PortError>> + Send;
}

impl Queue for StartsQueue {
    async fn receive(&self, most: usize) -> Result<Vec<Start>, PortError> {
        let most = i32::try_from(most.clamp(1, 10)).unwrap_or(10);
        Self::receive(self, most, VISIBILITY_SECONDS).await
    }

    async fn hide(&self, receipt: &str, seconds: i32) -> Result<(), PortError> {
        Self::hide(self, receipt, seconds).await
    }

    async fn delete(&self, receipt: &str) -> Result<(), PortError> {
        Self::delete(self, receipt).await
    }
}

/// Handles events.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Handles one event.
    fn handle(&self, event: Event) -> impl Future<Output = Result<Value, Failure>> + Send;
}

impl Handler for Consumer {
    async fn handle(&self, event: Event) -> Result<Value, Failure> {
        Self::handle(self, event).await
    }
}
