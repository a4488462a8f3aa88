//! Starts the next run of a session: by an invocation of the consumer's function, or by the
//! workers.

use relay::ports::{Continuation, SelfInvoker};
use serde_json::{Value, json};
use session::event::CONTINUATION;
use session::reconcile::Consumer;
use session::{PortError, SessionId};

use crate::event_bridge::EventBridge;
use crate::lambda::ConsumerFunction;
use crate::starts_queue::StartsQueue;

/// What starts the next run of a session.
#[derive(Debug)]
pub enum NextRun {
    /// An invocation of this function.
    Function(ConsumerFunction),
    /// The workers.
    Workers {
        /// The bus of continuations. Its rule targets what runs the sessions at that time, so that
        /// a deployment that changes it moves the sessions.
        bus: EventBridge,
        /// The environment that a continuation belongs to: all environments share the bus.
        environment: String,
        /// The workers' queue, for what is certainly theirs.
        queue: StartsQueue,
    },
}

impl NextRun {
    /// Sends an event to what starts the next run, as it is.
    ///
    /// # Errors
    /// The call failed.
    pub async fn forward(&self, event: &Value) -> Result<(), PortError> {
        match self {
            Self::Function(function) => function.invoke(event).await,
            Self::Workers { queue, .. } => queue.send(event).await,
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
        let mut body = json!({
            "sessionId": continuation.session_id,
            "action": "continue",
            "epoch": continuation.epoch,
            "version": relay::checkpoint::VERSION,
            "traceId": trace,
        });
        match self {
            Self::Function(function) => function.invoke_once(&body).await,
            Self::Workers { bus, environment, .. } => {
                body["environment"] = json!(environment);
                bus.put_once(CONTINUATION, &body.to_string(), trace.as_deref()).await
            }
        }
    }
}
