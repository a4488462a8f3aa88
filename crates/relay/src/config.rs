//! Constants of a run. Wall-clock durations are already scaled (see [`Config::scaled`]). Media
//! durations are never scaled, because a sample is 1/16000 s of speech on every clock.

use std::time::Duration;

use session::ports::millis;

/// Samples per millisecond of PCM (16 kHz).
pub const SAMPLES_PER_MS: u64 = 16;

/// Parameters of a run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Length of one chunk, ms of audio, 100..=4000. The session's first checkpoint fixes it for
    /// the whole session.
    pub chunk_ms: u64,
    /// Longest payload when catching up, ms of audio.
    pub batch_ms: u64,
    /// Maximum audio buffered between reader and deliverer, ms. 16 s are 512 KB of PCM, which
    /// together with one payload being sent stays within the memory limit of 2 MB per stream.
    pub buffer_ms: u64,
    /// Audio decoded and dropped before the resume point so that the decoder's output is
    /// stable, ms.
    pub warm_up_ms: u64,
    /// Lifetime of a lease from the time it is written.
    pub lease: Duration,
    /// Interval at which the holder reads its item: a stop, a pause or a successor is seen within
    /// it. A read costs a fifteenth of a renewal.
    pub observe: Duration,
    /// Added to the expiry of another holder's lease before taking it: covers a clock skew of 5 s.
    pub take_margin: Duration,
    /// Interval at which a waiting successor polls the lease.
    pub take_poll: Duration,
    /// Interval at which Sessions.status is read, so that a lost ENDED event still stops the
    /// stream.
    pub session_poll: Duration,
    /// Interval at which the listeners' languages are read.
    pub languages_poll: Duration,
    /// Time before the deadline at which the next invocation is started.
    pub hand_off_lead: Duration,
    /// Time before the deadline at which the holder stops waiting for a successor and releases.
    pub hand_off_last: Duration,
    /// Time before the deadline at which even a delivery attempt in flight is abandoned (its
    /// samples are offered again).
    pub abandon: Duration,
    /// KVS ends a GetMedia connection after this long without a fragment.
    pub kvs_idle: Duration,
    /// Minimum time without a new fragment after which a stopped stream counts as drained. The time
    /// is twice the longest fragment, at least this and at most `drain_max`.
    pub drain_min: Duration,
    /// Maximum of that time.
    pub drain_max: Duration,
    /// A fragment that KVS received this long after the stop was requested, in ms of KVS's clock,
    /// does not extend the drain: it does not belong to the session.
    pub late_ms: u64,
    /// How long KVS keeps a stream's audio. Audio of a stopped session that was not delivered by
    /// then is lost.
    pub retention: Duration,
    /// Time after the stop at which listeners are notified that the session has ended, delivered or
    /// not.
    pub listeners_grace: Duration,
    /// Time limit for notifying the listeners.
    pub end_notice: Duration,
    /// Time limit of one delivery attempt: the processor's timeout + 2 s.
    pub attempt_timeout: Duration,
    /// First and highest ceiling of the delay between delivery attempts.
    pub retry: (Duration, Duration),
    /// First and highest ceiling of the delay between failed GetMedia calls.
    pub reconnect: (Duration, Duration),
    /// Minimum time between two GetMedia calls of this reader (limit: 5 per second per stream).
    pub connect_pace: Duration,
    /// A GetMedia body without data for this long is closed and reopened.
    pub read_idle: Duration,
    /// A GetMedia body whose data contains no part of a fragment for this long is closed like one
    /// without data. A fragment lasts at most 20 s and its header comes first, so a connection that
    /// keeps up delivers part of one sooner; the other 10 s allow for slow networks.
    pub no_progress: Duration,
    /// A stream that KVS reports as missing for this long counts as deleted.
    pub no_stream: Duration,
    /// Consecutive failures that open the breaker.
    pub breaker_failures: u32,
    /// How long the breaker stays open before it allows one probe.
    pub breaker_open: Duration,
    /// Interval at which a stream's metrics are written.
    pub metrics_every: Duration,
    /// Speed of the wall clock of the system under test relative to real time.
    pub scale: f64,
    /// Limits of the media path.
    pub media: media::StreamOptions,
}

impl Config {
    /// Returns the defaults for a system whose clocks run `scale` times as fast (1 in AWS).
    #[must_use]
    pub fn scaled(scale: f64) -> Self {
        let scale = scale.max(1.0);
        let wall = |millis: u64| Duration::from_millis(millis).div_f64(scale);
        Self {
            chunk_ms: 500,
            batch_ms: 4_000,
            buffer_ms: 16_000,
            warm_up_ms: 3_000,
            lease: wall(36_000),
            observe: wall(1_000),
            take_margin: wall(5_000),
            take_poll: wall(250),
            session_poll: wall(5_000),
            languages_poll: wall(30_000),
            hand_off_lead: wall(45_000),
            hand_off_last: wall(10_000),
            abandon: wall(3_000),
            kvs_idle: wall(3_000),
            drain_min: wall(4_000),
            drain_max: wall(25_000),
            late_ms: 60_000,
            retention: wall(24 * 3_600_000),
            listeners_grace: session::listeners::GRACE.div_f64(scale),
            end_notice: wall(30_000),
            attempt_timeout: wall(62_000),
            retry: (wall(200), wall(10_000)),
            reconnect: (wall(400), wall(10_000)),
            connect_pace: wall(250),
            // No machine sends sooner because the clock is scaled, and a busy one is slower.
            read_idle: wall(15_000).max(Duration::from_millis(1_500)),
            no_progress: wall(30_000),
            no_stream: wall(120_000),
            breaker_failures: 5,
            breaker_open: wall(15_000),
            metrics_every: wall(60_000),
            scale,
            media: media::StreamOptions::default(),
        }
    }

    /// Returns how long the holder may deliver, by its monotonic clock, after it sent the last
    /// successful renewal: two thirds of the lease, so that it stops well before another run may
    /// take the lease.
    #[must_use]
    pub fn lease_guard(&self) -> Duration {
        self.lease * 2 / 3
    }

    /// Returns the interval between two renewals: a third of the lease, so that a renewal can fail
    /// twice within the guard.
    pub(crate) fn renew(&self) -> Duration {
        self.lease / 3
    }

    /// Returns the time limit of a call of the lease table: two attempts fit between the time at
    /// which a renewal is due and the end of the guard.
    pub(crate) fn table_timeout(&self) -> Duration {
        self.lease / 6
    }

    /// Returns the time until KVS deletes audio that it received at `received_ms`, ms; `None` while
    /// at least half of the retention is left.
    pub(crate) fn retention_risk(&self, received_ms: u64, now_ms: u64) -> Option<u64> {
        let retention = millis(self.retention);
        let age = now_ms.saturating_sub(received_ms);
        (age > retention / 2).then(|| retention.saturating_sub(age))
    }

    /// Returns the number of samples in `millis` of audio.
    #[must_use]
    pub fn samples(millis: u64) -> u64 {
        millis * SAMPLES_PER_MS
    }
}
