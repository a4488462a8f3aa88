//! Where in the session a block's samples stand.
//!
//! Position is counted in samples; the clock only corrects it. A block is expected at
//! `round((producer time − CodecDelay − origin) × 16)` plus `shift`, what re-anchoring added, and then:
//!
//! | expected against `next` | what happens |
//! |---|---|
//! | within the tolerance: [`TOLERANCE`], or one tick where that is longer | the block starts at `next`: timestamps are rounded, clocks creep |
//! | later, up to `max_fill` | the time between is filled (by the decoder) |
//! | later, up to [`MAX_GAP`] | the time between is skipped |
//! | earlier, up to `max_overlap` | the samples before `next` are dropped |
//! | earlier than that, within a Cluster | the block starts at `next`, and nothing changes: its time is wrong |
//! | earlier than that, at the beginning of a Cluster | re-anchored, never backwards |
//!
//! `shift` is kept wherever it can be, so that nothing adds up. It changes only at the beginning of a Cluster that
//! is further than [`CONTINUITY_MS`] from `next`, and only if SERVER_TIMESTAMP contradicts the producer's
//! clock: by [`AGREEMENT_MS`] for a new producer session, by [`BACKLOG_MS`] for the same. It then becomes 0 again, if
//! the clock of the session's beginning is back, and else what the server's clock gives. A document without
//! AWS's times whose clock goes back goes on at `next`.
//!
//! One block alone moves nothing far: whoever places blocks asks [`Timeline::doubts`] first, and holds such a
//! block until the one after it is known. If that one goes on at `next` ([`Timeline::goes_on`]), the held
//! one goes there too ([`Timeline::place_astray`]). Two blocks that are wrong in a row are believed, and so is the last
//! one of a whole fragment: nothing tells it from speech that begins again after a pause.
//!
//! Sample 0 is the first after pre-skip, so the first block starts at `−pre-skip`. Everything here is
//! integer arithmetic on what the stream says: the same bytes from the same [`Anchor`] give the
//! same positions on any machine.

mod place;
pub use place::Placement;

mod reanchor;
use reanchor::FragmentClock;
pub use reanchor::{AGREEMENT_MS, BACKLOG_MS, CONTINUITY_MS, SERVER_JITTER_MS};

mod time;
pub use time::{Length, MediaTime};

use crate::{Anchor, FragmentNumber, SAMPLES_PER_MS};

/// How far a block's clock may be from the sample count before the clock wins: 160 samples (10 ms).
pub const TOLERANCE: i64 = 160;

/// Longest jump forward that is believed, in samples: 24 h, the longest a session lasts. A longer
/// one is a broken clock.
pub const MAX_GAP: i64 = 24 * 3600 * 1000 * SAMPLES_PER_MS as i64;

/// The sample clock of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    max_fill: i64,
    max_overlap: i64,
    origin_ms: Option<i64>,
    next: i64,
    /// How far the last block reached beyond `next`, in 1/rate of a sample: 1024 samples at 48 kHz are
    /// 341 and a third.
    fraction: u32,
    shift: i64,
    /// That of the last block placed: a fragment without audio changes nothing.
    session_ms: Option<i64>,
    server_ms: Option<i64>,
    server_position: i64,
    fragment: FragmentClock,
}

impl Timeline {
    /// A timeline before its first block. Both limits in milliseconds.
    pub fn new(max_fill_ms: u32, max_overlap_ms: u32) -> Self {
        let samples = |ms: u32| i64::from(ms) * i64::from(SAMPLES_PER_MS);
        Self {
            max_fill: samples(max_fill_ms),
            max_overlap: samples(max_overlap_ms),
            origin_ms: None,
            next: 0,
            fraction: 0,
            shift: 0,
            session_ms: None,
            server_ms: None,
            server_position: 0,
            fragment: FragmentClock::new(None),
        }
    }

    /// The timeline as it was when [`Timeline::anchor`] was taken.
    pub fn from_anchor(anchor: &Anchor, max_fill_ms: u32, max_overlap_ms: u32) -> Self {
        // An anchor may come from outside: positions beyond this are nobody's and would only overflow.
        let position = |samples: i64| samples.clamp(-(1 << 60), 1 << 60);
        Self {
            origin_ms: anchor.origin_ms,
            next: position(anchor.next),
            fraction: anchor.fraction,
            shift: position(anchor.shift),
            session_ms: anchor.session_ms,
            server_ms: anchor.server_ms,
            server_position: position(anchor.server_position),
            ..Self::new(max_fill_ms, max_overlap_ms)
        }
    }

    /// What a later run needs to go on from here; take it before `fragment`'s first block.
    pub fn anchor(&self, fragment: FragmentNumber) -> Anchor {
        Anchor {
            fragment,
            next: self.next,
            fraction: self.fraction,
            origin_ms: self.origin_ms,
            shift: self.shift,
            session_ms: self.session_ms,
            server_ms: self.server_ms,
            server_position: self.server_position,
            label: None,
        }
    }

    /// Position of the next sample; negative while pre-skip is still to come.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Producer clock at position 0, ms since the epoch, once the first block set it.
    pub fn origin_ms(&self) -> Option<i64> {
        self.origin_ms
    }

    /// A document begins, with KVS's SERVER_TIMESTAMP in ms if it has one.
    pub fn begin_fragment(&mut self, server_ms: Option<i64>) {
        self.fragment = FragmentClock::new(server_ms);
    }

    /// A Cluster of the document begins, in ticks of `scale` nanoseconds; `time` is the producer's clock there.
    pub fn begin_cluster(&mut self, time: MediaTime, scale: u64) {
        let tick = MediaTime::from_ticks(1, scale).samples_since(0);
        // A tick of a millisecond or less is what the tolerance is made for; of a longer one it is rounding, to
        // either side, and the producer's timestamp beside it is rounded once more.
        let rounding = tick.saturating_add(i64::from(SAMPLES_PER_MS));
        self.fragment.tolerance = TOLERANCE.max(rounding);
        self.fragment.start.get_or_insert(time);
        self.fragment.head = true;
    }

    /// Names the producer session that the fragment belongs to (its clock minus the Matroska timecode,
    /// ms): a change means that the producer started anew, or that its timecodes say nothing.
    pub fn set_session(&mut self, session_ms: i64) {
        self.fragment.session_ms = Some(session_ms);
    }

    /// The producer session in force, for blocks of fragments that do not say.
    pub fn session_ms(&self) -> Option<i64> {
        self.session_ms
    }
}

#[cfg(test)]
mod tests;
