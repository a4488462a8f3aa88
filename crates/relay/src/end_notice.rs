//! Notifies the listeners of a stopped session that it has ended: once when it is delivered or
//! given up, and once a minute after the stop if delivery takes longer. The holder of the lease
//! sends the first notice after its release, and the second while it delivers; a run that finds the
//! session ended sends the first.

use std::convert::Infallible;
use std::future::pending;

use session::SessionId;
use session::ports::Clock;
use tokio::time::Instant;

use crate::context::RunContext;
use crate::lease_view::LeaseView;
use crate::ports::{EndNotices, Ports, Relay};

/// Notifies the listeners after a run that finished a stopped session or found it finished. The
/// lease is released by then, so only this invocation waits.
///
/// A run that finds the session finished sends the notice too, because the run that finished it may
/// have crashed before sending it.
pub(crate) async fn send<P: Ports>(relay: &Relay<'_, P>, session: &SessionId, deadline: Instant) {
    let left = deadline.saturating_duration_since(relay.ctx.instant());
    let limit = relay.config.end_notice.min(left.saturating_sub(relay.config.abandon));
    if !limit.is_zero() {
        relay.listeners.notify_ended(session, limit).await;
    }
}

/// Notifies the listeners if a session is still being delivered a minute after its stop. Never
/// returns.
pub(crate) async fn send_when_overdue<P: Ports>(
    ctx: &RunContext<'_, P>,
    lease: &LeaseView,
) -> Infallible {
    lease.stopped_longer_than(ctx.config.listeners_grace, ctx.clock()).await;
    ctx.relay.listeners.notify_ended(&ctx.session_id, ctx.config.end_notice).await;
    pending().await
}
