//! The tracks of the current document.

use super::super::limits;
use super::super::track::{Track, TrackKind};

/// The entries of the Tracks element; allocations are reused from document to document, because
/// KVS repeats the tracks in every fragment.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    /// Those listed, then one that is being read beyond the most that are kept.
    entries: Vec<Track>,
    listed: usize,
    /// The TrackEntry that is read, or was last.
    current: Option<usize>,
    /// There were more than are kept.
    overflow: bool,
}

impl Tracks {
    /// Returns the tracks, as far as they are known.
    pub(super) fn listed(&self) -> &[Track] {
        &self.entries[..self.listed]
    }

    /// Returns the listed track with this number.
    pub(super) fn by_number(&self, number: u64) -> Option<&Track> {
        self.listed().iter().find(|track| track.number == number)
    }

    /// Returns whether `number` contradicts the list: all tracks are known, and it is not among
    /// them.
    pub(super) fn excludes(&self, number: u64) -> bool {
        self.listed > 0 && !self.overflow && self.by_number(number).is_none()
    }

    /// Returns the TrackEntry that is being read.
    pub(super) fn current(&mut self) -> Option<&mut Track> {
        self.entries.get_mut(self.current?)
    }

    /// Begins a list.
    pub(super) fn begin(&mut self) {
        (self.listed, self.overflow) = (0, false);
    }

    /// Begins a TrackEntry. One too many is read beside the others.
    pub(super) fn begin_entry(&mut self) {
        match self.entries.get_mut(self.listed) {
            Some(track) => track.clear(),
            None => self.entries.push(Track::default()),
        }
        self.current = Some(self.listed);
        if self.listed < limits::MAX_TRACKS {
            self.listed += 1;
        }
    }

    /// Ends a TrackEntry. If there are too many, audio replaces what is not audio.
    pub(super) fn end_entry(&mut self) {
        if let Some(track) = self.current() {
            track.guess_kind();
        }
        if self.current != Some(limits::MAX_TRACKS) {
            return;
        }
        self.overflow = true;
        let is_audio = |track: &Track| track.kind == TrackKind::Audio;
        let other = self.listed().iter().rposition(|track| !is_audio(track));
        if let (Some(other), true) = (other, self.entries.last().is_some_and(is_audio)) {
            self.entries.swap(other, limits::MAX_TRACKS);
        }
    }

    /// Forgets everything but the allocations.
    pub(super) fn clear(&mut self) {
        (self.listed, self.current, self.overflow) = (0, None, false);
    }
}
