//! OpusHead, the CodecPrivate of A_OPUS (RFC 7845 §5.1).

/// The fields of OpusHead that change the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpusHead {
    /// Samples at 48 kHz to drop at the start of the session.
    pub pre_skip: u16,
    /// Output gain in Q7.8 dB, applied by the decoder.
    pub gain: i16,
}

impl OpusHead {
    /// Reads CodecPrivate. KVS does not validate it, so absent or foreign bytes are accepted as
    /// `None`; the packets are decodable without it.
    ///
    /// # Errors
    /// Returns the reason for an incompatible major version, a channel mapping family other than 0
    /// and more than two channels: the decoder's output would be wrong.
    pub fn read(codec_private: &[u8]) -> Result<Option<Self>, &'static str> {
        let Some(fields) = codec_private.strip_prefix(b"OpusHead") else { return Ok(None) };
        let &[version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family, ..] =
            fields
        else {
            return Ok(None);
        };
        if version > 15 {
            return Err("OpusHead of an unknown major version");
        }
        if family != 0 {
            return Err("channel mapping family other than 0");
        }
        if !(1..=2).contains(&channels) {
            return Err("more than two channels");
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
    fn absent_or_foreign_bytes_are_ignored() {
        for bytes in [&b""[..], b"OpusHead\x01", b"something else entirely"] {
            assert_eq!(OpusHead::read(bytes), Ok(None));
        }
    }

    #[test]
    fn unsupported_channel_layouts_are_rejected() {
        for (version, channels, family) in [(16, 2, 0), (1, 3, 0), (1, 0, 0), (1, 2, 1), (1, 6, 1)]
        {
            assert!(OpusHead::read(&head(version, channels, family)).is_err());
        }
    }
}
