//! Starts the next run of a session: by an invocation, a message, or an event on the bus.

use relay::ports::{Continuation, SelfInvoker};
use serde_json::{Value, json};
use session::event::CONTINUATION;
use session::reconcile::Consumer;
use session::{ErrorKind, PortError, SessionId};

use crate::event_bridge::EventBridge;
use crate::lambda::ConsumerFunction;
use crate::starts_queue::StartsQueue;

/// What starts the next run of a session.
#[derive(Debug)]
pub enum NextRun {
    /// An invocation of a function: of this one, or of the one that runs the sessions.
    Function(ConsumerFunction),
    /// A message to the workers.
    Queue(StartsQueue),
    /// A continuation on the bus. Its rule targets what runs the sessions at that time, so that a
    /// deployment that changes it moves the sessions.
    Bus {
        /// The bus.
        bus: EventBridge,
        /// The environment that a continuation belongs to: all environments share the bus.
        environment: String,
    },
}

impl NextRun {
    /// Sends an event to what starts the next run, as it is.
    ///
    /// # Errors
    /// The call failed, or the bus is for continuations only.
    pub async fn forward(&self, event: &Value) -> Result<(), PortError> {
        match self {
            Self::Function(function) => function.invoke(event).await,
            Self::Queue(queue) => queue.send(event).await,
            Self::Bus { .. } => {
                let reason = "the bus is for continuations only".to_owned();
                Err(PortError::new("PutEvents", ErrorKind::Invalid, reason))
            }
        }
    }
}

impl Consumer for NextRun {
    async fn start(&self, session: &SessionId) -> Result<(), PortError> {
        self.forward(&json!({"sessionId": session, "action": "start"})).await
    }

    async fn stop(&self, session: &SessionId) -> Result<(), PortError> {
        self.forward(&json!({"sessionId": session, "action": "stop"})).await
    }
}

impl SelfInvoker for NextRun {
    async fn invoke_next(&self, continuation: &Continuation) -> Result<(), PortError> {
        let trace = lambda_support::trace::current();
        let event = event_of(continuation, trace.as_deref());
        match self {
            Self::Function(function) => function.invoke_once(&event).await,
            Self::Queue(queue) => queue.send(&event).await,
            Self::Bus { bus, environment } => {
                let detail = detail_of(event, environment).to_string();
                bus.put_once(CONTINUATION, &detail, trace.as_deref()).await
            }
        }
    }
}

/// Returns a continuation as the consumer reads it.
fn event_of(continuation: &Continuation, trace: Option<&str>) -> Value {
    json!({
        "sessionId": continuation.session_id,
        "action": "continue",
        "epoch": continuation.epoch,
        "version": relay::checkpoint::VERSION,
        "traceId": trace,
    })
}

/// Returns a continuation as the detail of an event (`events/session-continuation.schema.json`).
fn detail_of(mut event: Value, environment: &str) -> Value {
    event["environment"] = json!(environment);
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_of_a_continuation_is_the_example_of_its_schema() {
        let schema = include_str!("../../../events/session-continuation.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let example = &schema["examples"][0];
        let session_id = "blessed-shepherd-123".parse().unwrap();
        let event = event_of(&Continuation { session_id, epoch: 1 }, example["traceId"].as_str());
        assert_eq!(detail_of(event, "dev"), *example);
        let names = example.as_object().unwrap().keys();
        assert!(names.eq(schema["properties"].as_object().unwrap().keys()));
        let required: Vec<_> = schema["required"].as_array().unwrap().iter().collect();
        assert_eq!(required.len(), example.as_object().unwrap().len());
    }
}
