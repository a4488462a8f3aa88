//! Fragments: their session, start and completion.

use super::super::fragment_history::Arrival;
use super::{ClosingFragment, DocumentState, OpenFragment, Pipeline};
use crate::mkv::AwsTags;
use crate::timeline::MediaTime;
use crate::{Output, ResumePoint, SAMPLES_PER_MS};

impl Pipeline {
    pub(super) fn begin_document(&mut self) {
        if let Some(number) = self.incomplete.take() {
            // The fragment ended without its trailing tags, but no bytes were skipped.
            self.outputs.push(Output::Skipped { bytes: 0, incomplete: Some(number) });
        }
        if self.closing.is_none() {
            self.settle();
        }
        // The tracks of the previous document apply until this one defines its own.
        self.document = DocumentState { track: self.document.track, ..DocumentState::default() };
        self.timeline.begin_fragment(None);
    }

    pub(super) fn begin_fragment(&mut self, tags: &AwsTags) {
        let Some(number) = tags.fragment_number.clone() else { return };
        if let Some(other) = self.foreign(tags) {
            self.document.skipped = true;
            self.document.foreign = true;
            self.selection.skip_document();
            self.counters.foreign_fragments += 1;
            self.outputs.push(Output::FragmentForeign { number, session_id: other });
            return;
        }
        if self.closing.as_ref().is_some_and(|closing| closing.fragment.number == number) {
            self.reopen();
        }
        match self.history.arrival(&number) {
            Arrival::New => {}
            Arrival::Again(before) => {
                self.deferred.discard_open();
                self.timeline = *before;
            }
            Arrival::Repeated => {
                self.document.skipped = true;
                self.selection.skip_document();
                self.counters.repeated_fragments += 1;
                self.outputs.push(Output::FragmentRepeated { number });
                return;
            }
        }
        self.document.fragment = Some(OpenFragment {
            number: number.clone(),
            server_ms: tags.server_ms,
            producer_ms: tags.producer_ms,
            announced: false,
            before: self.timeline.clone(),
        });
        self.timeline.begin_fragment(tags.server_ms);
        self.repeats.begin(&number);
        self.accept_tracks();
        if self.timeline.origin_ms().is_some() {
            self.announce();
        }
    }

    /// Returns the fragment's session if that is another one.
    fn foreign(&self, tags: &AwsTags) -> Option<String> {
        let ours = self.session_id.as_deref()?;
        tags.session_id.as_deref().filter(|theirs| *theirs != ours).map(str::to_owned)
    }

    /// Emits the start of the fragment, once. Its resume point is the timeline before the fragment,
    /// or for the session's first audio the timeline with the origin just set.
    pub(super) fn announce(&mut self) {
        if self.closing.is_some() {
            // Its resume point depends on the placement of the deferred packets before it.
            return;
        }
        let Some(fragment) = &mut self.document.fragment else { return };
        if std::mem::replace(&mut fragment.announced, true) {
            return;
        }
        if fragment.before.origin_ms().is_none() {
            fragment.before = self.timeline.clone();
        }
        self.outputs.push(Output::FragmentStarted {
            number: fragment.number.clone(),
            server_ms: fragment.server_ms,
            producer_ms: fragment.producer_ms,
            resume_point: ResumePoint {
                mime_hint: self.audio.mime_hint(),
                ..fragment.before.resume_point(fragment.number.clone())
            },
        });
    }

    /// The time of the first Cluster equals PRODUCER_TIMESTAMP; their difference identifies the
    /// producer session. Recorded files have no PRODUCER_TIMESTAMP: their time counts from 0.
    pub(super) fn begin_cluster(&mut self, ticks: i64, scale: u64) {
        if self.document.skipped {
            return;
        }
        self.accept_tracks();
        let session_ms = match self.document.session_ms {
            Some(known) => known,
            None => self.begin_first_cluster(ticks, scale),
        };
        let time = MediaTime::from_ms(session_ms).plus(MediaTime::from_ticks(ticks, scale));
        self.timeline.begin_cluster(time, scale);
    }

    fn begin_first_cluster(&mut self, ticks: i64, scale: u64) -> i64 {
        let producer_ms = self.document.fragment.as_ref().and_then(|fragment| fragment.producer_ms);
        let session_ms = match producer_ms {
            Some(producer_ms) => {
                let session_ms =
                    producer_ms.saturating_sub(MediaTime::from_ticks(ticks, scale).to_ms());
                self.timeline.set_session(session_ms);
                session_ms
            }
            None => self.timeline.session_ms().unwrap_or(0),
        };
        self.document.session_ms = Some(session_ms);
        session_ms
    }

    /// Emits the completion of the fragment whose last deferred packet was placed, and the start of
    /// the next one.
    pub(super) fn close(&mut self) {
        let Some(closing) = self.closing.take() else { return };
        self.deferred.clear_ended();
        let ClosingFragment { fragment, continuation_token, millis_behind_now, first, audio } =
            closing;
        self.history.completed(&fragment.number, &fragment.before);
        self.counters.fragments += 1;
        let covered = first.map_or(0, |first| self.timeline.next() - first);
        self.outputs.push(Output::FragmentCompleted {
            number: fragment.number,
            continuation_token,
            millis_behind_now,
            duration_ms: covered.max(0).unsigned_abs() / u64::from(SAMPLES_PER_MS),
            audio,
        });
        if let Some(open) = &mut self.document.fragment {
            open.before = self.timeline.clone();
        }
        if self.timeline.origin_ms().is_some() {
            self.announce();
        }
    }

    /// Records that audio of the current fragment is placed, or of the one before it that `ended`.
    pub(super) fn reach(&mut self, ended: bool) {
        let closing = self.closing.as_ref().filter(|_| ended).map(|closing| &closing.fragment);
        if let Some(fragment) = closing.or(self.document.fragment.as_ref()) {
            self.history.reached(&fragment.number, &fragment.before);
        }
    }

    pub(super) fn end_document(&mut self, complete: bool) {
        if complete && !self.document.skipped {
            // Tracks of a document without a Cluster apply to the documents after it.
            self.accept_tracks();
        }
        self.selection.begin_document();
        let track = self.document.track;
        let document = std::mem::replace(
            &mut self.document,
            DocumentState { track, ..DocumentState::default() },
        );
        if document.skipped {
            return;
        }
        match document.fragment {
            Some(fragment) => {
                // The fragment is sent again, including its deferred packets.
                self.deferred.discard_open();
                self.counters.incomplete_fragments += 1;
                self.incomplete = Some(fragment.number);
            }
            None if document.completed => {}
            None => self.counters.fragments += u64::from(complete),
        }
    }
}
