//! Ctrl-C during a redrive: the first one ends it after the deliveries that have begun, the second
//! one at once.

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Error;
use crate::output::note;

/// Ctrl-C, also while nothing waits for it.
pub(super) struct Interrupts(Signal);

impl Interrupts {
    pub(super) fn listen() -> Result<Self, Error> {
        signal(SignalKind::interrupt()).map(Self).map_err(Error::io("listen to signals"))
    }

    /// Returns whether there was one since the last one.
    pub(super) fn pending(&mut self) -> bool {
        self.0.recv().now_or_never().is_some()
    }

    /// Returns the result of work that the first Ctrl-C does not end; `None` after a second one.
    /// Also returns whether there was one.
    pub(super) async fn finish<T>(&mut self, work: impl Future<Output = T>) -> (Option<T>, bool) {
        tokio::pin!(work);
        let mut interrupted = false;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return (Some(done), interrupted),
                _ = self.0.recv() => {}
            }
            if interrupted {
                return (None, true);
            }
            interrupted = true;
            note("waiting for the deliveries that have begun; Ctrl-C again does not wait");
        }
    }
}
