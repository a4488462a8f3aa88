//! The extensions of one process. An invocation lasts until each that was told of it asks for the
//! next event, as <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html> has
//! it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::mpsc;

/// Events that an extension may be behind. It is told of an invocation only once it has asked for
/// one.
const BEHIND: usize = 4;

/// The extensions that registered.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    registered: Mutex<HashMap<String, Extension>>,
}

#[derive(Debug)]
struct Extension {
    wanted: Vec<String>,
    /// It has asked for what comes next.
    waits: bool,
    events: mpsc::Sender<Value>,
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Value>>>,
}

impl Extensions {
    /// Registers an extension for some of the events; returns its identifier. It is busy until it
    /// asks for the first.
    pub(super) fn register(&self, wanted: Vec<String>) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let (events, waiting) = mpsc::channel(BEHIND);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let extension = Extension { wanted, waits: false, events, waiting };
        self.registered().insert(id.clone(), extension);
        id
    }

    /// The extension asks for what comes next. False when none of that identifier registered.
    pub(super) fn asks(&self, id: &str) -> bool {
        let mut registered = self.registered();
        let Some(extension) = registered.get_mut(id) else { return false };
        extension.waits = true;
        true
    }

    /// Waits for the next event that the extension wants.
    pub(super) async fn next(&self, id: &str) -> Option<Value> {
        let waiting = Arc::clone(&self.registered().get(id)?.waiting);
        let mut waiting = waiting.lock().await;
        waiting.recv().await
    }

    /// Tells those who want to know.
    pub(super) fn notify(&self, event: &Value) {
        let mut registered = self.registered();
        let kind = event["eventType"].as_str().unwrap_or_default();
        let wants = |extension: &&mut Extension| extension.wanted.iter().any(|it| it == kind);
        for extension in registered.values_mut().filter(wants) {
            // Who is that far behind is told too late of everything anyway.
            let told = extension.events.try_send(event.clone());
            extension.waits &= told.is_err();
        }
    }

    /// Whether one has not asked for what comes next.
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
        let farewell = extensions.register(vec!["SHUTDOWN".to_owned()]);
        assert!(extensions.are_busy(), "neither has asked for its first event");
        assert!(extensions.asks(&telemetry) && extensions.asks(&farewell));
        assert!(!extensions.are_busy());

        let invoke = json!({ "eventType": "INVOKE", "requestId": "r" });
        extensions.notify(&invoke);
        assert!(extensions.are_busy());
        assert_eq!(extensions.next(&telemetry).await, Some(invoke));
        assert!(extensions.asks(&telemetry));
        assert!(!extensions.are_busy());
        assert!(!extensions.asks("another") && extensions.next("another").await.is_none());
    }
}
