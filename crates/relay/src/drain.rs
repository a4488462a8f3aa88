//! When a stopped stream has nothing more to give.
//!
//! The stop's own time never cuts: a fragment may still be under way into KVS. Drained means that no
//! new fragment came for max(4 s, 2 × the longest fragment seen), at most 25 s, counted from the stop
//! or the last new fragment, whichever is later (DESIGN §6 "Stop"). A fragment that KVS took in a minute
//! after the stop and later is read, but starts no count again: a producer that never ends must not
//! keep a session from ending. Only quiet that was *heard* counts: a refused or broken connection starts the
//! count again, and so does waiting for room in the queue. And since a connection that stands still sounds
//! just like a stream that has nothing, the quiet must be KVS's own word: it ended a body by itself
//! between two documents (its idle end after 3 s), or let [`SILENCES`] connections in a row stand still.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Config;

/// Connections that stood still, one after the other, before their silence is believed: for a KVS that does
/// not end what idles (facts/kvs.md §3.4 knows one report).
const SILENCES: u32 = 3;

/// Watches a stream for quiet.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    min: Duration,
    max: Duration,
    scale: f64,
    /// Since when the stream has been heard to be quiet; `None` = not listening.
    quiet_since: Option<Instant>,
    /// KVS said itself, since then, that there is nothing more.
    confirmed: bool,
    /// Connections that stood still since then.
    silences: u32,
    longest: Duration,
}

impl Drain {
    pub(crate) fn new(config: &Config, longest_fragment_ms: u64) -> Self {
        Self {
            min: config.drain_min,
            max: config.drain_max,
            scale: config.scale,
            quiet_since: None,
            confirmed: false,
            silences: 0,
            longest: Duration::from_millis(longest_fragment_ms),
        }
    }

    /// A connection is open: quiet from here on is heard. Later ones of an unbroken row of good
    /// connections change nothing.
    pub(crate) fn listening(&mut self, now: Instant) {
        self.quiet_since.get_or_insert(now);
    }

    /// Nothing is heard any more: a call failed.
    pub(crate) fn deaf(&mut self) {
        (self.quiet_since, self.confirmed, self.silences) = (None, false, 0);
    }

    /// Something new came, or taking it in took until now.
    pub(crate) fn heard(&mut self, now: Instant) {
        (self.quiet_since, self.confirmed, self.silences) = (Some(now), false, 0);
    }

    /// KVS ended a body between two documents: it had nothing more.
    pub(crate) fn ended(&mut self) {
        self.confirmed = true;
    }

    /// A connection gave nothing for so long that it was given up.
    pub(crate) fn stood_still(&mut self) {
        self.silences += 1;
    }

    pub(crate) fn fragment(&mut self, duration_ms: u64) {
        self.longest = self.longest.max(Duration::from_millis(duration_ms));
    }

    /// How long it must still be quiet when stop was asked for `stopped` ago; `None` = unknown,
    /// because nobody listens or KVS has not yet said that it has nothing.
    pub(crate) fn remaining(&self, now: Instant, stopped: Duration) -> Option<Duration> {
        if !self.confirmed && self.silences < SILENCES {
            return None;
        }
        let window = (self.longest * 2).div_f64(self.scale).clamp(self.min, self.max);
        let quiet = now.saturating_duration_since(self.quiet_since?);
        Some(window.saturating_sub(quiet.min(stopped)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG_AGO: Duration = Duration::from_secs(1000);

    fn drain(longest_ms: u64) -> (Drain, Instant) {
        (Drain::new(&Config::scaled(1.0), longest_ms), Instant::now())
    }

    #[test]
    fn the_window_follows_the_longest_fragment_within_its_bounds() {
        for (longest_ms, window) in [(500, 4), (3_000, 6), (20_000, 25)] {
            let (mut drain, now) = drain(longest_ms);
            drain.listening(now);
            drain.ended();
            assert_eq!(drain.remaining(now, LONG_AGO), Some(Duration::from_secs(window)));
        }
    }

    #[test]
    fn quiet_before_the_stop_does_not_count() {
        let (mut drain, now) = drain(0);
        drain.listening(now);
        drain.ended();
        let later = now + LONG_AGO;
        assert_eq!(drain.remaining(later, Duration::from_secs(1)), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_failed_call_is_not_quiet() {
        let (mut drain, now) = drain(0);
        drain.listening(now);
        drain.ended();
        drain.deaf();
        assert_eq!(drain.remaining(now + LONG_AGO, LONG_AGO), None);
        drain.listening(now + LONG_AGO);
        drain.ended();
        assert_eq!(drain.remaining(now + LONG_AGO, LONG_AGO), Some(Duration::from_secs(4)));
    }

    #[test]
    fn idle_ends_and_new_calls_in_between_keep_the_count() {
        let (mut drain, now) = drain(0);
        drain.listening(now);
        drain.ended();
        drain.listening(now + Duration::from_secs(3));
        let left = drain.remaining(now + Duration::from_secs(5), LONG_AGO);
        assert_eq!(left, Some(Duration::ZERO));
    }

    #[test]
    fn a_connection_that_stands_still_is_not_quiet() {
        let (mut drain, now) = drain(0);
        drain.listening(now);
        let later = now + LONG_AGO;
        for _ in 0..SILENCES {
            assert_eq!(drain.remaining(later, LONG_AGO), None);
            drain.stood_still();
        }
        assert_eq!(drain.remaining(later, LONG_AGO), Some(Duration::ZERO));
        drain.heard(later);
        assert_eq!(drain.remaining(later + LONG_AGO, LONG_AGO), None, "what came was not the end");
    }
}
