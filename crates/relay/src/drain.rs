//! Detects when a stopped stream has no more audio.
//!
//! The time of the stop is not a cut-off: a fragment may still be in transit to KVS. A stream is
//! drained when no new fragment arrives for max(4 s, 2 × the longest fragment seen), at most 25 s,
//! counted from the stop or the last new fragment, whichever is later. Before the first fragment
//! its length is unknown and the window is 25 s, because the first fragment may still be open. A
//! fragment that KVS received a minute or more after the stop ends the drain: a producer that never
//! stops must not keep a session open.
//!
//! Silence alone proves nothing, because a stalled connection looks like an empty stream. Only a
//! body that KVS itself ends, between two documents and after its idle time (3 s), shows that
//! everything stored before the call has been sent. An end inside a document counts as well once
//! it has repeated at the same place: KVS then stores the fragment without its end. If KVS does not
//! end idle connections, [`MAX_STALLS`] consecutive stalled connections count as the end; if it
//! ends every connection sooner, 25 s of nothing but such ends do.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Config;

/// Consecutive stalled connections that count as the end of the stream. The GetMedia API reference
/// says that KVS ends idle connections, but one report describes a connection that blocked
/// indefinitely (boto3 issue 3532).
const MAX_STALLS: u32 = 5;

/// Tracks whether a stopped stream is drained.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    min: Duration,
    max: Duration,
    scale: f64,
    /// KVS's idle time.
    idle: Duration,
    /// Longest fragment seen, in media time.
    longest: Option<Duration>,
    /// When the last new audio arrived, or when processing it finished.
    last_new_at: Option<Instant>,
    /// When the open connection was requested, and how long after the stop, if there was one.
    opened: Option<(Instant, Option<Duration>)>,
    /// Consecutive stalled connections.
    stalls: u32,
    /// Start of the current sequence of connections that ended too soon and delivered nothing.
    early_ends_since: Option<Instant>,
    drained: bool,
}

impl Drain {
    pub(crate) fn new(config: &Config, longest_fragment_ms: Option<u64>) -> Self {
        Self {
            min: config.drain_min,
            max: config.drain_max,
            scale: config.scale,
            idle: config.kvs_idle,
            longest: longest_fragment_ms.map(Duration::from_millis),
            last_new_at: None,
            opened: None,
            stalls: 0,
            early_ends_since: None,
            drained: false,
        }
    }

    /// Records a GetMedia call and how long after the stop it was made. KVS sends everything it has
    /// stored by the time of the call.
    pub(crate) fn opening(&mut self, now: Instant, stopped: Option<Duration>) {
        self.opened = Some((now, stopped));
    }

    /// Records a failed call or a broken connection: it does not show whether the stream has ended.
    pub(crate) fn failed(&mut self) {
        (self.opened, self.stalls, self.early_ends_since) = (None, 0, None);
    }

    /// Records that new audio arrived, or that processing it finished at `now`.
    pub(crate) fn new_audio(&mut self, now: Instant) {
        (self.last_new_at, self.stalls, self.drained) = (Some(now), 0, false);
        self.early_ends_since = None;
    }

    /// Records that KVS ended the body between two documents, or repeatedly inside the same one. An
    /// end before the idle time has another cause and does not show that the stream has ended.
    pub(crate) fn ended(&mut self, now: Instant) {
        self.stalls = 0;
        let Some((opened, Some(stopped))) = self.opened.take() else { return };
        let lasted = now.saturating_duration_since(opened);
        let quiet = self.last_new_at.map_or(stopped, |at| opened.saturating_duration_since(at));
        // Half the idle time allows for the delay of the last byte and for clock granularity.
        let was_idle = lasted >= self.idle / 2;
        // A frozen process observes the end late, so at most the idle time counts.
        let confirmed = quiet.min(stopped) + lasted.min(self.idle);
        let new_since = self.last_new_at.is_some_and(|at| at > opened);
        self.drained |= !new_since && was_idle && confirmed >= self.window();
        let early = !new_since && !was_idle;
        self.early_ends_since = early.then(|| self.early_ends_since.unwrap_or(now));
        self.drained |= self.early_ends_since.is_some_and(|since| now - since >= self.max);
    }

    /// Records a connection that was closed because it delivered no data or no media for too long.
    pub(crate) fn stalled(&mut self) {
        self.stalls += 1;
        self.early_ends_since = None;
        let stopped = self.opened.take().and_then(|(_, stopped)| stopped);
        self.drained |=
            self.stalls >= MAX_STALLS && stopped.is_some_and(|time| time >= self.window());
    }

