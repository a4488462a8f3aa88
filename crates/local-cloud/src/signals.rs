//! The signals that shut a command down: SIGINT, SIGTERM and SIGHUP.

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;

/// Resolves at the first SIGINT, SIGTERM or SIGHUP. After this call they no longer kill the
/// process, so that it can stop the processes that it started.
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
