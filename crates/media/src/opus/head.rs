//! OpusHead, the CodecPrivate of A_OPUS (RFC 7845 §5.1).

use crate::Error;

/// The fields of OpusHead that change what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpusHead {
    /// Samples at 48 kHz to drop at the true start.
    pub pre_skip: u16,
    /// Output gain in Q7.8 dB, to be applied by the decoder.
    pub gain: i16,
}

impl OpusHead {
    /// Reads CodecPrivate. KVS does not check what producers put there, so absent or foreign bytes
    /// mean "nothing known" (`None`) and the packets speak for themselves.
    ///
    /// # Errors
    /// [`Error::UnsupportedCodec`] for what would decode to something else than it is: a channel
    /// mapping family other than 0, more than two channels, an incompatible major version.
    pub fn read(codec_private: &[u8]) -> Result<Option<Self>, Error> {
        let Some(fields) = codec_private.strip_prefix(b"OpusHead") else { return Ok(None) };
        let &[version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family, ..] =
            fields
        else {
            return Ok(None);
        };
        let refuse =
            |reason| Err(Error::UnsupportedCodec { codec_id: "A_OPUS".to_owned(), reason });
        if version > 15 {
            return refuse("OpusHead of an unknown major version");
        }
        if family != 0 {
            return refuse("channel mapping family other than 0");
        }
        if !(1..=2).contains(&channels) {
            return refuse("more than two channels");
        }
        Ok(Some(Self {
            pre_skip: u16::from_le_bytes([skip_low, skip_high]),
            gain: i16::from_le_bytes([gain_low, gain_high]),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: u8, channels: u8, family: u8) -> Vec<u8> {
        let mut bytes = b"OpusHead".to_vec();
        bytes.extend([version, channels, 0x38, 0x01, 0x80, 0xBB, 0, 0, 0x00, 0xFF, family]);
        bytes
    }

    #[test]
    fn fields_are_little_endian() {
        let read = OpusHead::read(&head(1, 2, 0)).unwrap();
        assert_eq!(read, Some(OpusHead { pre_skip: 312, gain: -256 }));
    }

    #[test]
    fn absent_or_foreign_bytes_say_nothing() {
        for bytes in [&b""[..], b"OpusHead\x01", b"something else entirely"] {
            assert_eq!(OpusHead::read(bytes), Ok(None));
        }
    }

    #[test]
    fn what_would_sound_wrong_is_refused() {
        for (version, channels, family) in [(16, 2, 0), (1, 3, 0), (1, 0, 0), (1, 2, 1), (1, 6, 1)]
        {
            assert!(OpusHead::read(&head(version, channels, family)).is_err());
        }
    }
}
