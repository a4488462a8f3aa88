//! Notifies the listeners of an ended session within a time limit.

use std::time::Duration;

use aws_adapters::listeners::Connections;
use lambda_support::context::SystemContext;
use session::SessionId;
use session::listeners::{Notification, notify};
use session::reconcile::Rules;

/// The listeners of this environment's sessions.
#[derive(Debug)]
pub(crate) struct EndNotice {
    connections: Connections,
    ctx: SystemContext,
    rules: Rules,
}

impl EndNotice {
    pub(crate) const fn new(connections: Connections, ctx: SystemContext, rules: Rules) -> Self {
        Self { connections, ctx, rules }
    }
}

impl relay::ports::EndNotices for EndNotice {
    async fn notify_ended(&self, session: &SessionId, limit: Duration) {
        let budget = self.rules.notify_budget(limit);
        notify(&self.connections, &self.ctx, session, Notification::Ended, &budget).await;
    }
}
