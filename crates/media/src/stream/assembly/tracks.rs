//! A document's Tracks, from when they are said to when they are believed, and no longer.

use super::super::audio::{Choice, Plan};
use super::super::failing::Failing;
use super::{Assembly, track_bit};
use crate::Output;
use crate::mkv::Track;
use crate::timeline::Length;

impl Assembly {
    pub(super) fn plan_tracks(&mut self, tracks: &[Track], mime_type: Option<&str>) {
        let plan = self.audio.plan(tracks, mime_type);
        let plan = self.selection.plan(plan);
        self.take_tracks(plan);
    }

    /// The document is this stream's, and so are its Tracks.
    pub(super) fn accept_tracks(&mut self) {
        let plan = self.selection.accept();
        self.take_tracks(plan);
    }

    fn take_tracks(&mut self, plan: Option<Plan>) {
        let Some(plan) = plan else { return };
        if !self.audio.keeps_decoder(&plan) {
            // What waits is in the codec from before.
            self.settle();
            self.failing = Failing::default();
        }
        let number = match self.audio.take(plan) {
            Choice::Track(timing, reduced) => {
                self.document.track = timing;
                if let Some((codec_id, reason)) = reduced {
                    self.counters.reduced_codecs += 1;
                    self.emission.say(Output::ReducedCodec { codec_id, reason });
                }
                if std::mem::take(&mut self.document.untold) & track_bit(timing.selected.number)
                    != 0
                {
                    let codec_id = self.audio.codec_id().unwrap_or_default().to_owned();
                    self.refuse(codec_id, "its Tracks came behind its blocks");
                }
                Some(timing.selected)
            }
            Choice::Refused(said) => {
                if let Some((codec_id, reason)) = said {
                    self.refuse(codec_id, reason);
                }
                None
            }
            Choice::None => None,
        };
        self.selection.set(number);
    }

    pub(super) fn refuse(&mut self, codec_id: String, reason: &'static str) {
        self.counters.unsupported_codecs += 1;
        self.emission.say(Output::UnsupportedCodec { codec_id, reason });
    }

    /// A packet was damaged, or none of its codec.
    pub(super) fn note_damage(&mut self, data: &[u8], length: Option<Length>) {
        self.counters.decode_errors += 1;
        if self.selection.doubt() {
            let codec_id = self.audio.codec_id().unwrap_or_default().to_owned();
            self.refuse(
                codec_id,
                "its track may be another's: blocks before their Tracks are damaged",
            );
        }
        let suspicion = self.audio.decoder().map(|decoder| decoder.diagnose(data));
        self.suspicion = suspicion.unwrap_or(self.suspicion);
        if self.failing.failed(length) {
            self.refuse_failing();
        }
    }

    /// Packet after packet failed: says what they look like.
    pub(super) fn refuse_failing(&mut self) {
        let codec_id = self.audio.codec_id().unwrap_or_default().to_owned();
        self.refuse(codec_id, self.suspicion);
    }
}
