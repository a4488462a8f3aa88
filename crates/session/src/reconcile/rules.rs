//! Time limits of the health check.

use std::time::Duration;

use crate::{
    Limits, PairRules,
    listeners::{GRACE, NotifyBudget},
};

/// Number of passes per sweep of KVS for resources without a session.
pub(super) const SWEEP_EVERY: u64 = 12;

/// The rules of one environment. Durations are wall-clock time, divided by TIME_SCALE.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The environment; sessions and resources of others are not changed.
    pub environment: String,
    /// Age from which a record is reconciled; before, an invocation may be working on it: 3 min.
    pub min_age: Duration,
    /// Time between two passes: 5 min, as the template schedules them.
    pub interval: Duration,
    /// Age from which a pending event is resent, because its writer has given up: 10 s.
    pub event_given_up: Duration,
    /// Maximum time for emitting one event: 10 s. Not divided by TIME_SCALE, because network calls
    /// are not accelerated.
    pub emission: Duration,
    /// Length of a claim on a session: 10 min. If a pass crashes, the next pass continues after it.
    pub claim: Duration,
    /// Time after its drain in which the channel of an ended session is checked: 15 min, three
    /// passes.
    pub channel_checks: Duration,
    /// Pause before retrying the deletion of a resource in use: 1 s. KVS allows 5 calls per second
    /// and channel, and 10 mapping changes per second and account.
    pub removal_pause: Duration,
    /// Time after the end of a session in which its consumer notifies the listeners: 75 s.
    pub listeners_grace: Duration,
    /// Maximum time for the listeners of one session: 10 s.
    pub listeners_each: Duration,
    /// Maximum time per pass for all listeners: 120 s, so that time remains for other duties.
    pub listeners_all: Duration,
    /// Maximum time for notifying listeners that their session is ending: 2 s, not divided by
    /// TIME_SCALE.
    pub listeners_ending: Duration,
    /// Maximum time for one listener: 5 s, not divided by TIME_SCALE.
    pub listener: Duration,
    /// Backoff between retries.
    pub limits: Limits,
    /// Time for which a drained stream is kept (`StreamKeepMinutes`).
    pub stream_keep: Duration,
    /// Retention of a stream's media in KVS (`StreamRetentionHours`).
    pub retention: Duration,
    /// Margin after the end of a lease before another run takes it.
    pub take_margin: Duration,
    /// Time without audio after which a session is ended (`SessionIdleMinutes`).
    pub session_idle: Duration,
    /// Age at which a session is ended (`MaxSessionHours`).
    pub max_session: Duration,
    /// The warm pairs to keep.
    pub pairs: PairRules,
    /// Maximum time per pass for checking warm pairs, and for filling them: 120 s each. A claim on
    /// a pair lasts twice as long.
    pub pairs_all: Duration,
}

impl Rules {
    /// Creates the rules with the template's defaults, for a system with the given time scale (1 on
    /// AWS).
    #[must_use]
    pub fn scaled(environment: String, scale: f64) -> Self {
        let seconds = |seconds: u64| Duration::from_secs(seconds).div_f64(scale.max(1.0));
        let limits = Limits::default();
        Self {
            environment,
            min_age: seconds(3 * 60),
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
            pairs: PairRules::scaled(0, 24, None, scale),
            pairs_all: seconds(120),
        }
    }

    /// Returns the budget for the listeners of one session, `total` for all of them.
    #[must_use]
    pub fn notify_budget(&self, total: Duration) -> NotifyBudget {
        NotifyBudget { total, per_listener: self.listener.min(total), limits: self.limits }
    }
}
