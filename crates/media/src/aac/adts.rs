//! ADTS (ISO/IEC 13818-7 §6.2): a header of 7 or 9 bytes before each frame.

use super::AacConfig;

/// What a frame's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// How to decode the frame, or why not.
    pub(super) config: Result<AacConfig, &'static str>,
    /// Bytes of the header.
    header: usize,
    /// Bytes of the frame, header included.
    frame: usize,
}

impl Header {
    /// Reads the header that `bytes` begin with; `None` when none does. Raw frames never look like
    /// one: they would begin with the element that ends a frame.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let &[sync, second, third, fourth, fifth, sixth, seventh, ..] = bytes else { return None };
        if sync != 0xFF || second & 0xF6 != 0xF0 {
            return None;
        }
        let header = if second & 1 == 0 { 9 } else { 7 };
        let frame =
            usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
        let channels = (third & 1) << 2 | fourth >> 6;
        let config = match (third >> 6, seventh & 3) {
            (1, 0) => AacConfig::of_indexes(third >> 2 & 15, channels),
            (1, _) => Err("several frames behind one ADTS header"),
            _ => Err("an ADTS profile other than AAC-LC"),
        };
        Some(Self { config, header, frame })
    }
}

/// The raw frames in `block`. One that is cut, or does not begin with a header, ends them; cut bytes
/// still come out, so that their time is not forgotten.
pub(super) fn frames(mut block: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let header = Header::read(block)?;
        let end = header.frame.max(header.header).min(block.len());
        let frame = block.get(header.header..end).unwrap_or_default();
        block = &block[end..];
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let len = payload.len() + 7;
        // AAC-LC, index 3 (48 kHz), two channels, no CRC.
        let mut bytes = vec![0xFF, 0xF1, 0x4C, 0x80 | (len >> 11) as u8, (len >> 3) as u8];
        bytes.extend([(len << 5) as u8 | 0x1F, 0xFC]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn frames_in_a_row_are_taken_apart() {
        let block = [frame(b"one"), frame(b""), frame(b"three")].concat();
        let config = AacConfig { rate: 48_000, channels: 2, core_only: false };
        assert_eq!(Header::read(&block).unwrap().config, Ok(config));
        assert_eq!(frames(&block).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn a_cut_frame_ends_the_row() {
        let block = [frame(b"one"), frame(b"three")].concat();
        for cut in 0..block.len() {
            let whole = frames(&block[..cut]).filter(|frame| *frame == b"one").count();
            assert_eq!(whole, usize::from(cut >= 10), "{cut}");
        }
    }

    #[test]
    fn other_profiles_and_raw_frames_are_told_apart() {
        let mut main = frame(b"x");
        main[2] &= 0x3F;
        assert!(Header::read(&main).unwrap().config.is_err());
        assert_eq!(Header::read(&[0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C, 0, 0]), None);
        assert_eq!(Header::read(&[0xFF, 0xF1]), None);
    }
}
