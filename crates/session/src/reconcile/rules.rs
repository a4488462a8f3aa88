//! How long the health check waits before it acts.

use std::time::Duration;

use crate::{
    Limits,
    listeners::{GRACE, NotifyBudget},
};

/// Every how many runs the listings of KVS are swept for resources without a session.
pub(super) const SWEEP_EVERY: u64 = 12;

/// The rules of one environment. Durations are wall-clock time, divided by TIME_SCALE.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Sessions and resources of other environments are not touched.
    pub environment: String,
    /// A record that changed within this time is left to the invocation that works on it: 3 min.
    pub settled: Duration,
    /// Time between two runs: 5 min, as the template schedules them.
    pub interval: Duration,
    /// An event that has been pending for longer was given up by its writer: 10 s.
    pub event_given_up: Duration,
    /// Longest time for the emission of one event: 10 s. It is not divided by TIME_SCALE: an answer
    /// takes as long on any clock.
    pub emission: Duration,
    /// How long a claim keeps other runs away: 10 min. A run that dies is followed by the next
    /// after it.
    pub claim: Duration,
    /// How long after its drain the channel of an ended session is looked for: 15 min, three runs.
    pub channel_checks: Duration,
    /// Before the deletion of a resource in use is tried again: 1 s. One channel takes 5 calls a
    /// second, and mapping changes are 10 a second for the whole account.
    pub removal_pause: Duration,
    /// How long after its end a session's listeners are left to its consumer: a minute and 15 s.
    pub listeners_grace: Duration,
    /// Longest time for the listeners of one session: 10 s …
    pub listeners_each: Duration,
    /// … and for those of all sessions of a run: 120 s, so that it comes to its other duties.
    pub listeners_all: Duration,
    /// Longest time for telling the listeners that their session ends: 2 s, not divided by
    /// TIME_SCALE either.
    pub listeners_ending: Duration,
    /// Longest time for one listener: 5 s, not divided by TIME_SCALE either.
    pub listener: Duration,
    /// Backoff between retries.
    pub limits: Limits,
    /// How long a drained session's stream is kept (`StreamKeepMinutes`).
    pub stream_keep: Duration,
    /// How long KVS keeps a stream's audio (`StreamRetentionHours`).
    pub retention: Duration,
    /// What a taker adds to another's lease before it takes it.
    pub take_margin: Duration,
    /// A session without audio for so long ends (`SessionIdleMinutes`).
    pub session_idle: Duration,
    /// A session of this age ends (`MaxSessionHours`).
    pub max_session: Duration,
}

impl Rules {
    /// The rules of a system whose clocks run `scale` times as fast (1 in AWS), with the template's
    /// defaults.
    #[must_use]
    pub fn scaled(environment: String, scale: f64) -> Self {
        let seconds = |seconds: u64| Duration::from_secs(seconds).div_f64(scale.max(1.0));
        let limits = Limits::default();
        Self {
            environment,
            settled: seconds(3 * 60),
            interval: seconds(5 * 60),
            event_given_up: seconds(10),
            emission: Duration::from_secs(10),
            claim: seconds(10 * 60),
            channel_checks: seconds(15 * 60),
            removal_pause: seconds(1),
            listeners_grace: (GRACE + Duration::from_secs(15)).div_f64(scale.max(1.0)),
            listeners_each: seconds(10),
            listeners_all: seconds(120),
            listeners_ending: Duration::from_secs(2),
            listener: Duration::from_secs(5),
            limits: Limits {
                first_pause: limits.first_pause.div_f64(scale.max(1.0)),
                longest_pause: limits.longest_pause.div_f64(scale.max(1.0)),
                ..limits
            },
            stream_keep: seconds(60 * 60),
            retention: seconds(24 * 3600),
            take_margin: seconds(5),
            session_idle: seconds(60 * 60),
            max_session: seconds(24 * 3600),
        }
    }

    /// Returns the budget for the listeners of one session, `total` for all of them.
    #[must_use]
    pub fn notify_budget(&self, total: Duration) -> NotifyBudget {
        NotifyBudget { total, per_listener: self.listener.min(total), limits: self.limits }
    }
}
