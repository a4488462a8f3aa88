//! The stop of a worker: the first SIGTERM or SIGINT requests a hand-off of every run, the second
//! one and the timeout end the process.

use std::process::exit;
use std::time::Duration;

use relay::HandOver;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::error::Error;
use crate::sessions::Sessions;

/// The request to stop, with the time by which every run must have ended.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<Option<Instant>>);

impl Stop {
    /// Stops at the first signal, within `timeout`.
    ///
    /// # Errors
    /// A signal handler cannot be installed.
    pub(crate) fn on_signal(timeout: Duration) -> Result<Self, Error> {
        let on = |kind| signal(kind).map_err(Error::Signals);
        let mut signals = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
        let (sender, stop) = watch::channel(None);
        tokio::spawn(async move {
            next(&mut signals).await;
            tracing::info!("stopping: every session is handed over");
            sender.send_replace(Some(Instant::now() + timeout));
            next(&mut signals).await;
            tracing::error!("a second signal: the leases of the sessions expire");
            exit(1);
        });
        Ok(Self(stop))
    }

    #[cfg(test)]
    pub(crate) const fn follow(requests: watch::Receiver<Option<Instant>>) -> Self {
        Self(requests)
    }

    /// Returns whether the worker stops.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the worker stops, and returns by when its runs must have ended.
    pub(crate) async fn requested(&self) -> Instant {
        let mut requests = self.0.clone();
        match requests.wait_for(Option::is_some).await.map(|requested| *requested) {
            Ok(Some(deadline)) => deadline,
            // Without its sender the process cannot be stopped.
            _ => std::future::pending().await,
        }
    }

    /// Returns the request as a run receives it.
    pub(crate) fn hand_over(&self) -> HandOver {
        HandOver::new(self.0.clone())
    }

    /// Waits for `work`, after the request to stop only for as long as that allows.
    ///
    /// # Errors
    /// Sessions are left.
    pub(crate) async fn in_time(
        &self,
        work: impl Future<Output = ()>,
        sessions: &Sessions,
    ) -> Result<(), Error> {
        tokio::select! {
            () = work => Ok(()),
            () = async { sleep_until(self.requested().await).await } => {
                Err(Error::NotHandedOver(sessions.count()))
            }
        }
    }
}

async fn next((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
