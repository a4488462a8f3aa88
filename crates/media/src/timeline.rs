//! Positions of samples in the session. The count of decoded samples takes precedence over time
//! stamps.
//!
//! A block's *expected* position is the end of the block before it. Its *stamped* position is its
//! stamp by the producer's clock, minus CodecDelay and the session's origin, plus `clock_offset`.
//! The difference between the two is the block's *lateness*.
//!
//! | stamp of the block | placement |
//! |---|---|
//! | does not indicate lost time ([`evidence`]) | contiguous: at the expected position |
//! | late, as are the blocks of the next 120 ms of media | time was lost before the block |
//! | late for half a second of blocks, not detected before | time is lost from here on |
//! | more than [`FAR`] early at the start of a Cluster, as are the next 120 ms | re-anchored |
//! | early otherwise | contiguous; the range of lateness changes |
//!
//! Lost time is filled by the decoder up to `max_fill` and skipped beyond. A damaged packet is lost
//! time of its own length. So a clock that drifts, jitters or has wrong steps changes the average
//! lateness ([`Timeline::drift_ms`]), but no position.
//!
//! `clock_offset` changes only at the start of a Cluster whose stamped position differs from the
//! expected one by more than [`CONTINUITY_MS`], and only if SERVER_TIMESTAMP contradicts the
//! producer's clock: by [`AGREEMENT_MS`] for a new producer session, by [`BACKLOG_MS`] for the same
//! one. It is then set to 0 if the clock agrees with the one at the session's start, else to the
//! value that the server's clock gives. A document without AWS times whose clock goes back is
//! contiguous.
//!
//! Sample 0 is the first after pre-skip, so the first block starts at `−pre-skip`. All arithmetic
//! is in integers: the same bytes from the same [`ResumePoint`] give the same positions on every
//! machine.

pub mod evidence;
pub use evidence::{DeferredStamp, FAR, Missing, Verdict};

mod placement;
pub use placement::Placement;

mod reanchor;
use reanchor::FragmentClock;
pub use reanchor::{AGREEMENT_MS, BACKLOG_MS, CONTINUITY_MS, SERVER_JITTER_MS};

mod stamps;
pub(crate) use stamps::Stamps;

mod time;
pub(crate) use time::SAMPLE_NANOS;
pub use time::{Length, MediaTime};

use crate::{FragmentNumber, ResumePoint, SAMPLES_PER_MS};

/// Tolerance between a block's stamped and expected position, in samples: 160 (10 ms).
pub const TOLERANCE: i64 = 160;

/// Longest jump forward that is accepted, in samples: 24 h, the longest duration of a session. A
/// longer one is a clock error.
pub const MAX_GAP: i64 = 24 * 3600 * 1000 * SAMPLES_PER_MS as i64;

/// The sample clock of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    max_fill: i64,
    origin_ms: Option<i64>,
    next: i64,
    /// Part of the last block after `next`, in 1/rate of a sample: 1024 samples at 48 kHz are 341
    /// and a third.
    fraction: u32,
    /// Samples lost after `next` by damaged packets.
    lost: i64,
    /// Samples that re-anchoring has added to the producer's clock.
    clock_offset: i64,
    stamps: Stamps,
    /// Producer session of the last placed block; a fragment without audio does not change it.
    session_ms: Option<i64>,
    server_ms: Option<i64>,
    server_position: i64,
    fragment: FragmentClock,
}

impl Timeline {
    /// Creates a timeline that fills up to `max_fill_ms` of lost time.
    pub fn new(max_fill_ms: u32) -> Self {
        Self {
            max_fill: i64::from(max_fill_ms) * i64::from(SAMPLES_PER_MS),
            origin_ms: None,
            next: 0,
            fraction: 0,
            lost: 0,
            clock_offset: 0,
            stamps: Stamps::default(),
            session_ms: None,
            server_ms: None,
            server_position: 0,
            fragment: FragmentClock::new(None),
        }
    }

