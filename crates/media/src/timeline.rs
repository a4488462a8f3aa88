//! Where in the session a block's samples stand: decoded audio is evidence, a time stamp is a
//! claim.
//!
//! Positions count samples: a block follows the block before it. The producer's clock, less
//! CodecDelay and the session's origin, plus `shift`, gives the position that a block's stamp
//! claims. The difference to where the block before ends is its *lateness*.
//!
//! | the block's stamp | what happens |
//! |---|---|
//! | does not say that time is missing ([`evidence`]) | the block goes in line: no sample is cut |
//! | late, and so are the blocks of the next 120 ms of media | the time before it is missing |
//! | late for half a second of blocks that were not recognised in time | the time is missing now |
//! | more than [`FAR`] early, at the beginning of a Cluster, as are the next 120 ms | re-anchored |
//! | early otherwise | the block goes in line, and lateness has a new range |
//!
//! Missing time is filled (by the decoder) up to `max_fill` and skipped beyond. A damaged packet
//! leaves missing time of its own length. So a clock that drifts, jitters or steps wrong moves the
//! average lateness ([`Timeline::drift_ms`]) and no sample.
//!
//! `shift` changes only at the beginning of a Cluster whose stamp is further than [`CONTINUITY_MS`]
//! from the line, and only if SERVER_TIMESTAMP contradicts the producer's clock: by
//! [`AGREEMENT_MS`] for a new producer session, by [`BACKLOG_MS`] for the same. It then becomes 0
//! again, if the clock of the session's beginning is back, and else what the server's clock gives.
//! A document without AWS's times whose clock goes back goes on in line at once.
//!
//! Sample 0 is the first after pre-skip, so the first block starts at `−pre-skip`. Everything
//! here is integer arithmetic on what the stream says: the same bytes from the same [`Anchor`]
//! give the same positions on any machine.

pub mod evidence;
pub use evidence::{FAR, Missing, Verdict, Waiting};

mod place;
pub use place::Placement;

mod reanchor;
use reanchor::FragmentClock;
pub use reanchor::{AGREEMENT_MS, BACKLOG_MS, CONTINUITY_MS, SERVER_JITTER_MS};

mod stamps;
pub(crate) use stamps::Stamps;

mod time;
pub(crate) use time::SAMPLE_NANOS;
pub use time::{Length, MediaTime};

use crate::{Anchor, FragmentNumber, SAMPLES_PER_MS};

/// How far a block's stamp may be from the sample count without meaning anything: 160 samples (10
/// ms).
pub const TOLERANCE: i64 = 160;

/// Longest jump forward that is believed, in samples: 24 h, the longest a session lasts. A longer
/// one is a broken clock.
pub const MAX_GAP: i64 = 24 * 3600 * 1000 * SAMPLES_PER_MS as i64;

/// The sample clock of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    max_fill: i64,
    origin_ms: Option<i64>,
    next: i64,
    /// How far the last block reached beyond `next`, in 1/rate of a sample: 1024 samples at 48 kHz
    /// are 341 and a third.
    fraction: u32,
    /// Samples after `next` that damaged packets left missing.
    lost: i64,
    shift: i64,
    stamps: Stamps,
    /// That of the last block placed: a fragment without audio changes nothing.
    session_ms: Option<i64>,
    server_ms: Option<i64>,
    server_position: i64,
    fragment: FragmentClock,
}

impl Timeline {
    /// A timeline before its first block, which fills up to `max_fill_ms` of missing time.
    pub fn new(max_fill_ms: u32) -> Self {
        Self {
            max_fill: i64::from(max_fill_ms) * i64::from(SAMPLES_PER_MS),
            origin_ms: None,
            next: 0,
            fraction: 0,
            lost: 0,
            shift: 0,
            stamps: Stamps::default(),
            session_ms: None,
            server_ms: None,
            server_position: 0,
            fragment: FragmentClock::new(None),
        }
    }

    /// The timeline as it was when [`Timeline::anchor`] was taken.
    pub fn from_anchor(anchor: &Anchor, max_fill_ms: u32) -> Self {
        // An anchor may come from outside: positions beyond this would only overflow.
        let position = |samples: i64| samples.clamp(-(1 << 60), 1 << 60);
        Self {
            origin_ms: anchor.origin_ms,
            next: position(anchor.next),
            fraction: anchor.fraction,
            lost: anchor.lost.clamp(0, MAX_GAP),
            shift: position(anchor.shift),
            stamps: Stamps::from_numbers(&anchor.stamps).unwrap_or_default(),
            session_ms: anchor.session_ms,
            server_ms: anchor.server_ms,
            server_position: position(anchor.server_position),
            ..Self::new(max_fill_ms)
        }
    }

    /// What a later run needs to go on from here; take it before `fragment`'s first block.
    pub fn anchor(&self, fragment: FragmentNumber) -> Anchor {
        Anchor {
            fragment,
            next: self.next,
            fraction: self.fraction,
            lost: self.lost,
            origin_ms: self.origin_ms,
            shift: self.shift,
            stamps: self.stamps.numbers(),
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

    /// Samples after [`Timeline::next`] that damaged packets left missing.
    pub fn lost(&self) -> i64 {
        self.lost
    }

    /// Producer clock at position 0, ms since the epoch, once the first block set it.
    pub fn origin_ms(&self) -> Option<i64> {
        self.origin_ms
    }

    /// How much later stamps stand than the samples, on the average of the last blocks, ms: it
    /// grows while the producer's clock runs faster than its samples.
    pub fn drift_ms(&self) -> i64 {
        self.stamps.average().div_euclid(i64::from(SAMPLES_PER_MS))
    }

    /// Producer clock at `position`, jitter smoothed; the origin's time is 0 before the first
    /// block.
    pub fn clock_at(&self, position: i64) -> MediaTime {
        let samples = position.saturating_sub(self.shift).saturating_add(self.stamps.average());
        MediaTime::from_ms(self.origin_ms.unwrap_or(0)).plus_samples(samples)
    }

    /// The stamps since `before` say nothing about those to come: their fragment claims more audio
    /// than it can hold.
    pub fn forget_stamps_since(&mut self, before: &Self) {
        self.stamps = before.stamps;
    }

    /// A document begins, with KVS's SERVER_TIMESTAMP in ms if it has one.
    pub fn begin_fragment(&mut self, server_ms: Option<i64>) {
        self.fragment = FragmentClock::new(server_ms);
    }

    /// A Cluster of the document begins, in ticks of `scale` nanoseconds; `time` is the producer's
    /// clock there.
    pub fn begin_cluster(&mut self, time: MediaTime, scale: u64) {
        let tick = MediaTime::from_ticks(1, scale).samples_since(0);
        // A tick of a millisecond or less is what the tolerance is made for; of a longer one it is
        // rounding, to either side, and the producer's timestamp beside it is rounded once more.
        let rounding = tick.saturating_add(i64::from(SAMPLES_PER_MS));
        self.fragment.tolerance = TOLERANCE.max(rounding);
        self.fragment.start.get_or_insert(time);
        self.fragment.head = true;
    }

    /// Names the producer session that the fragment belongs to (its clock minus the Matroska
    /// timecode, ms): a change means that the producer started anew, or that its timecodes say
    /// nothing.
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
