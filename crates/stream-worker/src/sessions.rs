//! The number of sessions that this worker runs.

use tokio::sync::watch;

/// Counts the runs of this worker.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions(watch::Sender<usize>);

/// A run, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(watch::Sender<usize>);

impl Sessions {
    /// Counts one more run.
    pub(crate) fn begin(&self) -> Counted {
        self.0.send_modify(|count| *count += 1);
        Counted(self.0.clone())
    }

    /// Returns the number of runs.
    pub(crate) fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Returns a receiver of the number of runs.
    pub(crate) fn subscribe(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }

    /// Waits until there are no runs.
    pub(crate) async fn all_ended(&self) {
        // The sender is `self`, so this cannot fail.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
