//! The layout of uncompressed samples in a block, and the fields of a track that describe it.

use super::g711;
use crate::codec::aac;
use crate::mkv::Track;

/// The encoding of one sample. All are little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 8 bits; silence is 128.
    Unsigned8,
    /// 16 bits.
    Signed16,
    /// 24 bits.
    Signed24,
    /// 32 bits.
    Signed32,
    /// G.711 µ-law, 8 bits.
    MuLaw,
    /// G.711 A-law, 8 bits.
    ALaw,
}

impl Encoding {
    /// Returns the bytes of one sample.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::MuLaw | Self::ALaw => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 => 4,
        }
    }

    /// Returns the sample in `bytes`, −1 to 1; 0 if their number is not [`Encoding::bytes`].
    pub(super) fn sample(self, bytes: &[u8]) -> f32 {
        let value = match (self, bytes) {
            (Self::Unsigned8, &[byte]) => (i32::from(byte) - 128) << 24,
            (Self::MuLaw, &[byte]) => i32::from(g711::mu_law(byte)) << 16,
            (Self::ALaw, &[byte]) => i32::from(g711::a_law(byte)) << 16,
            (Self::Signed16, &[low, high]) => i32::from_le_bytes([0, 0, low, high]),
            // Bits below 16 are cut off here: the output has 16 bits.
            (Self::Signed24, &[_, low, high]) => i32::from_le_bytes([0, 0, low, high]),
            (Self::Signed32, &[_, _, low, high]) => i32::from_le_bytes([0, 0, low, high]),
            _ => 0,
        };
        (value >> 16) as f32 / 32_768.0
    }

    fn integer(bits: u64) -> Option<Self> {
        Some(match bits {
            8 => Self::Unsigned8,
            16 => Self::Signed16,
            24 => Self::Signed24,
            32 => Self::Signed32,
            _ => return None,
        })
    }
}

/// The parameters to read a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmLayout {
    /// Encoding of a sample.
    pub encoding: Encoding,
    /// 1 or 2, interleaved.
    pub channels: u8,
    /// Samples per second.
    pub rate: u32,
}

impl PcmLayout {
    /// L16 at 8 kHz, one channel: stored by Amazon Connect under the CodecID A_AAC.
    pub(crate) const CONNECT: Self =
        Self { encoding: Encoding::Signed16, channels: 1, rate: 8_000 };

    /// Returns the bytes of one sample of every channel.
    pub(super) fn frame_bytes(self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }

