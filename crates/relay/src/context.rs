//! Read-only context of a run.

use std::time::Duration;

use session::{SessionId, StreamArn};

use crate::config::Config;
use crate::ports::Ports;
use crate::run::Relay;

/// The session that a run processes, and the means to process it.
pub(crate) struct RunContext<'a, P: Ports> {
    pub(crate) relay: &'a Relay<'a, P>,
    pub(crate) config: &'a Config,
    pub(crate) session_id: SessionId,
    pub(crate) stream_arn: StreamArn,
}

impl<P: Ports> RunContext<'_, P> {
    pub(crate) fn clock(&self) -> &P::Context {
        self.relay.ctx
    }
}

/// Returns the wall-clock time since `since_ms`, zero if that is in the future.
pub(crate) fn elapsed_since(since_ms: u64, now_ms: u64) -> Duration {
    Duration::from_millis(now_ms.saturating_sub(since_ms))
}
