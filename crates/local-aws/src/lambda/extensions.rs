//! The extensions of one process. An invocation lasts until each extension that was notified of it
//! requests its next event:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::mpsc;

/// The events that are buffered for an extension. An invocation is sent only to an extension that
/// has requested an event.
const EVENT_BUFFER: usize = 4;

/// The extensions that registered.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    registered: Mutex<HashMap<String, Extension>>,
}

#[derive(Debug)]
struct Extension {
    wanted: Vec<String>,
    /// Whether it has requested its next event.
    waits: bool,
    events: mpsc::Sender<Value>,
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Value>>>,
}

impl Extensions {
    /// Registers an extension for some of the events; returns its identifier. It is busy until it
    /// requests the first.
    pub(super) fn register(&self, wanted: Vec<String>) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let (events, waiting) = mpsc::channel(EVENT_BUFFER);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let extension = Extension { wanted, waits: false, events, waiting };
        self.registered().insert(id.clone(), extension);
        id
    }

    /// Records that an extension requests its next event. Returns false when the identifier is
    /// unknown.
    pub(super) fn record_next(&self, id: &str) -> bool {
        let mut registered = self.registered();
        let Some(extension) = registered.get_mut(id) else { return false };
        extension.waits = true;
        true
    }

    /// Waits for the next event of an extension. Returns `None` when the identifier is unknown.
    pub(super) async fn next(&self, id: &str) -> Option<Value> {
        let waiting = Arc::clone(&self.registered().get(id)?.waiting);
        let mut waiting = waiting.lock().await;
        waiting.recv().await
    }

    /// Sends an event to the extensions that registered for it.
    pub(super) fn notify(&self, event: &Value) {
        let mut registered = self.registered();
        let kind = event["eventType"].as_str().unwrap_or_default();
        let is_registered =
            |extension: &&mut Extension| extension.wanted.iter().any(|it| it == kind);
        for extension in registered.values_mut().filter(is_registered) {
            // An extension with a full buffer misses the event.
            let sent = extension.events.try_send(event.clone());
            extension.waits &= sent.is_err();
        }
    }

    /// Returns whether an extension has not requested its next event.
    pub(super) fn are_busy(&self) -> bool {
        self.registered().values().any(|extension| !extension.waits)
    }

    fn registered(&self) -> MutexGuard<'_, HashMap<String, Extension>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_invocation_lasts_until_each_extension_that_was_told_asks_again() {
        let extensions = Extensions::default();
        assert!(!extensions.are_busy(), "there is none");
        let telemetry = extensions.register(vec!["INVOKE".to_owned()]);
        let shutdown = extensions.register(vec!["SHUTDOWN".to_owned()]);
        assert!(extensions.are_busy(), "neither has requested its first event");
        assert!(extensions.record_next(&telemetry) && extensions.record_next(&shutdown));
        assert!(!extensions.are_busy());

        let invoke = json!({ "eventType": "INVOKE", "requestId": "r" });
        extensions.notify(&invoke);
        assert!(extensions.are_busy());
        assert_eq!(extensions.next(&telemetry).await, Some(invoke));
        assert!(extensions.record_next(&telemetry));
        assert!(!extensions.are_busy());
        assert!(!extensions.record_next("another") && extensions.next("another").await.is_none());
    }
}
