//! Ctrl-C or SIGTERM during a redrive: the first one ends it after the deliveries that have begun,
//! the second one at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::Error;
use crate::output::note;

/// How many signals to end have arrived.
pub(super) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Counts the signals from now on.
    ///
    /// # Errors
    /// A signal handler cannot be installed.
    pub(super) fn listen() -> Result<Self, Error> {
        let on = |kind| signal(kind).map_err(Error::io("listen to signals"));
        let mut signals = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = signals.0.recv() => {}
                    _ = signals.1.recv() => {}
                }
                if *count.borrow() == 0 {
                    note("waiting for the deliveries that have begun; Ctrl-C again does not wait");
                }
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(counted))
    }

    /// Returns whether there was one.
    pub(super) fn pending(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Waits for the second one.
    pub(super) async fn second(&self) {
        // The sender is dropped after `self` only.
        let _ = self.0.clone().wait_for(|count| *count > 1).await;
    }
}
