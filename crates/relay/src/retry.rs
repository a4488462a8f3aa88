//! Retries table calls until they succeed or fail permanently.

use session::Backoff;
use session::ports::Clock;
use session::{ErrorKind, PortError, PortFuture, SessionId};

use crate::error::RelayError;
use crate::ports::{Ports, Relay};

/// Attempts before an unavailable table fails the run; the platform then retries the event. With
/// the ceilings of the delivery backoff this covers an outage of about a minute.
const ATTEMPTS: u32 = 12;

/// Calls the lease table, retrying with backoff.
///
/// # Errors
/// Returns [`RelayError::Store`] if the error is not retryable, or after [`ATTEMPTS`] attempts.
pub(crate) async fn retry<P, T, F, Fut>(
    relay: &Relay<'_, P>,
    session: &SessionId,
    mut call: F,
) -> Result<T, RelayError>
where
    P: Ports,
    F: FnMut() -> Fut,
    Fut: PortFuture<T>,
    T: Send,
{
    let mut backoff = Backoff::new(relay.config.retry.0, relay.config.retry.1);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let source = match relay.ctx.within(relay.config.table_timeout(), call()).await {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => error,
            None => PortError::new("DynamoDB", ErrorKind::TimedOut, "no answer in time"),
        };
        if !source.is_retryable() || attempt >= ATTEMPTS {
            return Err(RelayError::Store { session_id: session.clone(), source });
        }
        tracing::warn!(sessionId = %session, error = %source, attempt, "lease table call failed; retrying");
        relay.ctx.sleep(backoff.next(relay.ctx)).await;
    }
}
