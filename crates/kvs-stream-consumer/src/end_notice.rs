//! Notifies the listeners of an ended session within a time limit.

use std::time::Duration;

use aws_adapters::listeners::Connections;
use lambda_shell::surroundings::Lambda;
use session::SessionId;
use session::listeners::{News, tell};
use session::reconcile::Rules;

/// The listeners of this environment's sessions.
#[derive(Debug)]
pub(crate) struct EndNotice {
    connections: Connections,
    around: Lambda,
    rules: Rules,
}

impl EndNotice {
    pub(crate) const fn new(connections: Connections, around: Lambda, rules: Rules) -> Self {
        Self { connections, around, rules }
    }
}

impl relay::ports::Listeners for EndNotice {
    async fn notify_ended(&self, session: &SessionId, limit: Duration) {
        let patience = self.rules.patience(limit);
        tell(&self.connections, &self.around, session, News::Ended, &patience).await;
    }
}
