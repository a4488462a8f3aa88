//! The audio track of the current document and the decoder that outlives documents.

use crate::Error;
use crate::codec::{Decoder, Format, Packet, Span};
use crate::mkv::{Selected, Track, TrackKind};
use crate::timeline::Length;

use super::label::Label;

/// Longest CodecDelay believed, ns (1 s; Opus has 6.5 ms, AAC some 50 ms).
const MAX_CODEC_DELAY: u64 = 1_000_000_000;

/// Decoder, and the format it was made for.
#[derive(Debug)]
pub(super) struct Audio {
    /// Name of the track that is taken before others of the same codec.
    preferred: String,
    active: Option<Active>,
    /// What was refused last, so that it is said once per change.
    refused: Option<(String, &'static str)>,
    label: Option<Label>,
}

/// What a document's Tracks will mean if its audio is taken: those of one that is refused mean
/// nothing.
#[derive(Debug)]
pub(super) struct Plan {
    best: Option<(Track, Result<Format, Error>)>,
    label: Option<Label>,
}

impl Plan {
    /// The track to be decoded.
    pub(super) fn selected(&self) -> Option<Selected> {
        let (track, format) = self.best.as_ref()?;
        format.as_ref().ok().map(|format| selected(track, *format))
    }
}

#[derive(Debug)]
struct Active {
    codec_id: String,
    name: String,
    format: Format,
    decoder: Decoder,
    /// What the decoder noticed in the packets was said.
    noticed: bool,
}

impl Active {
    fn is_for(&self, track: &Track, format: Format) -> bool {
        self.format == format && self.name == track.name && self.codec_id == track.codec_id
    }
}

/// What a document's Tracks mean for its audio.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// This track is decoded; the reason, when it was not said before, why not all of it is.
    Track(TrackTiming, Option<(String, &'static str)>),
    /// There is audio, but none that is decoded; `Some` when that was not said before.
    Refused(Option<(String, &'static str)>),
    /// There is no audio track.
    None,
}

/// What a track adds to the time of its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrackTiming {
    /// The track.
    pub(super) selected: Selected,
    /// How much later a block's time is than its first sample's, ns.
    pub(super) delay: i64,
    /// What to drop at the true start.
    pub(super) pre_skip: Length,
}

impl Default for TrackTiming {
    fn default() -> Self {
        Self { selected: Selected::any(0), delay: 0, pre_skip: Length::samples(0) }
    }
}

impl Audio {
    /// Takes the track named `preferred` first, and goes on with what [`Audio::label`] said.
    pub(super) fn new(preferred: String, label: Option<&str>) -> Self {
        let label = label.and_then(Label::from_text);
        Self { preferred, active: None, refused: None, label }
    }

    /// What has to be known besides the tracks themselves to decode the same from here on.
    pub(super) fn label(&self) -> Option<String> {
        self.label.as_ref().map(Label::to_text)
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

    /// Whether a decoder of its own decodes `packet`: before time is made up for the sake of one
    /// that may be damaged as well.
    pub(super) fn can_decode(&self, packet: Packet<'_>) -> bool {
        let format = self.active.as_ref().map(|active| active.format);
        let decoder = format.and_then(|format| Decoder::new(format).ok());
        decoder.is_some_and(|mut decoder| {
            let samples = packet.length().in_samples().unsigned_abs() as usize;
            decoder.decode(packet, Span { samples, fraction: 0 }, &mut Vec::new())
        })
    }

    /// Whether `plan` goes on with the decoder in use.
    pub(super) fn keeps_decoder(&self, plan: &Plan) -> bool {
        let planned =
            plan.best.as_ref().and_then(|(track, format)| Some((track, format.as_ref().ok()?)));
        planned
            .zip(self.active.as_ref())
            .is_some_and(|((track, format), active)| active.is_for(track, *format))
    }

    /// How late the decoder's samples are, in samples at 16 kHz.
    pub(super) fn latency(&self) -> u32 {
        self.active.as_ref().map_or(0, |active| active.decoder.latency())
    }

    /// What the decoder found out that it leaves out, with its codec, when it was not said before.
    pub(super) fn noticed(&mut self, reason: &'static str) -> Option<(String, &'static str)> {
        let active = self.active.as_mut().filter(|active| !active.noticed)?;
        active.noticed = true;
        Some((active.codec_id.clone(), reason))
    }

    /// Chooses by type, codec and name, never by number or order, and whatever was chosen before:
    /// so a run that begins at this document chooses the same.
    pub(super) fn plan(&self, tracks: &[Track], mime_type: Option<&str>) -> Plan {
        let audio = || tracks.iter().filter(|track| track.kind == TrackKind::Audio);
        let label = match audio().next() {
            Some(_) => Label::of(tracks, mime_type, self.label.as_ref()),
            None => self.label.clone(),
        };
        let mime_type = label.as_ref().map(Label::mime_type);
        let formats = audio().map(|track| (track, Format::of(track, mime_type)));
        let best = formats.min_by(|(one, ours), (other, theirs)| {
            self.order(one, ours).cmp(&self.order(other, theirs))
        });
        Plan { best: best.map(|(track, format)| (track.clone(), format)), label }
    }

    /// Takes the tracks that were planned, and keeps the decoder unless the format really changed:
    /// a new one would need time to settle.
    pub(super) fn take(&mut self, plan: Plan) -> Choice {
        self.label = plan.label;
        match plan.best {
            Some((track, Ok(format))) => match self.activate(&track, format) {
                Ok(()) => Choice::Track(timing(&track, format), self.reduced(&track, format)),
                Err(error) => Choice::Refused(self.refuse(&track, error)),
            },
            Some((track, Err(error))) => Choice::Refused(self.refuse(&track, error)),
            None => Choice::None,
        }
    }

    /// What is decoded comes before what is not, then codec, the preferred name, and the first
    /// name; the number only tells tracks apart that nothing else does.
    fn order<'a>(&self, track: &'a Track, format: &Result<Format, Error>) -> impl Ord + use<'a> {
        let rank = format.as_ref().map_or(u8::MAX, |format| format.rank());
        (rank, track.name != self.preferred, track.name.as_str(), track.number)
    }

    fn activate(&mut self, track: &Track, format: Format) -> Result<(), Error> {
        let kept = self.active.as_ref().is_some_and(|active| active.is_for(track, format));
        if !kept {
            self.active = None;
            self.active = Some(Active {
                codec_id: track.codec_id.clone(),
                name: track.name.clone(),
                format,
                decoder: Decoder::new(format)?,
                noticed: false,
            });
        }
        Ok(())
    }

    /// A format of which only a part is decoded, said once per change.
    fn reduced(&mut self, track: &Track, format: Format) -> Option<(String, &'static str)> {
        let Some(reason) = format.partly_decoded() else {
            self.refused = None;
            return None;
        };
        self.say(track, reason)
    }

    fn refuse(&mut self, track: &Track, error: Error) -> Option<(String, &'static str)> {
        let reason = match error {
            Error::UnsupportedCodec { reason, .. } => reason,
            _ => "its decoder could not be set up",
        };
        self.active = None;
        self.say(track, reason)
    }

    fn say(&mut self, track: &Track, reason: &'static str) -> Option<(String, &'static str)> {
        let said = self.refused.as_ref();
        if said.is_some_and(|(codec_id, before)| *codec_id == track.codec_id && *before == reason) {
            return None;
        }
        self.refused = Some((track.codec_id.clone(), reason));
        self.refused.clone()
    }
}

/// What the parser is to hand out of `track`.
fn selected(track: &Track, format: Format) -> Selected {
    Selected { number: track.number, longest_block: format.max_block() }
}

/// Pre-skip is OpusHead's, else CodecDelay, else 0; where only one of the two is written, it
/// serves as the other.
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