    /// Reads the layout of `track`. Returns `None` if the track does not contain PCM, and the
    /// reason if it does and cannot be decoded.
    pub(super) fn of_track(
        track: &Track,
        mime_type: Option<&str>,
    ) -> Option<Result<Self, &'static str>> {
        match track.codec_id.as_str() {
            "A_PCM/INT/LIT" => Some(Self::of_audio_element(track)),
            "A_MS/ACM" => Some(Self::of_wave_format(&track.codec_private)),
            codec_id if aac::is_aac(codec_id) => Self::of_mislabelled(track, mime_type),
            _ => None,
        }
    }

    /// Amazon Connect labels 8 kHz L16 as A_AAC. The MimeType tag identifies it; it may come after
    /// the audio, so until then the names of Connect's tracks do, unless the Audio element states
    /// another rate.
    fn of_mislabelled(
        track: &Track,
        mime_type: Option<&str>,
    ) -> Option<Result<Self, &'static str>> {
        match mime_type {
            Some(mime_type) => Self::of_mime_type(mime_type),
            None => is_connect(track).then_some(Ok(Self::CONNECT)),
        }
    }

    /// A_PCM/INT/LIT: the layout is in the Audio element. Defaults of RFC 9559: 8 kHz, one channel;
    /// 16 bits if BitDepth is missing or empty.
    fn of_audio_element(track: &Track) -> Result<Self, &'static str> {
        let bits = track.bit_depth.filter(|bits| *bits > 0).unwrap_or(16);
        let encoding = Encoding::integer(bits);
        let encoding = encoding.ok_or("samples of other than 8, 16, 24 or 32 bits")?;
        Self::checked(encoding, track.channel_count(), track.rate.unwrap_or(8_000))
    }

    /// A_MS/ACM: CodecPrivate is a WAVEFORMATEX.
    fn of_wave_format(private: &[u8]) -> Result<Self, &'static str> {
        let &[tag0, tag1, channels0, channels1, rate0, rate1, rate2, rate3, ref rest @ ..] =
            private
        else {
            return Err("WAVEFORMATEX is missing");
        };
        let bits = || match rest {
            &[_, _, _, _, _, _, low, high, ..] => u64::from(u16::from_le_bytes([low, high])),
            _ => 16,
        };
        let encoding = match u16::from_le_bytes([tag0, tag1]) {
            1 => Encoding::integer(bits()).ok_or("samples of other than 8, 16, 24 or 32 bits")?,
            6 => Encoding::ALaw,
            7 => Encoding::MuLaw,
            _ => return Err("neither PCM nor G.711 (wFormatTag)"),
        };
        let channels = u16::from_le_bytes([channels0, channels1]);
        Self::checked(encoding, channels.into(), u32::from_le_bytes([rate0, rate1, rate2, rate3]))
    }

    /// Parses a MIME type such as `audio/L16;rate=8000;channels=1`. In a list, like the MediaType
    /// of a KVS stream, the first audio type is used. Returns `None` for other than uncompressed
    /// audio. KVS producers write L16 little-endian, in contrast to RFC 2586.
    fn of_mime_type(mime_type: &str) -> Option<Result<Self, &'static str>> {
        let is_audio =
            |kind: &&str| kind.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("audio/"));
        let first = mime_type.split(',').map(str::trim).find(is_audio)?;
        let mut parts = first.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let encoding = match name.strip_prefix("audio/")? {
            "l16" => Encoding::Signed16,
            "pcmu" | "mulaw" => Encoding::MuLaw,
            "pcma" | "alaw" => Encoding::ALaw,
            _ => return None,
        };
        let (mut rate, mut channels) = (8_000, 1);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim();
            if name.trim().eq_ignore_ascii_case("rate") {
                rate = value.parse().unwrap_or(0);
            } else if name.trim().eq_ignore_ascii_case("channels") {
                channels = value.parse().unwrap_or(0);
            }
        }
        Some(Self::checked(encoding, channels, rate))
    }

    fn checked(encoding: Encoding, channels: u64, rate: u32) -> Result<Self, &'static str> {
        if !crate::resample::RATES.contains(&rate) {
            return Err("a sampling rate that cannot be converted to 16 kHz");
        }
        let channels = match channels {
            1 => 1,
            2 => 2,
            _ => return Err("other than one or two channels"),
        };
        Ok(Self { encoding, channels, rate })
    }
}

fn is_connect(track: &Track) -> bool {
    matches!(track.name.as_str(), "AUDIO_FROM_CUSTOMER" | "AUDIO_TO_CUSTOMER")
        && track.rate.is_none_or(|rate| rate == PcmLayout::CONNECT.rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mime_types_as_producers_write_them() {
        for connect in [
            "audio/L16;rate=8000;channels=1",
            "audio/L16;rate=8000;channels=1;",
            "audio/l16; Rate=8000; Channels=1",
            "video/h264, audio/L16;rate=8000;channels=1",
            "Audio/L16;rate=8000,video/h264",
        ] {
            assert_eq!(PcmLayout::of_mime_type(connect), Some(Ok(PcmLayout::CONNECT)), "{connect}");
        }
        let wide = PcmLayout::of_mime_type("audio/L16;rate=48000;channels=2").unwrap().unwrap();
        assert_eq!((wide.rate, wide.channels), (48_000, 2));
        assert!(PcmLayout::of_mime_type("audio/L16;rate=12345").unwrap().is_err());
        assert!(PcmLayout::of_mime_type("audio/L16;channels=6").unwrap().is_err());
        for other in ["audio/aac", "video/h264,audio/aac", "", "L16", "audio/aac,audio/L16"] {
            assert_eq!(PcmLayout::of_mime_type(other), None, "{other}");
        }
    }

    #[test]
    fn wave_formats() {
        let format = |tag: u16, channels: u16, rate: u32, bits: u16| {
            let mut bytes = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
            bytes.extend(rate.to_le_bytes());
            bytes.extend([0; 6]);
            bytes.extend(bits.to_le_bytes());
            PcmLayout::of_wave_format(&bytes)
        };
        assert_eq!(format(6, 1, 8_000, 8).map(|layout| layout.encoding), Ok(Encoding::ALaw));
        assert_eq!(format(7, 2, 8_000, 8).map(|layout| layout.encoding), Ok(Encoding::MuLaw));
        assert_eq!(format(1, 1, 48_000, 24).map(|layout| layout.encoding), Ok(Encoding::Signed24));
        assert!(format(0x55, 1, 48_000, 0).is_err());
        assert!(format(1, 1, 48_000, 12).is_err());
        assert!(format(7, 3, 8_000, 8).is_err());
        assert!(PcmLayout::of_wave_format(&[7, 0, 1]).is_err());
    }
}
