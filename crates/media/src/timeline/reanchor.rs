//! When the producer's clock is no longer believed, and what is believed then.
//!
//! Only the first block of a Cluster asks: within a Cluster no clock is set. It asks only when it
//! stands far from `next`; what goes on is the same audio, whatever session it names.

use super::{MAX_GAP, MediaTime, Stamps, TOLERANCE, Timeline};
use crate::SAMPLES_PER_MS;

/// A block this near to `next` goes on from it, ms, whatever producer session its fragment names:
/// equal or repeated Cluster timecodes make each fragment look like a session of its own. Fillers
/// of Opus's DTX come every 400 ms, so the pauses of ordinary speech need no second look either.
pub const CONTINUITY_MS: i64 = 500;

/// How far a new producer session's clock may be ahead of the server's and still be the same clock,
/// ms; behind it may be as far as [`BACKLOG_MS`], because what a producer sends after a reconnect
/// is late. SERVER_TIMESTAMP is when ingestion of a fragment began, so cutting and network move it
/// by some hundred milliseconds, either way on either side of the pause; a clock that is wrong is
/// seldom wrong by less than this, and then the producer's clock is still what the session is
/// measured by.
pub const AGREEMENT_MS: i64 = 2000;

/// The same within one producer session, ms: one that was cut off sends from its buffer what the
/// server then sees minutes late. KVS's SDKs hold two to three minutes; a clock that is set is off
/// by more than this.
pub const BACKLOG_MS: i64 = 300_000;

/// A pause of which only the server's clock tells has to be longer than this, ms: two
/// SERVER_TIMESTAMPs differ by as much without any, and jitter that is believed only forwards would
/// walk.
pub const SERVER_JITTER_MS: i64 = 100;

/// What belongs to the fragment being read only, so is in no anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FragmentClock {
    pub(super) server_ms: Option<i64>,
    pub(super) session_ms: Option<i64>,
    /// Producer clock at its start.
    pub(super) start: Option<MediaTime>,
    /// How far its blocks' times may be from the sample count, in samples.
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
    /// How near to `next` a block goes on.
    pub(super) fn continuity(&self) -> i64 {
        samples(CONTINUITY_MS).max(self.fragment.tolerance)
    }

    /// Decides for the first block of a Cluster, at `clock` and far from the line, which shift
    /// holds from now on; `true` when it is another. Lateness then has no history.
    pub(super) fn reanchor(&mut self, clock: i64, lateness: i64) -> bool {
        let shift = if self.begins_anew(lateness) {
            self.line() - clock
        } else {
            self.believed_shift(clock)
        };
        let changed = std::mem::replace(&mut self.shift, shift) != shift;
        if changed {
            self.stamps = Stamps::default();
        }
        changed
    }

    fn line(&self) -> i64 {
        self.next + self.lost
    }

    /// The shift so far, if the clock still agrees with the server's; else none at all, if the
    /// producer's clock came back to what it was when the session began; else what the server's
    /// clock gives, never before `next`.
    fn believed_shift(&self, clock: i64) -> i64 {
        let server = self.server_estimate(clock);
        let changed = self.session_changed();
        let agrees = |shift: i64, ahead_ms: i64| {
            let position = clock + shift;
            let late = -samples(ahead_ms)..=samples(BACKLOG_MS);
            (-self.continuity()..=MAX_GAP).contains(&(position - self.line()))
                && server.is_some_and(|server| late.contains(&server.saturating_sub(position)))
        };
        // Where the server says nothing, a session keeps its clock, and a new one has none.
        let unheard = server.is_none() && !changed;
        let ahead = clock + self.shift - self.line();
        let still = if changed {
            agrees(self.shift, AGREEMENT_MS)
        } else if unheard {
            (-self.continuity()..=MAX_GAP).contains(&ahead)
        } else {
            agrees(self.shift, BACKLOG_MS)
        };
        if still {
            self.shift
        } else if agrees(0, AGREEMENT_MS) {
            0
        } else {
            let pause = server.map_or(0, |server| server.saturating_sub(self.line()));
            let pause =
                if (samples(SERVER_JITTER_MS)..=MAX_GAP).contains(&pause) { pause } else { 0 };
            self.line() + pause - clock
        }
    }

    /// Whether the fragment names another producer session than the last block's did.
    fn session_changed(&self) -> bool {
        match (self.session_ms, self.fragment.session_ms) {
            (Some(known), Some(now)) => known.abs_diff(now) > CONTINUITY_MS.unsigned_abs(),
            _ => false,
        }
    }

    /// Whether the first block of a document without any of AWS's times stands before the line: the
    /// document's clock counts from where it likes.
    pub(super) fn begins_anew(&self, lateness: i64) -> bool {
        let fragment = &self.fragment;
        let unknown = fragment.server_ms.is_none() && fragment.session_ms.is_none();
        unknown && !fragment.has_audio && lateness < -fragment.tolerance
    }

    /// Where the server's clock puts a block at `clock`.
    fn server_estimate(&self, clock: i64) -> Option<i64> {
        let since = self.fragment.server_ms?.saturating_sub(self.server_ms?);
        let since = since.saturating_mul(i64::from(SAMPLES_PER_MS));
        Some(self.server_position.saturating_add(since).saturating_add(self.within(clock)))
    }

    /// Whether a fragment that begins at position `start` was stored later than the one that the
    /// server's clock is measured by, by so much that it came out of a producer's buffer.
    fn is_stored_late(&self, server_ms: i64, start: i64) -> bool {
        let Some(known_ms) = self.server_ms else { return false };
        let stored = samples(server_ms.saturating_sub(known_ms).clamp(-MAX_GAP, MAX_GAP));
        let spoken = start - self.server_position;
        stored - spoken > samples(AGREEMENT_MS)
    }

    /// How far into its fragment a block at `clock` begins, in samples.
    fn within(&self, clock: i64) -> i64 {
        let (Some(origin_ms), Some(start)) = (self.origin_ms, self.fragment.start) else {
            return 0;
        };
        (clock - start.samples_since(origin_ms)).clamp(-MAX_GAP, MAX_GAP)
    }

    /// A block at `clock` was placed at `position`: this is the session now, and the server's clock
    /// holds for the fragment's start.
    pub(super) fn remember(&mut self, clock: i64, position: i64) {
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
