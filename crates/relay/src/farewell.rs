//! Notifies the listeners of a stopped session that it has ended: after its last chunk is accepted,
//! and also a minute after the stop if delivery takes longer. The run that holds the lease sends
//! both notices, during delivery or after it.

use std::convert::Infallible;
use std::future::pending;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::line::Line;
use crate::ports::{Listeners, Ports};
use crate::run::{Outcome, Report, stopped_for};

/// Notifies the listeners after a run that finished a stopped session or found it finished. The
/// lease is released by then, so only this invocation waits.
///
/// A run that finds the session finished sends the notice too, because the run that finished it may
/// have crashed before sending it.
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

/// Notifies the listeners if a session is still being delivered a minute after its stop. Never
/// returns.
pub(crate) async fn overdue<P: Ports>(line: &Line<'_, P>) -> Infallible {
    stopped_for(line, line.config.listeners_grace).await;
    line.ports.listeners().tell_ended(&line.session, line.config.farewell).await;
    pending().await
}
