//! The elements of a raw data block (ISO/IEC 14496-3 §4.4.2.1) up to the first channel element.
//!
//! A block is a sequence of elements, each with a 3-bit id. Elements before the first channel
//! element can be skipped without decoding; that element determines how the block is decoded.

use super::bits::Bits;

const SINGLE_CHANNEL: u32 = 0;
const CHANNEL_PAIR: u32 = 1;
const DATA_STREAM: u32 = 4;
const PROGRAM_CONFIG: u32 = 5;
pub(super) const FILL: u32 = 6;
pub(super) const END: u32 = 7;

/// The start of a block, up to the first channel element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lead {
    /// Bytes up to the end of the last program_config_element, which the decoder does not support.
    /// It ends on a whole byte, so the bytes after it are a block too.
    pub(super) skip: usize,
    /// Channels of the first channel element: 1 or 2.
    pub(super) channels: u8,
}

/// Reads up to the first channel element. Returns `None` if `block` has none (the decoder would
/// repeat the audio of the block before), or coupling or LFE before it.
pub(super) fn lead(block: &[u8]) -> Option<Lead> {
    let mut bits = Bits::new(block);
    let mut skip = 0;
    loop {
        match bits.take(3)? {
            SINGLE_CHANNEL => return Some(Lead { skip, channels: 1 }),
            CHANNEL_PAIR => return Some(Lead { skip, channels: 2 }),
            DATA_STREAM => skip_data(&mut bits)?,
            FILL => skip_fill(&mut bits)?,
            PROGRAM_CONFIG => {
                skip_program_config(&mut bits)?;
                skip = bits.position() / 8;
            }
            _ => return None,
        }
    }
}

/// Skips a program_config_element (§4.4.1.1) whose id was read. It ends on a whole byte.
pub(super) fn skip_program_config(bits: &mut Bits<'_>) -> Option<()> {
    // Instance tag, object type and rate.
    bits.take(4 + 2 + 4)?;
    let [front, side, back] = [bits.take(4)?, bits.take(4)?, bits.take(4)?];
    let [lfe, data, coupling] = [bits.take(2)?, bits.take(3)?, bits.take(4)?];
    // Mono, stereo and matrix mixdown.
    for extra in [4, 4, 3] {
        if bits.take(1)? == 1 {
            bits.take(extra)?;
        }
    }
    bits.skip((5 * (front + side + back + coupling) + 4 * (lfe + data)) as usize);
    bits.align();
    let comment = bits.take(8)? as usize;
    bits.skip(comment * 8);
    Some(())
}

fn skip_data(bits: &mut Bits<'_>) -> Option<()> {
    bits.take(4)?;
    let aligned = bits.take(1)? == 1;
    let mut bytes = bits.take(8)?;
    if bytes == 255 {
        bytes += bits.take(8)?;
    }
    if aligned {
        bits.align();
    }
    bits.skip(bytes as usize * 8);
    Some(())
}

fn skip_fill(bits: &mut Bits<'_>) -> Option<()> {
    let mut bytes = bits.take(4)?;
    if bytes == 15 {
        bytes = (bytes + bits.take(8)?).saturating_sub(1);
    }
    bits.skip(bytes as usize * 8);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::bits::written as block;
    use super::*;

    const FILLED: [(u32, usize); 3] = [(FILL, 3), (1, 4), (0xFF, 8)];
    const DATA: [(u32, usize); 4] = [(DATA_STREAM, 3), (0, 4), (1, 1), (2, 8)];
    const BYTES: [(u32, usize); 1] = [(0xFFFF, 16)];

    #[test]
    fn the_channel_element_is_found_after_other_elements() {
        // After the fill element the data's bytes begin one bit after its header.
        let both = [&FILLED[..], &DATA, &[(0, 1)], &BYTES].concat();
        for before in [vec![], FILLED.to_vec(), [&DATA[..], &BYTES].concat(), both] {
            for (id, channels) in [(SINGLE_CHANNEL, 1), (CHANNEL_PAIR, 2)] {
                let fields = [&before[..], &[(id, 3), (0x55, 20)]].concat();
                assert_eq!(lead(&block(&fields)), Some(Lead { skip: 0, channels }), "{fields:?}");
            }
        }
    }

    /// Returns a program_config_element that begins `at` bits after a whole byte, with `pairs` of
    /// front channels, one element of each other kind, every mixdown and a comment of two bytes.
    fn program_config(at: usize, pairs: u32) -> Vec<(u32, usize)> {
        let mut fields = vec![(PROGRAM_CONFIG, 3), (0, 4), (1, 2), (3, 4)];
        fields.extend([(pairs, 4), (1, 4), (1, 4), (1, 2), (1, 3), (1, 4)]);
        fields.extend([(1, 1), (9, 4), (1, 1), (9, 4), (1, 1), (5, 3)]);
        fields.extend(vec![(0x10, 5); pairs as usize + 3]);
        fields.extend([(7, 4), (7, 4)]);
        let len = at + fields.iter().map(|(_, bits)| bits).sum::<usize>();
        fields.extend([(0, len.next_multiple_of(8) - len), (2, 8), (0xABCD, 16)]);
        fields
    }

    #[test]
    fn bytes_up_to_the_last_program_config_are_skipped() {
        let sound = [(SINGLE_CHANNEL, 3), (0x55, 20)];
        for pairs in [0, 1, 7, 15] {
            let alone = program_config(0, pairs);
            let behind_fill = [&FILLED[..], &program_config(15, pairs)].concat();
            for before in [alone.clone(), behind_fill, [&alone[..], &alone].concat()] {
                let skip = block(&before).len();
                for (between, channels) in [(&[][..], 1), (&FILLED[..], 1)] {
                    let fields = [&before[..], between, &sound].concat();
                    assert_eq!(lead(&block(&fields)), Some(Lead { skip, channels }), "{fields:?}");
                }
                assert_eq!(lead(&block(&before)), None);
            }
        }
    }

    #[test]
    fn a_block_without_a_channel_element_is_rejected() {
        for fields in [&[(END, 3)][..], &[(FILL, 3), (15, 4), (255, 8)], &[(2, 3), (0, 30)], &[]] {
            assert_eq!(lead(&block(fields)), None, "{fields:?}");
        }
        // LFE, coupling; a truncated program config.
        for fields in [&[(3, 3), (0, 30)][..], &[(2, 3), (0, 30)], &[(PROGRAM_CONFIG, 3), (0, 29)]]
        {
            assert_eq!(lead(&block(fields)), None, "{fields:?}");
        }
    }
}
