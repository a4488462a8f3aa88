//! Polls the Sessions and Connections tables while a run delivers.

use std::convert::Infallible;

use session::Language;
use session::ports::Clock;

use crate::context::RunContext;
use crate::lease_table::LeaseTable;
use crate::lease_view::LeaseView;
use crate::ports::{Ports, SessionReader};
use crate::shared::Shared;

/// Polls Sessions.status, so that a lost ENDED event still stops the stream. Never returns.
pub(crate) async fn poll_session<P: Ports>(
    ctx: &RunContext<'_, P>,
    lease: &LeaseView,
) -> Infallible {
    let clock = ctx.clock();
    loop {
        clock.sleep(ctx.config.session_poll).await;
        if lease.is_stopping() {
            continue;
        }
        let query = ctx.relay.sessions.is_over(&ctx.session_id);
        match clock.within(ctx.config.session_poll, query).await {
            Some(Ok(true)) => {
                let request = request_stop(ctx, lease);
                let _ = clock.within(ctx.config.session_poll, request).await;
            }
            Some(Ok(false)) => {}
            Some(Err(error)) => {
                tracing::warn!(sessionId = %ctx.session_id, %error, "session status query failed");
            }
            None => tracing::warn!(sessionId = %ctx.session_id, "session status query timed out"),
        }
    }
}

async fn request_stop<P: Ports>(ctx: &RunContext<'_, P>, lease: &LeaseView) {
    tracing::info!(sessionId = %ctx.session_id, "the session is over but no ENDED event was received; requesting a stop");
    // The next renewal returns the stop; a failure is retried at the next poll.
    match ctx.relay.leases.request_stop(&ctx.session_id, ctx.clock().now_ms()).await {
        Ok(_) => lease.request_renewal(),
        Err(error) => {
            tracing::warn!(sessionId = %ctx.session_id, %error, "storing the stop request failed");
        }
    }
}

/// Polls the listeners' languages. Never returns.
pub(crate) async fn poll_languages<P: Ports>(
    ctx: &RunContext<'_, P>,
    languages: &Shared<Vec<Language>>,
) -> Infallible {
    let clock = ctx.clock();
    loop {
        let query = ctx.relay.sessions.listener_languages(&ctx.session_id);
        match clock.within(ctx.config.languages_poll, query).await {
            Some(Ok(read)) => *languages.lock() = read,
            Some(Err(error)) => {
                tracing::warn!(sessionId = %ctx.session_id, %error, "listener language query failed");
            }
            None => {
                tracing::warn!(sessionId = %ctx.session_id, "listener language query timed out");
            }
        }
        clock.sleep(ctx.config.languages_poll).await;
    }
}
