//! Fragments: whose they are, where they begin, and when they are whole.

use super::super::progress::Arrival;
use super::{Assembly, Closing, Document, Fragment};
use crate::mkv::AwsTags;
use crate::timeline::MediaTime;
use crate::{Anchor, Output, SAMPLES_PER_MS};

impl Assembly {
    pub(super) fn begin_document(&mut self) {
        if let Some(number) = self.incomplete.take() {
            // No byte was damaged, yet the fragment ended without its trailing tags.
            self.emission.say(Output::Skipped { bytes: 0, incomplete: Some(number) });
        }
        if self.closing.is_none() {
            self.settle();
        }
        // Until the document says its own tracks, those of the document before hold.
        self.document = Document { track: self.document.track, ..Document::default() };
        self.timeline.begin_fragment(None);
    }

    pub(super) fn begin_fragment(&mut self, tags: &AwsTags) {
        let Some(number) = tags.fragment_number.clone() else { return };
        if let Some(other) = self.foreign(tags) {
            self.document.passed_over = true;
            self.document.foreign = true;
            self.selection.pass_over();
            self.counters.foreign_fragments += 1;
            self.emission.say(Output::FragmentForeign { number, session_id: other });
            return;
        }
        if self.closing.as_ref().is_some_and(|closing| closing.fragment.number == number) {
            self.reopen();
        }
        match self.progress.arrival(&number) {
            Arrival::New => {}
            Arrival::Again(before) => {
                self.deferred.forget_open();
                self.timeline = *before;
            }
            Arrival::Repeated => {
                self.document.passed_over = true;
                self.selection.pass_over();
                self.counters.repeated_fragments += 1;
                self.emission.say(Output::FragmentRepeated { number });
                return;
            }
        }
        self.document.fragment = Some(Fragment {
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

    /// The other session that the fragment names, if it does.
    fn foreign(&self, tags: &AwsTags) -> Option<String> {
        let ours = self.session_id.as_deref()?;
        tags.session_id.as_deref().filter(|theirs| *theirs != ours).map(str::to_owned)
    }

    /// Says that the fragment began, once; the anchor is the timeline from before it, or for the
    /// session's first audio the timeline with its origin just set.
    pub(super) fn announce(&mut self) {
        if self.closing.is_some() {
            // Its anchor depends on where the packets before it go.
            return;
        }
        let Some(fragment) = &mut self.document.fragment else { return };
        if std::mem::replace(&mut fragment.announced, true) {
            return;
        }
        if fragment.before.origin_ms().is_none() {
            fragment.before = self.timeline.clone();
        }
        self.emission.say(Output::FragmentStarted {
            number: fragment.number.clone(),
            server_ms: fragment.server_ms,
            producer_ms: fragment.producer_ms,
            anchor: Anchor {
                label: self.audio.label(),
                ..fragment.before.anchor(fragment.number.clone())
            },
        });
    }

    /// The first Cluster's time is that of PRODUCER_TIMESTAMP, which makes the difference of both
    /// the producer session. Recorded files have none: their time is counted from 0.
    pub(super) fn begin_cluster(&mut self, ticks: i64, scale: u64) {
        if self.document.passed_over {
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

    /// Says that the fragment whose last packet was placed is whole, and that the one behind it
    /// began.
    pub(super) fn close(&mut self) {
        let Some(closing) = self.closing.take() else { return };
        self.deferred.leave_ended();
        let Closing { fragment, continuation_token, millis_behind_now, first, audio } = closing;
        self.progress.completed(&fragment.number, &fragment.before);
        self.counters.fragments += 1;
        let covered = first.map_or(0, |first| self.timeline.next() - first);
        self.emission.say(Output::FragmentCompleted {
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

    /// Audio of the current fragment is placed, or of the one before it that `ended`.
    pub(super) fn reach(&mut self, ended: bool) {
        let closing = self.closing.as_ref().filter(|_| ended).map(|closing| &closing.fragment);
        if let Some(fragment) = closing.or(self.document.fragment.as_ref()) {
            self.progress.reached(&fragment.number, &fragment.before);
        }
    }

    pub(super) fn end_document(&mut self, complete: bool) {
        if complete && !self.document.passed_over {
            // Tracks without a Cluster hold for the documents that follow.
            self.accept_tracks();
        }
        self.selection.begin_document();
        let track = self.document.track;
        let document =
            std::mem::replace(&mut self.document, Document { track, ..Document::default() });
        if document.passed_over {
            return;
        }
        match document.fragment {
            Some(fragment) => {
                // It comes again, and what waits of it.
                self.deferred.forget_open();
                self.counters.incomplete_fragments += 1;
                self.incomplete = Some(fragment.number);
            }
            None if document.completed => {}
            None => self.counters.fragments += u64::from(complete),
        }
    }
}
