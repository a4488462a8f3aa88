//! The decoded audio track and its decoder, which is kept across documents.

use crate::Error;
use crate::codec::{Decoder, Format, Packet, Span};
use crate::mkv::{Selected, Track, TrackKind};
use crate::timeline::Length;

use super::mime_hint::MimeHint;

/// Longest CodecDelay that is accepted, ns (1 s; Opus has 6.5 ms, AAC some 50 ms).
const MAX_CODEC_DELAY: u64 = 1_000_000_000;

/// The decoder and its track.
#[derive(Debug)]
pub(super) struct Audio {
    /// Name of the track that is preferred to others of the same codec.
    preferred: String,
    active: Option<ActiveTrack>,
    /// The last reported CodecID and reason, so that each change is reported once.
    reported: Option<(String, &'static str)>,
    mime_hint: Option<MimeHint>,
}

/// The result of a document's Tracks, which is applied if the document is accepted.
#[derive(Debug)]
pub(super) struct TrackPlan {
    best: Option<(Track, Result<Format, Error>)>,
    mime_hint: Option<MimeHint>,
}

impl TrackPlan {
    /// Returns the track to decode.
    pub(super) fn selected(&self) -> Option<Selected> {
        let (track, format) = self.best.as_ref()?;
        format.as_ref().ok().map(|format| selected(track, *format))
    }
}

#[derive(Debug)]
struct ActiveTrack {
    codec_id: String,
    name: String,
    format: Format,
    decoder: Decoder,
    /// A limitation that the decoder found in the packets was reported.
    decoder_reported: bool,
}

impl ActiveTrack {
    fn is_for(&self, track: &Track, format: Format) -> bool {
        self.format == format && self.name == track.name && self.codec_id == track.codec_id
    }
}

/// The result of applying a document's Tracks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TrackChoice {
    /// This track is decoded. If only partly, the reason to report, unless it was reported before.
    Track(TrackTiming, Option<(String, &'static str)>),
    /// No audio track can be decoded. The reason to report, unless it was reported before.
    Unsupported(Option<(String, &'static str)>),
    /// There is no audio track.
    None,
}

/// Delay and pre-skip of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrackTiming {
    /// The track.
    pub(super) selected: Selected,
    /// Time from a block's first sample to its stamp, ns.
    pub(super) delay: i64,
    /// Samples to drop at the start of the session.
    pub(super) pre_skip: Length,
}

impl Default for TrackTiming {
    fn default() -> Self {
        Self { selected: Selected::any(0), delay: 0, pre_skip: Length::samples(0) }
    }
}

impl Audio {
    /// Prefers the track named `preferred`, and applies the result of [`Audio::mime_hint`].
    pub(super) fn new(preferred: String, mime_hint: Option<&str>) -> Self {
        let mime_hint = mime_hint.and_then(MimeHint::from_text);
        Self { preferred, active: None, reported: None, mime_hint }
    }

    /// Returns the MIME hint in force, which a resumed run needs to detect the same format.
    pub(super) fn mime_hint(&self) -> Option<String> {
        self.mime_hint.as_ref().map(MimeHint::to_text)
    }

    pub(super) fn codec_id(&self) -> Option<&str> {
        self.active.as_ref().map(|active| active.codec_id.as_str())
    }

    pub(super) fn decoder(&self) -> Option<&Decoder> {
        self.active.as_ref().map(|active| &active.decoder)
    }

    pub(super) fn decoder_mut(&mut self) -> Option<&mut Decoder> {
        self.active.as_mut().map(|active| &mut active.decoder)
    }

    /// Whether a new decoder can decode `packet`. Used before lost time is filled in front of a
    /// packet that may be damaged too.
    pub(super) fn can_decode(&self, packet: Packet<'_>) -> bool {
        let format = self.active.as_ref().map(|active| active.format);
        let decoder = format.and_then(|format| Decoder::new(format).ok());
        decoder.is_some_and(|mut decoder| {
            let samples = packet.length().in_samples().unsigned_abs() as usize;
            decoder.decode(packet, Span { samples, fraction: 0 }, &mut Vec::new())
        })
    }

    /// Whether `plan` keeps the current decoder.
    pub(super) fn keeps_decoder(&self, plan: &TrackPlan) -> bool {
        let planned =
            plan.best.as_ref().and_then(|(track, format)| Some((track, format.as_ref().ok()?)));
        planned
            .zip(self.active.as_ref())
            .is_some_and(|((track, format), active)| active.is_for(track, *format))
    }

    /// Returns the delay of the decoder's output, in samples at 16 kHz.
    pub(super) fn latency(&self) -> u32 {
        self.active.as_ref().map_or(0, |active| active.decoder.latency())
    }

    /// Returns the CodecID and a reason found by the decoder, once per decoder.
    pub(super) fn report_from_decoder(
        &mut self,
        reason: &'static str,
    ) -> Option<(String, &'static str)> {
        let active = self.active.as_mut().filter(|active| !active.decoder_reported)?;
        active.decoder_reported = true;
        Some((active.codec_id.clone(), reason))
    }

    /// Selects a track by type, codec and name, independent of number, order and earlier
    /// selections, so that a run that begins at this document selects the same.
    pub(super) fn plan(&self, tracks: &[Track], mime_type: Option<&str>) -> TrackPlan {
        let audio = || tracks.iter().filter(|track| track.kind == TrackKind::Audio);
        let mime_hint = match audio().next() {
            Some(_) => MimeHint::of(tracks, mime_type, self.mime_hint.as_ref()),
            None => self.mime_hint.clone(),
        };
        let mime_type = mime_hint.as_ref().map(MimeHint::mime_type);
        let formats = audio().map(|track| (track, Format::of(track, mime_type)));
        let best = formats.min_by(|(one, ours), (other, theirs)| {
            self.order(one, ours).cmp(&self.order(other, theirs))
        });
        TrackPlan { best: best.map(|(track, format)| (track.clone(), format)), mime_hint }
    }

    /// Applies the plan. The decoder is kept unless track or format changed: a new one would need
    /// time to settle.
    pub(super) fn take(&mut self, plan: TrackPlan) -> TrackChoice {
        self.mime_hint = plan.mime_hint;
        match plan.best {
            Some((track, Ok(format))) => match self.activate(&track, format) {
                Ok(()) => {
                    TrackChoice::Track(timing(&track, format), self.report_partial(&track, format))
                }
                Err(error) => TrackChoice::Unsupported(self.report_error(&track, error)),
            },
            Some((track, Err(error))) => TrackChoice::Unsupported(self.report_error(&track, error)),
            None => TrackChoice::None,
        }
    }

    /// Returns the sort key of a track: decodable first, then codec, the preferred name and the
    /// name; the number only distinguishes otherwise equal tracks.
    fn order<'a>(&self, track: &'a Track, format: &Result<Format, Error>) -> impl Ord + use<'a> {
        let rank = format.as_ref().map_or(u8::MAX, |format| format.rank());
        (rank, track.name != self.preferred, track.name.as_str(), track.number)
    }

    fn activate(&mut self, track: &Track, format: Format) -> Result<(), Error> {
        let kept = self.active.as_ref().is_some_and(|active| active.is_for(track, format));
        if !kept {
            self.active = None;
            self.active = Some(ActiveTrack {
                codec_id: track.codec_id.clone(),
                name: track.name.clone(),
                format,
                decoder: Decoder::new(format)?,
                decoder_reported: false,
            });
        }
        Ok(())
    }

    /// Reports a format that is only partly decoded, once per change.
    fn report_partial(&mut self, track: &Track, format: Format) -> Option<(String, &'static str)> {
        let Some(reason) = format.partly_decoded() else {
            self.reported = None;
            return None;
        };
        self.report(track, reason)
    }

    fn report_error(&mut self, track: &Track, error: Error) -> Option<(String, &'static str)> {
        let reason = match error {
            Error::UnsupportedCodec { reason, .. } => reason,
            _ => "its decoder could not be created",
        };
        self.active = None;
        self.report(track, reason)
    }

    /// Returns the CodecID and `reason`, unless they were reported last.
    fn report(&mut self, track: &Track, reason: &'static str) -> Option<(String, &'static str)> {
        let last = self.reported.as_ref();
        if last.is_some_and(|(codec_id, before)| *codec_id == track.codec_id && *before == reason) {
            return None;
        }
        self.reported = Some((track.codec_id.clone(), reason));
        self.reported.clone()
    }
}

/// Returns the parser's selection for `track`.
fn selected(track: &Track, format: Format) -> Selected {
    Selected { number: track.number, longest_block: format.max_block() }
}

/// Pre-skip is that of the format (OpusHead), else CodecDelay, else 0. If only one of the two is
/// present, it replaces the other.
fn timing(track: &Track, format: Format) -> TrackTiming {
    let rate = format.rate();
    let codec_delay = track.codec_delay.map(|nanos| nanos.min(MAX_CODEC_DELAY));
    let from_delay = (codec_delay.unwrap_or(0) * u64::from(rate) + 500_000_000) / 1_000_000_000;
    // CodecDelay is limited to a second.
    let frames = format.pre_skip().unwrap_or(from_delay as u32);
    let pre_skip = Length { frames, rate };
    let delay = codec_delay.map_or_else(|| pre_skip.nanos(), |nanos| nanos as i64);
    TrackTiming { selected: selected(track, format), delay, pre_skip }
}

#[cfg(test)]
mod tests;