    /// Records a fragment from so long after the stop that no audio from before it can follow.
    pub(crate) fn late_fragment(&mut self) {
        self.drained = true;
    }

    /// Records the length of a fragment. A fragment without audio has none.
    pub(crate) fn fragment(&mut self, duration_ms: u64) {
        if duration_ms > 0 {
            self.longest = self.longest.max(Some(Duration::from_millis(duration_ms)));
        }
    }

    /// Returns whether the stream is drained.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained
    }

    fn window(&self) -> Duration {
        let window = |longest: Duration| (longest * 2).div_f64(self.scale);
        self.longest.map_or(self.max, window).clamp(self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(3);

    fn drain(longest_ms: impl Into<Option<u64>>) -> (Drain, Instant) {
        (Drain::new(&Config::scaled(1.0), longest_ms.into()), Instant::now())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Simulates consecutive idle connections; returns the time from the stop until drained.
    fn idles_until_drained(drain: &mut Drain, stop: Instant) -> Duration {
        let mut now = stop;
        while !drain.is_drained() {
            drain.opening(now, Some(now - stop));
            now += IDLE;
            drain.ended(now);
            assert!(now - stop < seconds(60), "never drained");
        }
        now - stop
    }

    #[test]
    fn the_window_follows_the_longest_fragment_and_ends_with_a_connection() {
        for (longest_ms, within) in [(500, 6), (2_000, 6), (3_000, 6), (5_000, 12), (20_000, 27)] {
            let (mut drain, now) = drain(longest_ms);
            drain.new_audio(now);
            assert_eq!(idles_until_drained(&mut drain, now), seconds(within), "{longest_ms}");
        }
    }

    #[test]
    fn before_the_first_fragment_its_length_is_unknown_and_the_window_the_longest() {
        let (mut drain, now) = drain(None);
        assert_eq!(idles_until_drained(&mut drain, now), seconds(27));
    }

    #[test]
    fn quiet_before_the_stop_does_not_count() {
        let (mut drain, now) = drain(500);
        drain.new_audio(now);
        let opened = now + seconds(1000);
        drain.opening(opened, None);
        drain.ended(opened + IDLE);
        drain.opening(opened + IDLE, Some(Duration::ZERO));
        drain.ended(opened + 2 * IDLE);
        assert!(!drain.is_drained(), "one idle time is less than the window");
        drain.opening(opened + 2 * IDLE, Some(IDLE));
        drain.ended(opened + 3 * IDLE);
        assert!(drain.is_drained());
    }

    #[test]
    fn a_stream_that_was_left_long_ago_is_drained_with_one_idle_end() {
        let (mut drain, now) = drain(5_000);
        drain.opening(now, Some(seconds(600)));
        drain.ended(now + IDLE);
        assert!(drain.is_drained());
    }

    #[test]
    fn only_the_idle_end_of_a_connection_opened_late_enough_counts() {
        let (mut drain, now) = drain(5_000);
        drain.new_audio(now);
        // The connection that delivered the last fragment, even if it stalled or its reader was
        // frozen.
        drain.opening(now - seconds(5), Some(seconds(100)));
        drain.ended(now + seconds(100));
        assert!(!drain.is_drained());
        // A connection that ended immediately, for another reason.
        drain.opening(now + seconds(50), Some(seconds(100)));
        drain.ended(now + seconds(50));
        assert!(!drain.is_drained());
        // A connection that broke.
        drain.opening(now + seconds(50), Some(seconds(100)));
        drain.failed();
        drain.ended(now + seconds(53));
        assert!(!drain.is_drained());
        drain.opening(now + seconds(60), Some(seconds(100)));
        drain.ended(now + seconds(63));
        assert!(drain.is_drained());
        drain.new_audio(now + seconds(64));
        assert!(!drain.is_drained(), "new audio extends the drain");
    }

    #[test]
    fn early_ends_count_after_long_enough_without_anything_else() {
        let (mut drain, stop) = drain(1_000);
        let mut now = stop + seconds(600);
        for second in 0..=60 {
            if second == 20 {
                drain.new_audio(now);
            }
            assert_eq!(drain.is_drained(), second > 20 + 25, "{second}");
            drain.opening(now, Some(now - stop));
            now += seconds(1);
            drain.ended(now);
        }
    }

    #[test]
    fn many_stalled_connections_in_a_row_count_as_the_end() {
        let (mut drain, now) = drain(None);
        for row in 1..=MAX_STALLS {
            assert!(!drain.is_drained(), "{row}");
            drain.opening(now, Some(seconds(100)));
            drain.stalled();
        }
        assert!(drain.is_drained());
        drain.new_audio(now);
        assert!(!drain.is_drained(), "new audio extends the drain");
    }
}