    /// Restores the timeline from the time of [`Timeline::resume_point`].
    pub fn from_resume_point(point: &ResumePoint, max_fill_ms: u32) -> Self {
        // A resume point is external input: the limit prevents overflows.
        let position = |samples: i64| samples.clamp(-(1 << 60), 1 << 60);
        Self {
            origin_ms: point.origin_ms,
            next: position(point.next),
            fraction: point.fraction,
            lost: point.lost.clamp(0, MAX_GAP),
            clock_offset: position(point.clock_offset),
            stamps: Stamps::from_numbers(&point.stamps).unwrap_or_default(),
            session_ms: point.session_ms,
            server_ms: point.server_ms,
            server_position: position(point.server_position),
            ..Self::new(max_fill_ms)
        }
    }

    /// Returns the state for a later run that resumes here. Must be called before the first block
    /// of
    /// `fragment`.
    pub fn resume_point(&self, fragment: FragmentNumber) -> ResumePoint {
        ResumePoint {
            fragment,
            next: self.next,
            fraction: self.fraction,
            lost: self.lost,
            origin_ms: self.origin_ms,
            clock_offset: self.clock_offset,
            stamps: self.stamps.numbers(),
            session_ms: self.session_ms,
            server_ms: self.server_ms,
            server_position: self.server_position,
            mime_hint: None,
        }
    }

    /// Returns the position of the next sample; negative during pre-skip.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Returns the samples lost after [`Timeline::next`] by damaged packets.
    pub fn lost(&self) -> i64 {
        self.lost
    }

    /// Returns the producer's clock at position 0, ms since the epoch; `None` before the first
    /// block.
    pub fn origin_ms(&self) -> Option<i64> {
        self.origin_ms
    }

    /// Returns the average lateness of the last blocks, ms. It grows while the producer's clock
    /// runs faster than its samples.
    pub fn drift_ms(&self) -> i64 {
        self.stamps.average().div_euclid(i64::from(SAMPLES_PER_MS))
    }

    /// Returns the producer's clock at `position`, without jitter; the origin is 0 before the first
    /// block.
    pub fn clock_at(&self, position: i64) -> MediaTime {
        let samples =
            position.saturating_sub(self.clock_offset).saturating_add(self.stamps.average());
        MediaTime::from_ms(self.origin_ms.unwrap_or(0)).plus_samples(samples)
    }

    /// Discards the lateness of the blocks since `before`: their fragment declares more audio than
    /// it can contain.
    pub fn forget_stamps_since(&mut self, before: &Self) {
        self.stamps = before.stamps;
    }

    /// Starts a document; `server_ms` is its SERVER_TIMESTAMP in ms, if it has one.
    pub fn begin_fragment(&mut self, server_ms: Option<i64>) {
        self.fragment = FragmentClock::new(server_ms);
    }

    /// Starts a Cluster at the producer's clock `time`, with ticks of `scale` nanoseconds.
    pub fn begin_cluster(&mut self, time: MediaTime, scale: u64) {
        let tick = MediaTime::from_ticks(1, scale).samples_since(0);
        // The tolerance covers ticks up to a millisecond. A longer tick rounds the stamp by up to a
        // tick, and PRODUCER_TIMESTAMP by another millisecond.
        let rounding = tick.saturating_add(i64::from(SAMPLES_PER_MS));
        self.fragment.tolerance = TOLERANCE.max(rounding);
        self.fragment.start.get_or_insert(time);
        self.fragment.head = true;
    }

    /// Sets the producer session of the fragment: its clock minus the Matroska timecode, ms. It
    /// changes if the producer restarted or its timecodes are constant.
    pub fn set_session(&mut self, session_ms: i64) {
        self.fragment.session_ms = Some(session_ms);
    }

    /// Returns the producer session of the last placed block, for fragments without one.
    pub fn session_ms(&self) -> Option<i64> {
        self.session_ms
    }
}

#[cfg(test)]
mod tests;
