//! When a stopped stream has nothing more to give.
//!
//! The stop's own time never cuts: a fragment may still be under way into KVS. Drained means that no
//! new fragment came for max(4 s, 2 × the longest fragment seen), at most 25 s, counted from the stop
//! or the last new fragment, whichever is later (DESIGN §6 "Stop"). Before the first fragment its length
//! is unknown and the window is 25 s: the first may still be open. A fragment that KVS took in a minute
//! after the stop and later is read, but starts no count again: a producer that never ends must not
//! keep a session from ending.
//!
//! The quiet must be KVS's own word. A connection that stands still sounds just like a stream that has nothing, so
//! time by itself counts for nothing: only a body that KVS ended itself, between two documents and after its
//! idle time (3 s), says that everything stored before it was asked for has been sent. For a KVS that does not end what
//! idles, [`SILENCES`] connections that stood still in a row are believed; for one that ends every connection sooner,
//! nothing but such ends for 25 s.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Config;

/// Connections that stood still, one after the other, before their silence is believed (facts/kvs.md §3.4 knows
/// one report of a KVS that does not end what idles).
const SILENCES: u32 = 5;

/// Watches a stream for quiet.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    min: Duration,
    max: Duration,
    scale: f64,
    /// KVS's idle time.
    idle: Duration,
    longest: Duration,
    /// When something new came last, or taking it in took until.
    heard_at: Option<Instant>,
    /// When the open connection was asked for, and how long after the stop, if there was one.
    asked: Option<(Instant, Option<Duration>)>,
    /// Connections that stood still in a row.
    silences: u32,
    /// Since when every connection was ended too soon to say anything, and gave nothing.
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

    /// A connection is asked for, so long after the stop. What KVS had stored by now it will send.
    pub(crate) fn asking(&mut self, now: Instant, stopped: Option<Duration>) {
        self.asked = Some((now, stopped));
    }

    /// The call failed, or the connection broke: it says nothing.
    pub(crate) fn failed(&mut self) {
        (self.asked, self.silences, self.hasty_since) = (None, 0, None);
    }

    /// Something new came, or taking it in took until now.
    pub(crate) fn heard(&mut self, now: Instant) {
        (self.heard_at, self.silences, self.over) = (Some(now), 0, false);
        self.hasty_since = None;
    }

    /// KVS ended the body between two documents. What lasted no idle time was ended for another reason, and says nothing.
    pub(crate) fn ended(&mut self, now: Instant) {
        self.silences = 0;
        let Some((asked, Some(stopped))) = self.asked.take() else { return };
        let lasted = now.saturating_duration_since(asked);
        let quiet = self.heard_at.map_or(stopped, |at| asked.saturating_duration_since(at));
        // Less than half the idle time is none, however long the last byte took to come and the clocks tick.
        let idled = lasted >= self.idle / 2;
        // A process that was frozen saw the end too late: no more than the idle time is its word.
        let confirmed = quiet.min(stopped) + lasted.min(self.idle);
        let heard_since = self.heard_at.is_some_and(|at| at > asked);
        self.over |= !heard_since && idled && confirmed >= self.window();
        let hasty = !heard_since && !idled;
        self.hasty_since = hasty.then(|| self.hasty_since.unwrap_or(now));
        self.over |= self.hasty_since.is_some_and(|since| now - since >= self.max);
    }

    /// A connection gave nothing, or no media, for so long that it was given up.
    pub(crate) fn stood_still(&mut self) {
        self.silences += 1;
        self.hasty_since = None;
        let stopped = self.asked.take().and_then(|(_, stopped)| stopped);
        self.over |= self.silences >= SILENCES && stopped.is_some_and(|time| time >= self.window());
    }

    /// What comes is of so long after the stop that nothing from before it can follow.
    pub(crate) fn late(&mut self) {
        self.over = true;
    }

    pub(crate) fn fragment(&mut self, duration_ms: u64) {
        self.longest = self.longest.max(Duration::from_millis(duration_ms));
    }

    /// Nothing more comes.
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

    /// Connections that idle, one right after the other; how long it took from the stop.
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
        // The connection that gave the last fragment, however long it stood still, or its reader was frozen.
        drain.asking(now - seconds(5), Some(seconds(100)));
        drain.ended(now + seconds(100));
        assert!(!drain.is_over());
        // One that ended at once, for another reason.
        drain.asking(now + seconds(50), Some(seconds(100)));
        drain.ended(now + seconds(50));
        assert!(!drain.is_over());
        // One that broke.
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
