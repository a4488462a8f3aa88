//! The constants of a run. Wall-clock durations come in already scaled (see [`Config::scaled`]);
//! media durations are never scaled, because a sample is 1/16000 s of speech on every clock.

use std::time::Duration;

/// Samples per millisecond of the PCM this crate carries (16 kHz).
pub const SAMPLES_PER_MS: u64 = 16;

/// What one run goes by.
#[derive(Debug, Clone)]
pub struct Config {
    /// Length of one chunk, ms of audio, 100..=4000; the stream's first checkpoint fixes it for
    /// the whole session.
    pub chunk_ms: u64,
    /// Longest payload when catching up, ms of audio (DESIGN §6: 4 s).
    pub batch_ms: u64,
    /// Most audio held between reader and deliverer, ms. 16 s are 512 KB of PCM, which together
    /// with one payload being sent stays under the 2 MB of DESIGN §9.
    pub buffer_ms: u64,
    /// Audio decoded and dropped before the resume point so that the decoder has settled, ms.
    pub warm_up_ms: u64,
    /// How long a lease written now is good for.
    pub lease: Duration,
    /// Time between two renewals.
    pub renew: Duration,
    /// The holder delivers nothing once this much of its monotonic clock passed since it sent the
    /// last renewal that succeeded.
    pub lease_guard: Duration,
    /// What a taker adds to another's lease before it takes it: covers clocks that differ by 5 s.
    pub take_margin: Duration,
    /// How often a waiting successor looks at the lease.
    pub take_poll: Duration,
    /// How often Sessions.status is read, so that a lost ENDED still stops the stream.
    pub session_poll: Duration,
    /// How often the listeners' languages are read.
    pub languages_poll: Duration,
    /// Before the deadline: when the next link is invoked.
    pub hand_off_lead: Duration,
    /// Before the deadline: when the holder gives up waiting for the next link and releases.
    pub hand_off_last: Duration,
    /// Before the deadline: when even an invocation in flight is abandoned (it is offered again).
    pub abandon: Duration,
    /// After so long without a fragment KVS ends a connection (facts/kvs.md §3.4).
    pub kvs_idle: Duration,
    /// No new fragment for this long since the stop means drained …
    pub drain_min: Duration,
    /// … or for twice the longest fragment, but never longer than this.
    pub drain_max: Duration,
    /// A fragment that KVS took in this long after the stop was seen, ms of KVS's own clock, does not keep
    /// the drain waiting: whoever still stores then speaks in no session.
    pub late_ms: u64,
    /// How long KVS keeps a stream's audio. A stopped session that could not be delivered by then has
    /// nothing left to deliver.
    pub retention: Duration,
    /// So long after the stop listeners are told that the session has ended, delivered or not.
    pub listeners_grace: Duration,
    /// How long telling them may take.
    pub farewell: Duration,
    /// Longest attempt at one delivery: the processor's timeout + 2 s.
    pub attempt_timeout: Duration,
    /// First and highest ceiling of the wait between delivery attempts.
    pub retry: (Duration, Duration),
    /// First and highest ceiling of the wait between failed GetMedia calls.
    pub reconnect: (Duration, Duration),
    /// Least time between two GetMedia calls of this reader (limit: 5 a second per stream).
    pub connect_pace: Duration,
    /// A body without a byte for this long is given up and opened again.
    pub read_idle: Duration,
    /// A body whose bytes bring nothing of a fragment for this long is given up like one without
    /// bytes. A fragment lasts at most 20 s and is announced by its first bytes, so on a connection
    /// that keeps up something of it comes sooner; half as long again is left for slow bytes.
    pub no_progress: Duration,
    /// A stream that KVS has not known for this long counts as deleted: nothing can come any more.
    pub no_stream: Duration,
    /// Failures in a row that open the breaker.
    pub breaker_failures: u32,
    /// How long the breaker stays open before it lets one chunk try.
    pub breaker_open: Duration,
    /// How often the metrics line of a stream is written.
    pub metrics_every: Duration,
    /// How much faster than real time the wall clock of the system under test runs.
    pub scale: f64,
    /// Limits of the media path.
    pub media: media::StreamOptions,
}

impl Config {
    /// The defaults of DESIGN §6 for a system whose clocks run `scale` times as fast (1 in AWS).
    #[must_use]
    pub fn scaled(scale: f64) -> Self {
        let scale = scale.max(1.0);
        let wall = |millis: u64| Duration::from_millis(millis).div_f64(scale);
        Self {
            chunk_ms: 500,
            batch_ms: 4_000,
            buffer_ms: 16_000,
            warm_up_ms: 3_000,
            lease: wall(12_000),
            renew: wall(1_000),
            lease_guard: wall(8_000),
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
            farewell: wall(30_000),
            attempt_timeout: wall(62_000),
            retry: (wall(200), wall(10_000)),
            reconnect: (wall(400), wall(10_000)),
            connect_pace: wall(250),
            read_idle: wall(15_000),
            no_progress: wall(30_000),
            no_stream: wall(120_000),
            breaker_failures: 5,
            breaker_open: wall(15_000),
            metrics_every: wall(60_000),
            scale,
            media: media::StreamOptions::default(),
        }
    }

    /// Samples of `millis` of audio.
    #[must_use]
    pub fn samples(millis: u64) -> u64 {
        millis * SAMPLES_PER_MS
    }
}
