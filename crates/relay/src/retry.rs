//! Retries table calls until they succeed or fail permanently.

use session::{ErrorKind, PortError, SessionId};

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::RelayError;
use crate::ports::Ports;

/// Attempts before an unavailable table fails the run; the platform then retries the event. With
/// the ceilings of the delivery backoff this covers an outage of about a minute.
const ATTEMPTS: u32 = 12;

/// Calls the lease table, retrying with backoff.
///
/// # Errors
/// Returns [`RelayError::Store`] if the error is not retryable, or after [`ATTEMPTS`] attempts.
pub(crate) async fn retry<P, T, F, Fut>(
    ports: &P,
    config: &Config,
    session: &SessionId,
    mut call: F,
) -> Result<T, RelayError>
where
    P: Ports,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, PortError>> + Send,
    T: Send,
{
    let mut backoff = Backoff::new(config.retry.0, config.retry.1);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let limit = config.lease;
        let source = match ports.clock().within(limit, call()).await {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => error,
            None => PortError::new("DynamoDB", ErrorKind::TimedOut, "no answer in time"),
        };
        if !source.is_retryable() || attempt >= ATTEMPTS {
            return Err(RelayError::Store { session_id: session.clone(), source });
        }
        tracing::warn!(sessionId = %session, error = %source, attempt, "lease table call failed; retrying");
        ports.clock().sleep(backoff.next(ports.random())).await;
    }
}
