//! AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1): the CodecPrivate of A_AAC.

use super::bits::Bits;
use super::element::skip_program_config;
use crate::mkv::Track;
use crate::resample::RATES;

/// Start of an extension after the core's configuration (syncExtensionType).
const SYNC_EXTENSION: u32 = 0x2B7;

/// The object type of SBR.
const SBR: u32 = 5;

/// The parameters to decode a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacConfig {
    /// Samples per second of the AAC-LC core.
    pub rate: u32,
    /// Channels according to the description, 1 or 2; 0 if it leaves them to the frames. The frames
    /// take precedence.
    pub channels: u8,
    /// HE-AAC: the layers above the core (SBR, PS) are not decoded. The core alone has half the
    /// bandwidth; at its usual rates that still exceeds the bandwidth of the 16 kHz output.
    pub core_only: bool,
}

impl AacConfig {
    /// Reads the configuration of an AAC track. Returns `None` if it has none, so that each frame
    /// must have an ADTS header, and the reason if it cannot be decoded.
    pub(super) fn of_track(track: &Track) -> Result<Option<Self>, &'static str> {
        if !track.codec_private.is_empty() {
            let mut config = Self::read(&track.codec_private)?;
            config.core_only |= track.output_rate.is_some_and(|out| out > config.rate);
            return Ok(Some(config));
        }
        let codec_id = track.codec_id.as_str();
        if codec_id != "A_AAC" && !is_low_complexity(codec_id) {
            return Err("an AAC profile other than LC");
        }
        let Some(rate) = track.rate else { return Ok(None) };
        let channels = u8::try_from(track.channel_count()).unwrap_or(u8::MAX);
        let config = Self::checked(rate, channels)?;
        let core_only =
            codec_id.ends_with("/SBR") || track.output_rate.is_some_and(|out| out > rate);
        Ok(Some(Self { core_only, ..config }))
    }

    /// Reads CodecPrivate, or returns the reason why its frames cannot be decoded.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut bits = Bits::new(bytes);
        Self::read_bits(&mut bits).unwrap_or(Err("AudioSpecificConfig is cut short"))
    }

    fn read_bits(bits: &mut Bits<'_>) -> Option<Result<Self, &'static str>> {
        let mut object_type = bits.object_type()?;
        let rate = bits.rate()?;
        let channels = bits.take(4)?;
        let mut core_only = matches!(object_type, SBR | 29);
        if core_only {
            bits.rate()?;
            object_type = bits.object_type()?;
        }
        Some(match object_type {
            1 | 2 if bits.take(1)? == 1 => Err("frames of 960 samples"),
            // Main differs from LC only in prediction; each frame has a flag for its use.
            1 | 2 => {
                core_only |= bits.extends_to_sbr(channels == 0).unwrap_or(false);
                // At most 15.
                Self::checked(rate, channels as u8).map(|config| Self { core_only, ..config })
            }
            3 => Err("AAC SSR, not LC"),
            4 => Err("AAC LTP, not LC"),
            23 => Err("AAC LD, not LC"),
            39 => Err("AAC ELD, not LC"),
            42 => Err("xHE-AAC, not LC"),
            _ => Err("an audio object type other than AAC-LC"),
        })
    }

    /// Returns the configuration of AAC-LC of this rate (Hz) and channel configuration, or the
    /// reason why it cannot be decoded.
    pub(crate) fn checked(rate: u32, channels: u8) -> Result<Self, &'static str> {
        if channels > 2 {
            return Err("more than two channels");
        }
        if !RATES.contains(&rate) {
            return Err("a sampling rate that cannot be converted to 16 kHz");
        }
        Ok(Self { rate, channels, core_only: false })
    }

    /// Returns the configuration for a rate index and channel configuration of ADTS.
    pub(super) fn of_indexes(rate: u8, channels: u8) -> Result<Self, &'static str> {
        let rate = RATES.get(usize::from(rate)).copied().ok_or("an unknown sampling rate")?;
        Self::checked(rate, channels)
    }
}

/// Returns the AudioSpecificConfig of AAC-LC of this rate with one or two channels.
pub(super) fn low_complexity(rate: u32, channels: u8) -> [u8; 2] {
    let index = RATES.iter().position(|known| *known == rate).unwrap_or(0) as u16;
    (2 << 11 | index << 7 | u16::from(channels) << 3).to_be_bytes()
}

