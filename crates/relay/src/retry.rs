//! Calls that are tried again until they work or are known to be useless.

use session::{ErrorKind, PortError, SessionId};

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::RelayError;
use crate::ports::Ports;

/// Attempts before an unavailable table fails the run; the platform then retries the event. With
/// the ceilings of the delivery back-off this bridges about a minute.
const ATTEMPTS: u32 = 12;

/// Calls the lease table until it answers.
///
/// # Errors
/// [`RelayError::Store`] when the failure is not retryable, or after [`ATTEMPTS`] of them.
pub(crate) async fn persist<P, T, F, Fut>(
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
        tracing::warn!(sessionId = %session, error = %source, attempt, "lease table: trying again");
        ports.clock().sleep(backoff.next(ports.random())).await;
    }
}
