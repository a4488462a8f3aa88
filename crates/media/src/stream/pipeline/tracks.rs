//! A document's Tracks: planned when they are parsed, applied when the document is accepted.

use super::super::audio::{TrackChoice, TrackPlan};
use super::super::decode_failures::DecodeFailures;
use super::{Pipeline, track_bit};
use crate::Output;
use crate::mkv::Track;
use crate::timeline::Length;

impl Pipeline {
    pub(super) fn plan_tracks(&mut self, tracks: &[Track], mime_type: Option<&str>) {
        let plan = self.audio.plan(tracks, mime_type);
        let plan = self.selection.plan(plan);
        self.take_tracks(plan);
    }

    /// Applies the Tracks once the document is known to be new and of this session.
    pub(super) fn accept_tracks(&mut self) {
        let plan = self.selection.accept();
        self.take_tracks(plan);
    }

    fn take_tracks(&mut self, plan: Option<TrackPlan>) {
        let Some(plan) = plan else { return };
        if !self.audio.keeps_decoder(&plan) {
            // Deferred packets belong to the previous codec.
            self.settle();
            self.failures = DecodeFailures::default();
        }
        let number = match self.audio.take(plan) {
            TrackChoice::Track(timing, reduced) => {
                self.document.track = timing;
                if let Some((codec_id, reason)) = reduced {
                    self.counters.reduced_codecs += 1;
                    self.outputs.push(Output::ReducedCodec { codec_id, reason });
                }
                if std::mem::take(&mut self.document.undefined_tracks)
                    & track_bit(timing.selected.number)
                    != 0
                {
                    let codec_id = self.audio.codec_id().unwrap_or_default().to_owned();
                    self.report_unsupported(codec_id, "blocks preceded their Tracks element");
                }
                Some(timing.selected)
            }
            TrackChoice::Unsupported(report) => {
                if let Some((codec_id, reason)) = report {
                    self.report_unsupported(codec_id, reason);
                }
                None
            }
            TrackChoice::None => None,
        };
        self.selection.set(number);
    }

    pub(super) fn report_unsupported(&mut self, codec_id: String, reason: &'static str) {
        self.counters.unsupported_codecs += 1;
        self.outputs.push(Output::UnsupportedCodec { codec_id, reason });
    }

    /// Counts a packet that is damaged or not of the codec.
    pub(super) fn note_damage(&mut self, data: &[u8], length: Option<Length>) {
        self.counters.decode_errors += 1;
        if self.selection.count_damage() {
            let codec_id = self.audio.codec_id().unwrap_or_default().to_owned();
            self.report_unsupported(
                codec_id,
                "blocks before their Tracks element are damaged; they may be of another track",
            );
        }
        let diagnosis = self.audio.decoder().map(|decoder| decoder.diagnose(data));
        self.diagnosis = diagnosis.unwrap_or(self.diagnosis);
        if self.failures.failed(length) {
            self.report_failures();
        }
    }

    /// Reports the probable reason why many packets in a row could not be decoded.
    pub(super) fn report_failures(&mut self) {
        let codec_id = self.audio.codec_id().unwrap_or_default().to_owned();
        self.report_unsupported(codec_id, self.diagnosis);
    }
}
