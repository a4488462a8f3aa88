//! Tells a session's listeners that it has ended, within the time that a run has for it.

use std::time::Duration;

use aws_adapters::listeners::Connections;
use lambda_shell::surroundings::Lambda;
use session::SessionId;
use session::listeners::{News, tell};
use session::reconcile::Rules;

/// The listeners of this environment's sessions.
#[derive(Debug)]
pub(crate) struct Farewell {
    connections: Connections,
    around: Lambda,
    rules: Rules,
}

impl Farewell {
    pub(crate) const fn new(connections: Connections, around: Lambda, rules: Rules) -> Self {
        Self { connections, around, rules }
    }
}

impl relay::ports::Listeners for Farewell {
    async fn tell_ended(&self, session: &SessionId, limit: Duration) {
        let patience = self.rules.patience(limit);
        tell(&self.connections, &self.around, session, News::Ended, &patience).await;
    }
}
