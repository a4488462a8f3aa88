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

/// Takes the first frame off `block`, header included. What does not begin with a header behind it belongs
/// to no frame and is left out; a cut frame still comes out, so that its time is not forgotten.
pub(super) fn split(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = Header::read(block)?;
    let end = header.frame.max(header.header).min(block.len());
    let (frame, rest) = block.split_at(end);
    Some((frame, if Header::read(rest).is_some() { rest } else { &[] }))
}

/// The raw frame behind the header that `frame` begins with.
pub(super) fn payload(frame: &[u8], header: Header) -> &[u8] {
    frame.get(header.header..).unwrap_or_default()
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

    fn frames(mut block: &[u8]) -> Vec<&[u8]> {
        let mut all = Vec::new();
        while let Some((frame, rest)) = split(block) {
            all.push(payload(frame, Header::read(frame).unwrap()));
            block = rest;
        }
        all
    }

    #[test]
    fn frames_in_a_row_are_taken_apart() {
        let block = [frame(b"one"), frame(b""), frame(b"three"), b"no frame".to_vec()].concat();
        let config = AacConfig { rate: 48_000, channels: 2, core_only: false };
        assert_eq!(Header::read(&block).unwrap().config, Ok(config));
        assert_eq!(frames(&block), [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn a_cut_frame_ends_the_row() {
        let block = [frame(b"one"), frame(b"three")].concat();
        for cut in 0..block.len() {
            let found = frames(&block[..cut]);
            assert_eq!(found.first() == Some(&&b"one"[..]), cut >= 10, "{cut}");
            assert_eq!(found.len(), usize::from(cut >= 7) + usize::from(cut >= 17), "{cut}");
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
