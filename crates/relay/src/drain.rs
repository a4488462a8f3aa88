//! Detects when a stopped stream has no more audio.
//!
//! The time of the stop is not a cut-off: a fragment may still be in transit to KVS. A stream is
//! drained when no new fragment arrives for max(4 s, 2 × the longest fragment seen), at most 25 s,
//! counted from the stop or the last new fragment, whichever is later. Before the first fragment
//! its length is unknown and the window is 25 s, because the first fragment may still be open. A
//! fragment that KVS received a minute or more after the stop is read but does not restart the
//! window: a producer that never stops must not keep a session open.
//!
//! Silence alone proves nothing, because a stalled connection looks like an empty stream. Only a
//! body that KVS itself ends, between two documents and after its idle time (3 s), shows that
//! everything stored before the call has been sent. If KVS does not end idle connections,
//! [`SILENCES`] consecutive stalled connections count as the end; if it ends every connection
//! sooner, 25 s of nothing but such ends do.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Config;

/// Consecutive stalled connections that count as the end of the stream. The GetMedia API reference
/// says that KVS ends idle connections, but one report describes a connection that blocked
/// indefinitely (boto3 issue 3532).
const SILENCES: u32 = 5;

/// Tracks whether a stopped stream is drained.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    min: Duration,
    max: Duration,
    scale: f64,
    /// KVS's idle time.
    idle: Duration,
    longest: Duration,
    /// When the last new audio arrived, or when processing it finished.
    heard_at: Option<Instant>,
    /// When the open connection was requested, and how long after the stop, if there was one.
    asked: Option<(Instant, Option<Duration>)>,
    /// Consecutive stalled connections.
    silences: u32,
    /// Start of the current sequence of connections that ended too soon and delivered nothing.
    hasty_since: Option<Instant>,
    over: bool,
}

impl Drain {
    pub(crate) fn new(config: &Config, longest_fragment_ms: u64) -> Self {
        Self {
            min: config.drain_min,
            max: config.drain_max,
            scale: config.scale,
            idle: config.kvs_idle,
            longest: Duration::from_millis(longest_fragment_ms),
            heard_at: None,
            asked: None,
            silences: 0,
            hasty_since: None,
            over: false,
        }
    }

    /// Records a GetMedia call and how long after the stop it was made. KVS sends everything it has
    /// stored by the time of the call.
    pub(crate) fn asking(&mut self, now: Instant, stopped: Option<Duration>) {
        self.asked = Some((now, stopped));
    }

    /// Records a failed call or a broken connection: it does not show whether the stream has ended.
    pub(crate) fn failed(&mut self) {
        (self.asked, self.silences, self.hasty_since) = (None, 0, None);
    }

    /// Records that new audio arrived, or that processing it finished at `now`.
    pub(crate) fn heard(&mut self, now: Instant) {
        (self.heard_at, self.silences, self.over) = (Some(now), 0, false);
        self.hasty_since = None;
    }

    /// Records that KVS ended the body between two documents. An end before the idle time has
    /// another cause and does not show that the stream has ended.
    pub(crate) fn ended(&mut self, now: Instant) {
        self.silences = 0;
        let Some((asked, Some(stopped))) = self.asked.take() else { return };
        let lasted = now.saturating_duration_since(asked);
        let quiet = self.heard_at.map_or(stopped, |at| asked.saturating_duration_since(at));
        // Half the idle time allows for the delay of the last byte and for clock granularity.
        let idled = lasted >= self.idle / 2;
        // A frozen process sees the end too late, so at most the idle time counts.
        let confirmed = quiet.min(stopped) + lasted.min(self.idle);
        let heard_since = self.heard_at.is_some_and(|at| at > asked);
        self.over |= !heard_since && idled && confirmed >= self.window();
        let hasty = !heard_since && !idled;
        self.hasty_since = hasty.then(|| self.hasty_since.unwrap_or(now));
        self.over |= self.hasty_since.is_some_and(|since| now - since >= self.max);
    }

    /// Records a connection that was closed because it delivered no data or no media for too long.
    pub(crate) fn stood_still(&mut self) {
        self.silences += 1;
        self.hasty_since = None;
        let stopped = self.asked.take().and_then(|(_, stopped)| stopped);
        self.over |= self.silences >= SILENCES && stopped.is_some_and(|time| time >= self.window());
    }

    /// Records a fragment from so long after the stop that no audio from before it can follow.
    pub(crate) fn late(&mut self) {
        self.over = true;
    }

