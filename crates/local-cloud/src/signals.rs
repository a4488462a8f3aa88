//! The signals that end a command in order: SIGINT, SIGTERM and SIGHUP.

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;

/// Resolves at the first SIGINT, SIGTERM or SIGHUP. From the call on they no longer kill the
/// process, so that what it started ends with it.
///
/// # Errors
/// A signal handler cannot be installed.
pub(crate) fn ended() -> Result<impl Future<Output = ()>, Error> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::io("SIGINT"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::io("SIGTERM"))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::io("SIGHUP"))?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
