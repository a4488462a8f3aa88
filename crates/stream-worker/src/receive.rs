//! Receives messages while there is capacity, and starts a run for each.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::capacity::Capacity;
use crate::message::Messages;
use crate::queue::{Handler, Queue};

/// Pause after a failed call, in real time. The SDK has retried it before.
const PAUSE: Duration = Duration::from_secs(1);

/// Receives until the worker stops.
///
/// The last call is not interrupted: a message that SQS sends into a closed connection would stay
/// invisible for 30 s, and it may be the continuation of one of this worker's own sessions. What
/// that call brings is handed back.
pub(crate) async fn receive<Q: Queue, H: Handler>(
    messages: &Arc<Messages<Q, H>>,
    capacity: &Capacity,
) {
    let stop = &messages.stop;
    while !stop.is_requested() {
        let free = tokio::select! {
            _ = stop.requested() => return,
            free = capacity.available() => free,
        };
        let starts = match messages.queue.receive(free).await {
            Ok(starts) => starts,
            Err(error) => {
                tracing::warn!(%error, "no messages can be received; trying again");
                sleep(PAUSE).await;
                continue;
            }
        };
        if stop.is_requested() {
            messages.hand_back(&starts).await;
            return;
        }
        for start in starts {
            let (messages, counted) = (Arc::clone(messages), messages.sessions.begin());
            tokio::spawn(async move {
                messages.run(&start).await;
                drop(counted);
            });
        }
    }
}

#[cfg(test)]
mod tests;
