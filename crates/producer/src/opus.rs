//! The duration of an Opus packet (RFC 6716 §3.1, §3.2), without decoding it.

/// Returns the samples of one packet at 48 kHz, or `None` if it is not an Opus packet.
pub(crate) fn samples_48k(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        config @ 12..=15 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(*packet.get(1)? & 0x3F),
    };
    // A packet lasts at most 120 ms.
    Some(frames * frame).filter(|samples| (1..=5760).contains(samples))
}

/// Returns the samples at 48 kHz that a decoder drops at the start: OpusHead's pre-skip (RFC
/// 7845 §5.1).
pub(crate) fn pre_skip_48k(codec_private: &[u8]) -> Option<u32> {
    let head = codec_private.strip_prefix(b"OpusHead")?;
    Some(u32::from(u16::from_le_bytes([*head.get(2)?, *head.get(3)?])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_follow_the_table_of_contents() {
        for (packet, samples) in [
            (&[0x08_u8][..], Some(960)), // SILK narrowband, 20 ms
            (&[0x18], Some(2880)),       // SILK narrowband, 60 ms
            (&[0x78], Some(960)),        // hybrid fullband, 20 ms
            (&[0xFC], Some(960)),        // CELT fullband, 20 ms
            (&[0xE1], Some(240)),        // CELT fullband, two of 2.5 ms
            (&[0x0B, 0x03], Some(2880)), // three of 20 ms
            (&[0x1B, 0x03], None),       // 180 ms
            (&[0x0B], None),
            (&[], None),
        ] {
            assert_eq!(samples_48k(packet), samples, "{packet:?}");
        }
    }

    #[test]
    fn pre_skip_is_read_from_the_head() {
        let head = [&b"OpusHead"[..], &[1, 1, 0x38, 0x01, 0x80, 0xBB, 0, 0, 0, 0, 0]].concat();
        assert_eq!(pre_skip_48k(&head), Some(312));
        assert_eq!(pre_skip_48k(b"OpusTags"), None);
        assert_eq!(pre_skip_48k(b"OpusHead"), None);
    }
}
