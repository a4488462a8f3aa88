//! Re-anchoring: when the producer's clock is no longer trusted, and which position replaces it.
//!
//! Only the first block of a Cluster can re-anchor, because clocks do not change within a Cluster,
//! and only if its stamped position is far from the expected one: otherwise the audio is
//! contiguous, independent of its producer session.

use super::{MAX_GAP, MediaTime, Stamps, TOLERANCE, Timeline};
use crate::SAMPLES_PER_MS;

/// A block with a stamped position this near to the expected one is contiguous, ms, independent of
/// its producer session: with constant or repeated Cluster timecodes each fragment looks like a
/// session of its own. Opus with DTX sends a packet every 400 ms, so pauses in speech are within
/// it.
pub const CONTINUITY_MS: i64 = 500;

/// How far the clock of a new producer session may be ahead of the server's clock to count as
/// unchanged, ms. It may be behind by [`BACKLOG_MS`], because a producer sends late after a
/// reconnect. SERVER_TIMESTAMP is the start of a fragment's ingestion, so fragmentation and network
/// move it by some hundred milliseconds in both directions. A clock error below this limit is rare,
/// and the producer's clock is then kept.
pub const AGREEMENT_MS: i64 = 2000;

/// The same within one producer session, ms: after a disconnection it sends buffered media, which
/// the server receives minutes late. The buffers of the KVS SDKs hold two to three minutes; a clock
/// change is assumed to exceed this.
pub const BACKLOG_MS: i64 = 300_000;

/// Shortest pause that is accepted on the server's clock alone, ms. The jitter of SERVER_TIMESTAMP
/// is as large, and as only pauses forward are accepted, jitter would accumulate.
pub const SERVER_JITTER_MS: i64 = 100;

/// State of the current fragment, which is not part of a resume point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FragmentClock {
    pub(super) server_ms: Option<i64>,
    pub(super) session_ms: Option<i64>,
    /// Producer's clock at its start.
    pub(super) start: Option<MediaTime>,
    /// Tolerance between stamped and expected positions, in samples.
    pub(super) tolerance: i64,
    /// Its next block is the first of a Cluster.
    pub(super) head: bool,
    pub(super) has_audio: bool,
}

impl FragmentClock {
    pub(super) fn new(server_ms: Option<i64>) -> Self {
        Self {
            server_ms,
            session_ms: None,
            start: None,
            tolerance: TOLERANCE,
            head: true,
            has_audio: false,
        }
    }
}

impl Timeline {
    /// Returns the distance from the expected position within which a block is contiguous, in
    /// samples.
    pub(super) fn continuity(&self) -> i64 {
        samples(CONTINUITY_MS).max(self.fragment.tolerance)
    }

    /// Sets the offset for the first block of a Cluster, at `clock` and far from the expected
    /// position. Returns `true` if the offset changed; the history of lateness is then cleared.
    pub(super) fn reanchor(&mut self, clock: i64, lateness: i64) -> bool {
        let offset = if self.restarts(lateness) {
            self.expected() - clock
        } else {
            self.trusted_offset(clock)
        };
        let changed = std::mem::replace(&mut self.clock_offset, offset) != offset;
        if changed {
            self.stamps = Stamps::default();
        }
        changed
    }

    /// Returns the current offset if the clock agrees with the server's; else 0 if the clock
    /// without offset does, as at the session's start; else the offset by the server's clock, which
    /// never places the block before the expected position.
    fn trusted_offset(&self, clock: i64) -> i64 {
        let server = self.server_estimate(clock);
        let changed = self.session_changed();
        let agrees = |offset: i64, ahead_ms: i64| {
            let position = clock + offset;
            let late = -samples(ahead_ms)..=samples(BACKLOG_MS);
            (-self.continuity()..=MAX_GAP).contains(&(position - self.expected()))
                && server.is_some_and(|server| late.contains(&server.saturating_sub(position)))
        };
        // Without the server's clock, the clock of the same producer session is trusted, that of a
        // new one is not.
        let unverified = server.is_none() && !changed;
        let ahead = clock + self.clock_offset - self.expected();
        let still = if changed {
            agrees(self.clock_offset, AGREEMENT_MS)
        } else if unverified {
            (-self.continuity()..=MAX_GAP).contains(&ahead)
        } else {
            agrees(self.clock_offset, BACKLOG_MS)
        };
        if still {
            self.clock_offset
        } else if agrees(0, AGREEMENT_MS) {
            0
        } else {
            let pause = server.map_or(0, |server| server.saturating_sub(self.expected()));
            let pause =
                if (samples(SERVER_JITTER_MS)..=MAX_GAP).contains(&pause) { pause } else { 0 };
            self.expected() + pause - clock
        }
    }

    /// Whether the fragment's producer session differs from that of the last block.
    fn session_changed(&self) -> bool {
        match (self.session_ms, self.fragment.session_ms) {
            (Some(known), Some(now)) => known.abs_diff(now) > CONTINUITY_MS.unsigned_abs(),
            _ => false,
        }
    }

    /// Whether the first block of a document without AWS times has an early stamp: the clock of
    /// such a document has an arbitrary origin.
    pub(super) fn restarts(&self, lateness: i64) -> bool {
        let fragment = &self.fragment;
        let unknown = fragment.server_ms.is_none() && fragment.session_ms.is_none();
        unknown && !fragment.has_audio && lateness < -fragment.tolerance
    }

    /// Returns the position of a block at `clock` by the server's clock.
    fn server_estimate(&self, clock: i64) -> Option<i64> {
        let since = self.fragment.server_ms?.saturating_sub(self.server_ms?);
        let since = since.saturating_mul(i64::from(SAMPLES_PER_MS));
        Some(self.server_position.saturating_add(since).saturating_add(self.within(clock)))
    }

    /// Whether a fragment that begins at position `start` came from a producer's buffer: the server
    /// received it much later than its position, relative to the reference fragment, indicates.
    fn is_stored_late(&self, server_ms: i64, start: i64) -> bool {
        let Some(known_ms) = self.server_ms else { return false };
        let stored = samples(server_ms.saturating_sub(known_ms).clamp(-MAX_GAP, MAX_GAP));
        let spoken = start - self.server_position;
        stored - spoken > samples(AGREEMENT_MS)
    }

    /// Returns the offset of a block at `clock` in its fragment, in samples.
    fn within(&self, clock: i64) -> i64 {
        let (Some(origin_ms), Some(start)) = (self.origin_ms, self.fragment.start) else {
            return 0;
        };
        (clock - start.samples_since(origin_ms)).clamp(-MAX_GAP, MAX_GAP)
    }

    /// Records the placement of a block at `clock` at `position`: its producer session, and the
    /// server's clock at the fragment's start.
    pub(super) fn record_clocks(&mut self, clock: i64, position: i64) {
        if self.fragment.session_ms.is_some() {
            self.session_ms = self.fragment.session_ms;
        }
        if let Some(server_ms) = self.fragment.server_ms.filter(|_| !self.fragment.has_audio) {
            let start = position - self.within(clock);
            if !self.is_stored_late(server_ms, start) {
                (self.server_ms, self.server_position) = (Some(server_ms), start);
            }
        }
        self.fragment.has_audio = true;
    }
}

const fn samples(ms: i64) -> i64 {
    ms * SAMPLES_PER_MS as i64
}
