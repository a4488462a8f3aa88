//! The selected track.
//!
//! A document's Tracks are a plan until the document is known to be new and of this session: the
//! Tracks of a skipped fragment must have no effect. Until a document defines its own Tracks, those
//! of the document before apply, unless several of its packets are damaged.

use super::audio::TrackPlan;
use crate::mkv::Selected;

/// Damaged packets in a document before its own Tracks after which the previous Tracks are
/// discarded: the track number may refer to another track.
const MAX_DAMAGED: u32 = 3;

/// The current selection, and the plan of the current document.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The track whose blocks are decoded.
    track: Option<Selected>,
    plan: Option<TrackPlan>,
    accepted: bool,
    /// The document is skipped.
    skipped: bool,
    /// The document has defined its own Tracks.
    has_tracks: bool,
    /// Damaged packets before the document's own Tracks.
    damaged: u32,
    /// Selection that the parser does not have yet.
    change: Option<Option<Selected>>,
}

impl Selection {
    /// Starts a document.
    pub(super) fn begin_document(&mut self) {
        // The plan of a skipped document is discarded with it.
        let discarded = self.skipped || self.plan.is_some();
        let change = if discarded { Some(self.track) } else { self.change };
        *self = Self { track: self.track, change, ..Self::default() };
    }

    /// Stores the Tracks of the document. Returns them if the document is accepted already.
    pub(super) fn plan(&mut self, plan: TrackPlan) -> Option<TrackPlan> {
        self.has_tracks = true;
        self.change = Some(plan.selected().filter(|_| !self.skipped));
        self.plan = Some(plan);
        self.plan.take_if(|_| self.accepted)
    }

    /// Skips the document: the parser then does not copy its blocks.
    pub(super) fn skip_document(&mut self) {
        self.skipped = true;
        self.change = Some(None);
    }

    /// Accepts the document. Returns its Tracks if they were stored before.
    pub(super) fn accept(&mut self) -> Option<TrackPlan> {
        self.accepted = true;
        self.plan.take()
    }

    /// Selects a track, or none.
    pub(super) fn set(&mut self, track: Option<Selected>) {
        if self.track != track || self.change.is_some() {
            self.change = Some(track);
        }
        self.track = track;
    }

    /// Whether blocks of this track are decoded.
    pub(super) fn takes(&self, track: u64) -> bool {
        self.track.is_some_and(|selected| selected.number == track)
    }

    /// Counts a damaged packet. Returns `true` when the previous document's Tracks are discarded.
    pub(super) fn count_damage(&mut self) -> bool {
        if self.has_tracks || self.track.is_none() {
            return false;
        }
        self.damaged += 1;
        let discarded = self.is_discarded();
        if discarded {
            self.set(None);
        }
        discarded
    }

    /// Whether the previous document's Tracks were discarded for this document.
    pub(super) fn is_discarded(&self) -> bool {
        self.damaged >= MAX_DAMAGED
    }

    /// Returns the selection that the parser does not have yet.
    pub(super) fn take_change(&mut self) -> Option<Option<Selected>> {
        self.change.take()
    }

    /// Ends the body, which resets the parser's selection.
    pub(super) fn finish(&mut self) {
        *self = Self::default();
    }
}
