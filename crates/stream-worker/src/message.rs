//! One message of the queue: it stays invisible while its run lasts, is deleted when the run ended
//! without an error, and comes back after a pause when it failed. After as many tries as the
//! queue's redrive policy allows, SQS moves it to the dead-letter queue.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aws_adapters::starts_queue::{Start, WAIT_SECONDS};
use kvs_stream_consumer::Event;
use lambda_support::TimeScale;
use serde_json::Value;
use tokio::time::sleep;

use crate::queue::{Handler, Queue, VISIBILITY_SECONDS};
use crate::sessions::Sessions;
use crate::stop::Stop;

/// Time between two extensions of a message's invisibility: two may fail before it is visible.
const EXTEND_EVERY: Duration = Duration::from_secs(10);
/// Pause before the second try, in seconds; that before the third is twice as long, as with
/// Lambda's retries.
const FIRST_PAUSE_SECONDS: u32 = 60;

/// Tries of a message: `maxReceiveCount` of the queue.
pub(crate) const TRIES: u32 = 3;

/// What all messages of a worker share.
#[derive(Debug, Clone)]
pub(crate) struct Messages<Q, H> {
    pub(crate) queue: Arc<Q>,
    pub(crate) handler: Arc<H>,
    /// Length of a run. SQS keeps a message invisible for 12 hours at most.
    pub(crate) run: Duration,
    pub(crate) scale: TimeScale,
    pub(crate) stop: Stop,
    pub(crate) sessions: Sessions,
}

impl<Q: Queue, H: Handler> Messages<Q, H> {
    /// Runs a message. If this is dropped or panics, the message is visible again within 30 s.
    pub(crate) async fn run(&self, start: &Start) {
        let event = Event {
            // A text that is not JSON is no event: the consumer refuses it.
            payload: serde_json::from_str(&start.body).unwrap_or(Value::Null),
            trace: start.trace.clone(),
            remaining: self.run,
            hand_over: self.stop.hand_over(),
        };
        let handled = tokio::select! {
            handled = self.handler.handle(event) => handled,
            never = self.keep_invisible(&start.receipt) => match never {},
        };
        let (call, done) = match handled {
            Ok(_) => ("delete", self.queue.delete(&start.receipt).await),
            Err(_) => ("postpone", self.queue.hide(&start.receipt, pause(start.receives)).await),
        };
        if let Err(error) = done {
            // It is received again, which is harmless for a message that is done.
            tracing::warn!(%error, call, "message not changed: it is visible again when its visibility timeout ends");
        }
    }

    /// Returns received messages to the queue. They are visible when the last calls of workers that
    /// stop at the same time have ended: each call that receives a message counts as a try.
    pub(crate) async fn hand_back(&self, starts: &[Start]) {
        for start in starts {
            if let Err(error) = self.queue.hide(&start.receipt, WAIT_SECONDS).await {
                tracing::warn!(%error, "message not returned to the queue: it is visible again when its visibility timeout ends");
            }
        }
    }

    async fn keep_invisible(&self, receipt: &str) -> Infallible {
        loop {
            sleep(self.scale.wall(EXTEND_EVERY)).await;
            if let Err(error) = self.queue.hide(receipt, VISIBILITY_SECONDS).await {
                // Another worker may receive it; the lease keeps it from delivering.
                tracing::warn!(%error, "the invisibility of a message was not extended");
            }
        }
    }
}

/// Returns the pause after a failed try, in seconds. None after the last one, because SQS moves the
/// message to the dead-letter queue when it would be received again.
fn pause(receives: u32) -> i32 {
    if receives >= TRIES {
        return 0;
    }
    let seconds = FIRST_PAUSE_SECONDS.saturating_mul(receives.max(1));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
