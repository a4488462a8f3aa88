//! What a track really carries: CodecID, CodecPrivate, the Audio element and the MimeType tag, read
//! as one.

use crate::Error;
use crate::aac::AacConfig;
use crate::mkv::Track;
use crate::opus::OpusHead;
use crate::pcm::PcmLayout;

/// A form of audio that is decoded. Two tracks of equal format can share a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `A_OPUS`; the packets speak for themselves, OpusHead adds gain and pre-skip.
    Opus(Option<OpusHead>),
    /// `A_AAC`; without a configuration, ADTS frames bring their own.
    Aac(Option<AacConfig>),
    /// Uncompressed, or G.711.
    Pcm(PcmLayout),
}

impl Format {
    /// Reads the format of `track`; `mime_type` is the value of the stream's MimeType tag, if it
    /// has one.
    ///
    /// Amazon Connect labels 8 kHz L16 as A_AAC. Its MimeType tag tells; because that can stand
    /// behind the audio it speaks of, Connect's own track names tell as well where no Audio element
    /// names another rate.
    ///
    /// # Errors
    /// [`Error::UnsupportedCodec`] with what about it is not decoded.
    pub fn of(track: &Track, mime_type: Option<&str>) -> Result<Self, Error> {
        let refused = |reason| Error::UnsupportedCodec { codec_id: track.codec_id.clone(), reason };
        if track.encoded {
            let reason = "the track's frames are compressed or encrypted (ContentEncodings)";
            return Err(refused(reason));
        }
        match track.codec_id.as_str() {
            "A_OPUS" => OpusHead::read(&track.codec_private).map(Self::Opus),
            "A_PCM/INT/LIT" => PcmLayout::of_audio_element(track).map(Self::Pcm).map_err(refused),
            "A_MS/ACM" => {
                PcmLayout::of_wave_format(&track.codec_private).map(Self::Pcm).map_err(refused)
            }
            codec_id if is_aac(codec_id) => Self::labelled_aac(track, mime_type).map_err(refused),
            _ => Err(refused("no decoder for this CodecID")),
        }
    }

    /// Samples per second that CodecDelay and pre-skip are counted in: 48 000 for Opus, and where
    /// ADTS frames have yet to say.
    pub(crate) fn rate(self) -> u32 {
        match self {
            Self::Opus(_) | Self::Aac(None) => 48_000,
            Self::Aac(Some(config)) => config.rate,
            Self::Pcm(layout) => layout.rate,
        }
    }

    /// Which of several tracks is taken first: the lower.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Opus(_) => 0,
            Self::Aac(_) => 1,
            Self::Pcm(_) => 2,
        }
    }

    fn labelled_aac(track: &Track, mime_type: Option<&str>) -> Result<Self, &'static str> {
        if let Some(layout) = mime_type.and_then(PcmLayout::of_mime_type) {
            return layout.map(Self::Pcm);
        }
        if mime_type.is_none() && is_connect(track) {
            return Ok(Self::Pcm(PcmLayout::CONNECT));
        }
        if !track.codec_private.is_empty() {
            let mut config = AacConfig::read(&track.codec_private)?;
            config.core_only |= track.output_rate.is_some_and(|out| out > config.rate);
            return Ok(Self::Aac(Some(config)));
        }
        match (track.codec_id.as_str(), track.rate) {
            ("A_AAC", None) => Ok(Self::Aac(None)),
            (id, Some(rate)) if id == "A_AAC" || is_low_complexity(id) => {
                let channels = u8::try_from(track.channel_count()).unwrap_or(u8::MAX);
                let config = AacConfig::checked(rate, channels)?;
                let core_only =
                    id.ends_with("/SBR") || track.output_rate.is_some_and(|out| out > rate);
                Ok(Self::Aac(Some(AacConfig { core_only, ..config })))
            }
            (id, None) if is_low_complexity(id) => Ok(Self::Aac(None)),
            _ => Err("an AAC profile other than LC"),
        }
    }
}

impl Track {
    /// Channels, or its default: 1 where the element is missing or empty (RFC 8794 §11.1.19).
    pub(crate) fn channel_count(&self) -> u64 {
        self.channels.filter(|channels| *channels > 0).unwrap_or(1)
    }
}

