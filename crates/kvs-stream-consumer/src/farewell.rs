//! Telling listeners, with the patience that this function can afford: nobody waits for its answer.

use std::time::Duration;

use aws_adapters::listeners::Connections;
use lambda_shell::{TimeScale, surroundings::Lambda};
use session::listeners::{News, Patience, tell};
use session::{Limits, SessionId};

use crate::config::Config;

/// How long one listener may take, repeats included.
const EACH: Duration = Duration::from_secs(5);

/// The listeners of this environment's sessions.
#[derive(Debug)]
pub(crate) struct Farewell {
    connections: Connections,
    around: Lambda,
    scale: TimeScale,
}

impl Farewell {
    pub(crate) fn new(connections: Connections, config: &Config) -> Self {
        Self { connections, around: Lambda::new(&config.environment), scale: config.scale }
    }

    fn patience(&self, all: Duration) -> Patience {
        let limits = Limits::default();
        Patience {
            all,
            each: self.scale.wall(EACH).min(all),
            limits: Limits {
                first_pause: self.scale.wall(limits.first_pause),
                longest_pause: self.scale.wall(limits.longest_pause),
                ..limits
            },
        }
    }
}

impl relay::ports::Listeners for Farewell {
    async fn tell_ended(&self, session: &SessionId, limit: Duration) {
        let patience = self.patience(limit);
        tell(&self.connections, &self.around, session, News::Ended, &patience).await;
    }
}
