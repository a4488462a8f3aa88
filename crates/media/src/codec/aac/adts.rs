//! ADTS (ISO/IEC 13818-7 §6.2): a header before each frame, of one to four raw data blocks.

use super::AacConfig;

/// Lowest rate of a frame with several blocks, Hz. Four blocks then last at most half a second, and
/// the output of a packet takes at most 16 KB.
const MIN_RATE_OF_SEVERAL: u32 = 8_000;

/// Bytes of a checksum.
const CHECKSUM: usize = 2;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AdtsHeader {
    /// Configuration to decode the frame, or the reason why it cannot be decoded.
    pub(super) config: Result<AacConfig, &'static str>,
    /// Bytes of the header.
    header: usize,
    /// Bytes of the frame, including the header.
    frame: usize,
    blocks: u32,
    /// Bytes of the checksum after each block.
    checksum: usize,
}

/// The raw data blocks of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payload<'a> {
    /// The blocks, one after another.
    pub(super) raw: &'a [u8],
    /// Number of blocks: 1 to 4.
    pub(super) blocks: u32,
    /// Bytes of the checksum after each block.
    pub(super) checksum: usize,
}

impl<'a> Payload<'a> {
    /// Returns the payload of a frame without a header: one block.
    pub(super) fn raw(raw: &'a [u8]) -> Self {
        Self { raw, blocks: 1, checksum: 0 }
    }
}

impl AdtsHeader {
    /// Reads the header at the start of `bytes`; `None` if there is none. A raw frame cannot be
    /// mistaken for one: it would begin with the element that ends a frame.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let &[sync, second, third, fourth, fifth, sixth, seventh, ..] = bytes else { return None };
        if sync != 0xFF || second & 0xF6 != 0xF0 {
            return None;
        }
        let following = seventh & 3;
        let checked = second & 1 == 0;
        // The header contains a checksum, preceded by the offsets of all blocks but the first. With
        // several blocks, each one is followed by its own checksum too.
        let header = if checked { 7 + CHECKSUM * (1 + usize::from(following)) } else { 7 };
        let checksum = if checked && following > 0 { CHECKSUM } else { 0 };
        let frame =
            usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
        let channels = (third & 1) << 2 | fourth >> 6;
        let config = match third >> 6 {
            // Main differs from LC only in prediction; each frame has a flag for its use.
            0 | 1 => AacConfig::of_indexes(third >> 2 & 15, channels),
            _ => Err("an ADTS profile other than AAC-LC"),
        };
        let config = config.and_then(|config| match following {
            1.. if config.rate < MIN_RATE_OF_SEVERAL => Err("several frames after one ADTS header"),
            _ => Ok(config),
        });
        Some(Self { config, header, frame, blocks: u32::from(following) + 1, checksum })
    }

    /// Returns the bytes after the header at the start of `frame`.
    pub(super) fn payload(self, frame: &[u8]) -> Payload<'_> {
        let raw = frame.get(self.header..).unwrap_or_default();
        Payload { raw, blocks: self.blocks, checksum: self.checksum }
    }
}

/// Splits `block` into its first frame, including the header, and the rest. A rest without a header
/// is dropped. A truncated frame is returned, so that its time is filled.
pub(super) fn split(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = AdtsHeader::read(block)?;
    let end = header.frame.max(header.header).min(block.len());
    let (frame, rest) = block.split_at(end);
    Some((frame, if AdtsHeader::read(rest).is_some() { rest } else { &[] }))
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
            all.push(AdtsHeader::read(frame).unwrap().payload(frame).raw);
            block = rest;
        }
        all
    }

    #[test]
    fn consecutive_frames_are_split() {
        let block = [frame(b"one"), frame(b""), frame(b"three"), b"no frame".to_vec()].concat();
        let config = AacConfig { rate: 48_000, channels: 2, core_only: false };
        assert_eq!(AdtsHeader::read(&block).unwrap().config, Ok(config));
        assert_eq!(frames(&block), [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn a_truncated_frame_is_the_last() {
        let block = [frame(b"one"), frame(b"three")].concat();
        for cut in 0..block.len() {
            let found = frames(&block[..cut]);
            assert_eq!(found.first() == Some(&&b"one"[..]), cut >= 10, "{cut}");
            assert_eq!(found.len(), usize::from(cut >= 7) + usize::from(cut >= 17), "{cut}");
        }
    }

    #[test]
    fn other_profiles_and_raw_frames_are_distinguished() {
        for (profile, is_taken) in [(0, true), (1, true), (2, false), (3, false)] {
            let mut other = frame(b"x");
            other[2] = other[2] & 0x3F | profile << 6;
            assert_eq!(AdtsHeader::read(&other).unwrap().config.is_ok(), is_taken, "{profile}");
        }
        // Two blocks, of 8 kHz and of the rate below.
        for (index, is_taken) in [(11, true), (12, false)] {
            let mut low = frame(b"x");
            low[2] = 1 << 6 | index << 2;
            assert!(AdtsHeader::read(&low).unwrap().config.is_ok());
            low[6] |= 1;
            assert_eq!(AdtsHeader::read(&low).unwrap().config.is_ok(), is_taken, "{index}");
        }
        assert_eq!(AdtsHeader::read(&[0x21, 0x10, 0x04, 0x60, 0x8C, 0x1C, 0, 0]), None);
        assert_eq!(AdtsHeader::read(&[0xFF, 0xF1]), None);
    }

    #[test]
    fn checksums_precede_a_single_block_and_follow_each_of_several() {
        for following in 0..4_u8 {
            let mut several = frame(&[7; 40]);
            several[6] |= following;
            let blocks = u32::from(following) + 1;
            let header = |bytes: &[u8]| AdtsHeader::read(bytes).unwrap();
            let found = header(&several).payload(&several);
            assert_eq!(found, Payload { raw: &[7; 40], blocks, checksum: 0 });
            several[1] &= 0xFE;
            let raw = &[7; 40][2 * blocks as usize..];
            let checksum = if following == 0 { 0 } else { 2 };
            let found = header(&several).payload(&several);
            assert_eq!(found, Payload { raw, blocks, checksum });
        }
    }
}