    pub(crate) fn fragment(&mut self, duration_ms: u64) {
        self.longest = self.longest.max(Duration::from_millis(duration_ms));
    }

    /// Returns whether the stream is drained.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    fn window(&self) -> Duration {
        if self.longest.is_zero() {
            return self.max;
        }
        (self.longest * 2).div_f64(self.scale).clamp(self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(3);

    fn drain(longest_ms: u64) -> (Drain, Instant) {
        (Drain::new(&Config::scaled(1.0), longest_ms), Instant::now())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Simulates consecutive idle connections; returns the time from the stop until drained.
    fn idles_until_over(drain: &mut Drain, stop: Instant) -> Duration {
        let mut now = stop;
        while !drain.is_over() {
            drain.asking(now, Some(now - stop));
            now += IDLE;
            drain.ended(now);
            assert!(now - stop < seconds(60), "never over");
        }
        now - stop
    }

    #[test]
    fn the_window_follows_the_longest_fragment_and_ends_with_a_connection() {
        for (longest_ms, within) in [(500, 6), (2_000, 6), (3_000, 6), (5_000, 12), (20_000, 27)] {
            let (mut drain, now) = drain(longest_ms);
            drain.heard(now);
            assert_eq!(idles_until_over(&mut drain, now), seconds(within), "{longest_ms}");
        }
    }

    #[test]
    fn before_the_first_fragment_its_length_is_unknown_and_the_window_the_longest() {
        let (mut drain, now) = drain(0);
        assert_eq!(idles_until_over(&mut drain, now), seconds(27));
    }

    #[test]
    fn quiet_before_the_stop_does_not_count() {
        let (mut drain, now) = drain(500);
        drain.heard(now);
        let asked = now + seconds(1000);
        drain.asking(asked, None);
        drain.ended(asked + IDLE);
        drain.asking(asked + IDLE, Some(Duration::ZERO));
        drain.ended(asked + 2 * IDLE);
        assert!(!drain.is_over(), "one idle time is less than the window");
        drain.asking(asked + 2 * IDLE, Some(IDLE));
        drain.ended(asked + 3 * IDLE);
        assert!(drain.is_over());
    }

    #[test]
    fn a_stream_that_was_left_long_ago_is_over_with_one_idle_end() {
        let (mut drain, now) = drain(5_000);
        drain.asking(now, Some(seconds(600)));
        drain.ended(now + IDLE);
        assert!(drain.is_over());
    }

    #[test]
    fn only_an_idle_end_of_a_connection_asked_for_late_enough_counts() {
        let (mut drain, now) = drain(5_000);
        drain.heard(now);
        // The connection that delivered the last fragment, even if it stalled or its reader was
        // frozen.
        drain.asking(now - seconds(5), Some(seconds(100)));
        drain.ended(now + seconds(100));
        assert!(!drain.is_over());
        // A connection that ended immediately, for another reason.
        drain.asking(now + seconds(50), Some(seconds(100)));
        drain.ended(now + seconds(50));
        assert!(!drain.is_over());
        // A connection that broke.
        drain.asking(now + seconds(50), Some(seconds(100)));
        drain.failed();
        drain.ended(now + seconds(53));
        assert!(!drain.is_over());
        drain.asking(now + seconds(60), Some(seconds(100)));
        drain.ended(now + seconds(63));
        assert!(drain.is_over());
        drain.heard(now + seconds(64));
        assert!(!drain.is_over(), "what came was not the end");
    }

    #[test]
    fn ends_that_come_too_soon_are_believed_when_there_is_nothing_else_for_long() {
        let (mut drain, stop) = drain(1_000);
        let mut now = stop + seconds(600);
        for second in 0..=60 {
            if second == 20 {
                drain.heard(now);
            }
            assert_eq!(drain.is_over(), second > 20 + 25, "{second}");
            drain.asking(now, Some(now - stop));
            now += seconds(1);
            drain.ended(now);
        }
    }

    #[test]
    fn connections_that_stand_still_are_believed_after_many() {
        let (mut drain, now) = drain(0);
        for row in 1..=SILENCES {
            assert!(!drain.is_over(), "{row}");
            drain.asking(now, Some(seconds(100)));
            drain.stood_still();
        }
        assert!(drain.is_over());
        drain.heard(now);
        assert!(!drain.is_over(), "what came was not the end");
    }
}
