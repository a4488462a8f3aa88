//! Which track's blocks the parser hands out, and by whose Tracks.
//!
//! A document's Tracks are only a plan until the document is known to be this stream's and new:
//! those of a fragment that is passed over must not change a thing. And until a document says its
//! own Tracks, those of the document before hold, for as long as its blocks agree with them.

use super::audio::Plan;
use crate::mkv::Selected;

/// Damaged packets in a document before its own Tracks, after which those of the document before
/// are no longer believed of it: its track numbers may be another's.
const MAX_DOUBTS: u32 = 3;

/// The selection in force, and that of the current document.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The track whose blocks are taken.
    track: Option<Selected>,
    plan: Option<Plan>,
    accepted: bool,
    /// Nothing of the document is wanted.
    passed_over: bool,
    /// The document said its own Tracks.
    has_tracks: bool,
    doubts: u32,
    /// What the parser has to be told.
    news: Option<Option<Selected>>,
}

impl Selection {
    /// A document begins, after one of which nothing more is wanted.
    pub(super) fn begin_document(&mut self) {
        // What a document that was passed over planned is over with it.
        let over = self.passed_over || self.plan.is_some();
        let news = if over { Some(self.track) } else { self.news };
        *self = Self { track: self.track, news, ..Self::default() };
    }

    /// The document said its Tracks; returns them when they may be taken at once.
    pub(super) fn plan(&mut self, plan: Plan) -> Option<Plan> {
        self.has_tracks = true;
        self.news = Some(plan.selected().filter(|_| !self.passed_over));
        self.plan = Some(plan);
        self.plan.take_if(|_| self.accepted)
    }

    /// Nothing of the document is wanted: its blocks pass by uncopied.
    pub(super) fn pass_over(&mut self) {
        self.passed_over = true;
        self.news = Some(None);
    }

    /// The document's audio is to be taken; returns its Tracks where they wait for that.
    pub(super) fn accept(&mut self) -> Option<Plan> {
        self.accepted = true;
        self.plan.take()
    }

    /// Blocks of this track are taken from now on.
    pub(super) fn set(&mut self, track: Option<Selected>) {
        if self.track != track || self.news.is_some() {
            self.news = Some(track);
        }
        self.track = track;
    }

    /// Whether a block of this track is to be decoded.
    pub(super) fn takes(&self, track: u64) -> bool {
        self.track.is_some_and(|selected| selected.number == track)
    }

    /// A packet was damaged; `true` when that is one too many to believe that the track is the one
    /// it was.
    pub(super) fn doubt(&mut self) -> bool {
        if self.has_tracks || self.track.is_none() {
            return false;
        }
        self.doubts += 1;
        let lost = self.is_given_up();
        if lost {
            self.set(None);
        }
        lost
    }

    /// Whether the Tracks of the document before were given up for this one, which was said.
    pub(super) fn is_given_up(&self) -> bool {
        self.doubts >= MAX_DOUBTS
    }

    /// What the parser has to be told now.
    pub(super) fn news(&mut self) -> Option<Option<Selected>> {
        self.news.take()
    }

    /// The body is over, and with it what the parser was told.
    pub(super) fn finish(&mut self) {
        *self = Self::default();
    }
}
