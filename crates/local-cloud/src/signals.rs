//! The signals that shut a command down: SIGINT, SIGTERM and SIGHUP.

use std::process::exit;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::error::Error;

/// The exit code of a command that a second signal ends.
const EXIT_INTERRUPTED: i32 = 130;
/// Signals within this time are one: `timeout` sends its signal to the command and to its group.
const SAME: Duration = Duration::from_millis(100);

/// Resolves at the first SIGINT, SIGTERM or SIGHUP. After this call they no longer kill the
/// process, so that it can stop the processes that it started and end its session. A second signal,
/// 100 ms later or more, exits at once.
///
/// # Errors
/// A signal handler cannot be installed.
pub(crate) fn ended() -> Result<impl Future<Output = ()>, Error> {
    let mut signals = Signals {
        interrupt: signal(SignalKind::interrupt()).map_err(Error::io("SIGINT"))?,
        terminate: signal(SignalKind::terminate()).map_err(Error::io("SIGTERM"))?,
        hangup: signal(SignalKind::hangup()).map_err(Error::io("SIGHUP"))?,
    };
    let (first, received) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        // The command may already have ended by itself.
        let _ = first.send(());
        let begun = Instant::now();
        loop {
            signals.next().await;
            if begun.elapsed() >= SAME {
                exit(EXIT_INTERRUPTED);
            }
        }
    });
    Ok(async move {
        let _ = received.await;
    })
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
