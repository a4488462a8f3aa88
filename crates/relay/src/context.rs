//! Read-only context of a run.

use session::{SessionId, StreamArn};

use crate::config::Config;
use crate::ports::{Ports, Relay};

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
