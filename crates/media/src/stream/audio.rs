//! The audio track of the current document and the decoder that outlives documents.

use crate::Error;
use crate::decoder::Decoder;
use crate::mkv::{Track, TrackKind};

/// Longest CodecDelay believed, ns (1 s; Opus has 6.5 ms, AAC some 50 ms).
const MAX_CODEC_DELAY: u64 = 1_000_000_000;

/// Decoder, and the description of the codec it was made for.
#[derive(Debug, Default)]
pub(super) struct Audio {
    active: Option<Active>,
    /// What was refused last, so that it is said once per change.
    refused: Option<(String, Vec<u8>)>,
}

#[derive(Debug)]
struct Active {
    codec_id: String,
    codec_private: Vec<u8>,
    decoder: Decoder,
}

/// What a document's Tracks mean for its audio.
#[derive(Debug)]
pub(super) enum Choice {
    /// This track is decoded.
    Track(TrackTiming),
    /// There is audio, but none that is decoded; `Some` when that was not said before.
    Refused(Option<(String, &'static str)>),
    /// There is no audio track.
    None,
}

/// What a track adds to the time of its blocks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TrackTiming {
    /// TrackNumber.
    pub(super) number: u64,
    /// How much later a block's time is than its first sample's, ns.
    pub(super) delay: i64,
    /// Samples at 48 kHz to drop at the true start.
    pub(super) pre_skip: u32,
}

impl Audio {
    pub(super) fn codec_id(&self) -> Option<&str> {
        self.active.as_ref().map(|active| active.codec_id.as_str())
    }

    pub(super) fn decoder(&mut self) -> Option<&mut Decoder> {
        self.active.as_mut().map(|active| &mut active.decoder)
    }

    /// Chooses by type and codec, never by number or order, and keeps the decoder unless codec or
    /// CodecPrivate really changed: a new one would need time to settle.
    pub(super) fn choose(&mut self, tracks: &[Track]) -> Choice {
        let audio = || tracks.iter().filter(|track| track.kind == TrackKind::Audio);
        let supported = audio().find(|track| Decoder::supports(&track.codec_id));
        let Some(track) = supported.or_else(|| audio().next()) else { return Choice::None };
        match self.decoder_for(track) {
            Ok(decoder) => Choice::Track(timing(track, decoder.pre_skip())),
            Err(error) => self.refuse(track, error),
        }
    }

    fn decoder_for(&mut self, track: &Track) -> Result<&Decoder, Error> {
        let kept = self.active.take_if(|active| {
            !track.encoded
                && active.codec_id == track.codec_id
                && active.codec_private == track.codec_private
        });
        let active = match kept {
            Some(active) => active,
            None => Active {
                codec_id: track.codec_id.clone(),
                codec_private: track.codec_private.clone(),
                decoder: Decoder::new(track)?,
            },
        };
        self.refused = None;
        Ok(&self.active.insert(active).decoder)
    }

    fn refuse(&mut self, track: &Track, error: Error) -> Choice {
        let same = self.refused.as_ref().is_some_and(|(codec_id, codec_private)| {
            *codec_id == track.codec_id && *codec_private == track.codec_private
        });
        if same {
            return Choice::Refused(None);
        }
        self.refused = Some((track.codec_id.clone(), track.codec_private.clone()));
        let reason = match error {
            Error::UnsupportedCodec { reason, .. } => reason,
            _ => "its decoder could not be set up",
        };
        Choice::Refused(Some((track.codec_id.clone(), reason)))
    }
}

/// Pre-skip is OpusHead's, else CodecDelay, else 0; where only one of the two is written, it
/// serves as the other.
fn timing(track: &Track, pre_skip: Option<u16>) -> TrackTiming {
    let codec_delay = track.codec_delay.map(|nanos| nanos.min(MAX_CODEC_DELAY));
    let from_delay = codec_delay.map_or(0, |nanos| (nanos * 48 + 500_000) / 1_000_000);
    let pre_skip = pre_skip.map_or(from_delay, u64::from);
    let delay = codec_delay.unwrap_or(pre_skip * 1_000_000 / 48);
    TrackTiming { number: track.number, delay: delay as i64, pre_skip: pre_skip as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(kind: TrackKind, codec_id: &str, number: u64) -> Track {
        Track { number, kind, codec_id: codec_id.to_owned(), ..Track::default() }
    }

    #[test]
    fn the_track_is_chosen_by_type_and_codec() {
        let tracks = [
            track(TrackKind::Video, "A_OPUS", 1),
            track(TrackKind::Audio, "A_AAC", 2),
            track(TrackKind::Audio, "A_OPUS", 7),
        ];
        let Choice::Track(timing) = Audio::default().choose(&tracks) else { panic!("no track") };
        assert_eq!(timing.number, 7);
        assert!(matches!(Audio::default().choose(&tracks[..1]), Choice::None));
    }

    #[test]
    fn an_unknown_codec_is_said_once_per_change() {
        let mut audio = Audio::default();
        let mut say = |codec_id| match audio.choose(&[track(TrackKind::Audio, codec_id, 1)]) {
            Choice::Refused(said) => said.map(|(codec_id, _)| codec_id),
            _ => None,
        };
        assert_eq!(say("A_AAC").as_deref(), Some("A_AAC"));
        assert_eq!(say("A_AAC"), None);
        assert_eq!(say("A_AC3").as_deref(), Some("A_AC3"));
        assert_eq!(say("A_OPUS"), None);
        assert_eq!(say("A_AC3").as_deref(), Some("A_AC3"));
    }

    #[test]
    fn codec_delay_and_pre_skip_stand_in_for_each_other() {
        let delayed = |codec_delay| Track { codec_delay, ..track(TrackKind::Audio, "A_OPUS", 1) };
        let both = |codec_delay, pre_skip| {
            let timing = timing(&delayed(codec_delay), pre_skip);
            (timing.delay, timing.pre_skip)
        };
        assert_eq!(both(Some(6_500_000), None), (6_500_000, 312));
        assert_eq!(both(None, Some(312)), (6_500_000, 312));
        assert_eq!(both(Some(5_000_000), Some(312)), (5_000_000, 312));
        assert_eq!(both(None, None), (0, 0));
        assert_eq!(both(Some(u64::MAX), None), (1_000_000_000, 48_000));
    }
}
