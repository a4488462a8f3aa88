//! The listeners of a stopped session learn that it has ended: once its last chunk is accepted, or a minute after the stop
//! if that takes longer. Both are told by whoever carries the session, beside its work or after it.

use std::convert::Infallible;
use std::future::pending;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::line::Line;
use crate::ports::{Listeners, Ports};
use crate::run::{Outcome, Report, stopped_for};

/// Tells them at the end of a run that found a stopped session at its end, or brought it there. The lease is given back
/// by then, and nothing waits but this invocation.
///
/// A run that only finds the end tells them too: the one that brought it may have died before it could.
pub(crate) async fn after<P: Ports>(
    ports: &P,
    config: &crate::Config,
    report: &Report,
    stopped: bool,
    deadline: Instant,
) {
    let over = matches!(report.outcome, Outcome::Ended | Outcome::GivenUp);
    let left = deadline.saturating_duration_since(ports.clock().instant());
    let limit = config.farewell.min(left.saturating_sub(config.abandon));
    if over && stopped && !limit.is_zero() {
        ports.listeners().tell_ended(&report.session_id, limit).await;
    }
}

/// Tells them when the session has been stopped for a minute and is still being delivered. Never returns.
pub(crate) async fn overdue<P: Ports>(line: &Line<'_, P>) -> Infallible {
    stopped_for(line, line.config.listeners_grace).await;
    line.ports.listeners().tell_ended(&line.session, line.config.farewell).await;
    pending().await
}