/// `A_AAC`, or its form from before CodecPrivate, `A_AAC/MPEG4/LC`.
fn is_aac(codec_id: &str) -> bool {
    codec_id.strip_prefix("A_AAC").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A form from before CodecPrivate whose frames AAC-LC can decode: those of Main unless they use
/// prediction.
fn is_low_complexity(codec_id: &str) -> bool {
    ["/LC", "/LC/SBR", "/MAIN"].into_iter().any(|profile| codec_id.ends_with(profile))
}

fn is_connect(track: &Track) -> bool {
    matches!(track.name.as_str(), "AUDIO_FROM_CUSTOMER" | "AUDIO_TO_CUSTOMER")
        && track.rate.is_none_or(|rate| rate == PcmLayout::CONNECT.rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcm::Encoding;

    fn track(codec_id: &str, codec_private: &[u8]) -> Track {
        Track {
            codec_id: codec_id.to_owned(),
            codec_private: codec_private.to_vec(),
            ..Track::default()
        }
    }

    #[test]
    fn the_label_decides_unless_the_mime_type_knows_better() {
        let aac = track("A_AAC", &[0x11, 0x90]);
        let config = AacConfig { rate: 48_000, channels: 2, core_only: false };
        let l16 = Some("audio/L16;rate=8000;channels=1");
        assert_eq!(Format::of(&aac, None), Ok(Format::Aac(Some(config))));
        assert_eq!(Format::of(&aac, Some("audio/aac")), Ok(Format::Aac(Some(config))));
        assert_eq!(Format::of(&aac, l16), Ok(Format::Pcm(PcmLayout::CONNECT)));
        assert_eq!(Format::of(&track("A_OPUS", &[]), l16), Ok(Format::Opus(None)));
    }

    #[test]
    fn connects_tracks_are_known_before_their_tag() {
        let connect =
            Track { name: "AUDIO_TO_CUSTOMER".to_owned(), ..track("A_AAC", &[0x11, 0x90]) };
        assert_eq!(Format::of(&connect, None), Ok(Format::Pcm(PcmLayout::CONNECT)));
        let with_rate = Track { rate: Some(8_000), ..connect.clone() };
        assert_eq!(Format::of(&with_rate, None), Ok(Format::Pcm(PcmLayout::CONNECT)));
        let honest = Track { rate: Some(48_000), ..connect };
        assert!(matches!(Format::of(&honest, None), Ok(Format::Aac(Some(_)))));
    }

    #[test]
    fn aac_without_codec_private() {
        assert_eq!(Format::of(&track("A_AAC", &[]), None), Ok(Format::Aac(None)));
        let old = |id| Track { rate: Some(24_000), channels: Some(1), ..track(id, &[]) };
        let config = AacConfig { rate: 24_000, channels: 1, core_only: false };
        for id in ["A_AAC", "A_AAC/MPEG2/LC", "A_AAC/MPEG4/LC", "A_AAC/MPEG4/MAIN"] {
            assert_eq!(Format::of(&old(id), None), Ok(Format::Aac(Some(config))), "{id}");
        }
        let he = Format::Aac(Some(AacConfig { core_only: true, ..config }));
        assert_eq!(Format::of(&old("A_AAC/MPEG4/LC/SBR"), None), Ok(he));
        let empty = Track { channels: Some(0), ..old("A_AAC") };
        assert_eq!(Format::of(&empty, None), Ok(Format::Aac(Some(config))));
        let extended = Track { output_rate: Some(48_000), ..track("A_AAC", &[0x13, 0x08]) };
        assert_eq!(Format::of(&extended, None), Ok(he));
        assert!(Format::of(&old("A_AAC/MPEG4/SSR"), None).is_err());
        assert_eq!(Format::of(&track("A_AAC/MPEG2/MAIN", &[]), None), Ok(Format::Aac(None)));
        assert!(Format::of(&track("A_AACX", &[0x11, 0x90]), None).is_err());
    }

    #[test]
    fn uncompressed_audio() {
        let lit = Track { bit_depth: Some(24), channels: Some(2), ..track("A_PCM/INT/LIT", &[]) };
        let Ok(Format::Pcm(layout)) = Format::of(&lit, None) else { panic!("refused") };
        assert_eq!((layout.encoding, layout.channels, layout.rate), (Encoding::Signed24, 2, 8_000));
        let empty = Track { channels: Some(0), bit_depth: Some(0), ..track("A_PCM/INT/LIT", &[]) };
        let Ok(Format::Pcm(layout)) = Format::of(&empty, None) else { panic!("refused") };
        assert_eq!((layout.encoding, layout.channels), (Encoding::Signed16, 1));
        assert!(Format::of(&track("A_MS/ACM", &[]), None).is_err());
        let encoded = Track { encoded: true, ..track("A_OPUS", &[]) };
        assert!(Format::of(&encoded, None).is_err());
        assert!(Format::of(&track("A_AC3", &[]), None).is_err());
    }
}