/// Whether `codec_id` is `A_AAC`, or a form from before CodecPrivate such as `A_AAC/MPEG4/LC`.
pub(in crate::codec) fn is_aac(codec_id: &str) -> bool {
    codec_id.strip_prefix("A_AAC").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `codec_id` is a form from before CodecPrivate whose frames AAC-LC can decode. Frames of
/// Main are decodable unless they use prediction.
fn is_low_complexity(codec_id: &str) -> bool {
    ["/LC", "/LC/SBR", "/MAIN"].into_iter().any(|profile| codec_id.ends_with(profile))
}

impl Bits<'_> {
    /// Whether SBR is announced after the core's configuration, which decoders from before SBR do
    /// not read. Expects the position after the frame length flag; `None` if nothing follows.
    fn extends_to_sbr(&mut self, has_program_config: bool) -> Option<bool> {
        if self.take(1)? == 1 {
            // coreCoderDelay.
            self.take(14)?;
        }
        self.take(1)?;
        if has_program_config {
            skip_program_config(self)?;
        }
        let extended = self.take(11)? == SYNC_EXTENSION && self.object_type()? == SBR;
        Some(extended && self.take(1)? == 1)
    }

    fn object_type(&mut self) -> Option<u32> {
        match self.take(5)? {
            31 => Some(32 + self.take(6)?),
            short => Some(short),
        }
    }

    /// Returns 0 Hz for a reserved index, which [`AacConfig::checked`] rejects.
    fn rate(&mut self) -> Option<u32> {
        match self.take(4)? {
            15 => self.take(24),
            index => Some(RATES.get(index as usize).copied().unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::written;
    use super::*;

    #[test]
    fn low_complexity_of_every_rate_is_read_and_written() {
        for rate in RATES {
            for channels in [1, 2] {
                let config = AacConfig::checked(rate, channels).unwrap();
                assert_eq!(AacConfig::read(&low_complexity(rate, channels)), Ok(config));
            }
        }
        let common = AacConfig { rate: 48_000, channels: 2, core_only: false };
        assert_eq!(AacConfig::read(&[0x11, 0x90]), Ok(common));
        // An extension ("no SBR") does not change the core.
        assert_eq!(AacConfig::read(&[0x11, 0x90, 0x56, 0xE5, 0x00]), Ok(common));
    }

    #[test]
    fn he_aac_is_read_as_its_core() {
        // Object type 5 (SBR), 24 kHz, mono, extended to 48 kHz, over object type 2.
        let config = AacConfig::read(&[0x2B, 0x09, 0x88, 0x00]);
        assert_eq!(config, Ok(AacConfig { rate: 24_000, channels: 1, core_only: true }));
        // Object type 29 (PS) likewise.
        let config = AacConfig::read(&[0xEB, 0x09, 0x88, 0x00]);
        assert_eq!(config, Ok(AacConfig { rate: 24_000, channels: 1, core_only: true }));
    }

    #[test]
    fn sbr_announced_after_the_core_is_read() {
        // 22.05 kHz mono; sync extension, object type 5, SBR present, 44.1 kHz; then one for PS.
        let config = Ok(AacConfig { rate: 22_050, channels: 1, core_only: true });
        assert_eq!(AacConfig::read(&[0x13, 0x88, 0x56, 0xE5, 0xA5, 0x48, 0x80]), config);
        assert_eq!(AacConfig::read(&[0x13, 0x88, 0x56, 0xE5, 0xA0]), config);
        for plain in
            [&[0x13, 0x88, 0x56, 0xE5, 0x25][..], &[0x13, 0x88, 0x56], &[0x13, 0x88, 0, 0, 0]]
        {
            assert!(!AacConfig::read(plain).unwrap().core_only, "{plain:x?}");
        }
    }

    #[test]
    fn an_explicit_rate_equals_its_index() {
        // Index 15, then 44100 in 24 bits, stereo.
        let bytes: [u8; 5] = [0x17, 0x80, 0x56, 0x22, 0x10];
        assert_eq!(AacConfig::read(&bytes).map(|config| config.rate), Ok(44_100));
    }

    #[test]
    fn fields_that_frames_override_are_not_rejected() {
        // AAC Main; channels in a program_config_element that is missing.
        for (bytes, channels) in [([0x09, 0x90], 2), ([0x11, 0x80], 0)] {
            let config = Ok(AacConfig { rate: 48_000, channels, core_only: false });
            assert_eq!(AacConfig::read(&bytes), config);
        }
    }

    #[test]
    fn sbr_is_found_after_a_program_config() {
        let mut fields = vec![(2, 5), (6, 4), (0, 4), (0, 3)];
        // A program_config_element of one pair, which ends on a whole byte, with a 1-byte comment.
        fields.extend([(0, 4), (1, 2), (6, 4), (1, 4), (0, 4), (0, 4), (0, 2), (0, 3), (0, 4)]);
        fields.extend([(0, 3), (0x10, 5), (0, 1), (1, 8), (0x41, 8)]);
        let plain = AacConfig { rate: 24_000, channels: 0, core_only: false };
        assert_eq!(AacConfig::read(&written(&fields)), Ok(plain));
        fields.extend([(SYNC_EXTENSION, 11), (SBR, 5), (1, 1)]);
        let extended = AacConfig { core_only: true, ..plain };
        assert_eq!(AacConfig::read(&written(&fields)), Ok(extended));
    }

    #[test]
    fn unsupported_configurations_are_rejected_with_the_reason() {
        for (bytes, reason) in [
            (&[0x11, 0x94][..], "960"),
            (&[0x09, 0x94], "960"),
            (&[0x21, 0x90], "LTP"),
            (&[0x11, 0xB0], "two channels"),
            (&[0x16, 0x90], "rate"),
            (&[0x11], "cut short"),
            (&[], "cut short"),
            (&[0xF8, 0xE6, 0x20], "ELD"),
        ] {
            let found = AacConfig::read(bytes).unwrap_err();
            assert!(found.contains(reason), "{bytes:x?}: {found}");
        }
    }
}
