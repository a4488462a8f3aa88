//! The elements of a raw frame (ISO/IEC 14496-3 §4.4.2.1), as far as they show without decoding one.
//!
//! A frame is a row of elements, each with its id in three bits: what leads up to the channel element can be
//! passed over.

use super::bits::Bits;

const SINGLE_CHANNEL: u32 = 0;
const CHANNEL_PAIR: u32 = 1;
const DATA_STREAM: u32 = 4;
pub(super) const FILL: u32 = 6;
pub(super) const END: u32 = 7;

/// Whether the first element of `frame` that carries sound is the one that so many channels have: one
/// single channel, or one pair. A frame without any would give the sound of the frame before once more.
pub(super) fn carries(frame: &[u8], channels: u8) -> bool {
    let expected = if channels == 1 { SINGLE_CHANNEL } else { CHANNEL_PAIR };
    let mut bits = Bits::new(frame);
    loop {
        let passed = match bits.take(3) {
            Some(DATA_STREAM) => pass_data(&mut bits),
            Some(FILL) => pass_fill(&mut bits),
            found => return found == Some(expected),
        };
        if passed.is_none() {
            return false;
        }
    }
}

fn pass_data(bits: &mut Bits<'_>) -> Option<()> {
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

fn pass_fill(bits: &mut Bits<'_>) -> Option<()> {
    let mut bytes = bits.take(4)?;
    if bytes == 15 {
        bytes = (bytes + bits.take(8)?).saturating_sub(1);
    }
    bits.skip(bytes as usize * 8);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::bits::written as frame;
    use super::*;

    #[test]
    fn the_channel_element_is_found_behind_what_leads_up_to_it() {
        let fill = [(FILL, 3), (1, 4), (0xFF, 8)];
        let data = [(DATA_STREAM, 3), (0, 4), (1, 1), (2, 8)];
        let bytes = [(0xFFFF, 16)];
        // Behind the fill element the data's bytes begin one bit after its header.
        let both = [&fill[..], &data, &[(0, 1)], &bytes].concat();
        for before in [vec![], fill.to_vec(), [&data[..], &bytes].concat(), both] {
            for (id, channels) in [(SINGLE_CHANNEL, 1), (CHANNEL_PAIR, 2)] {
                let fields = [&before[..], &[(id, 3), (0x55, 20)]].concat();
                assert!(carries(&frame(&fields), channels), "{fields:?}");
                assert!(!carries(&frame(&fields), 3 - channels), "{fields:?}");
            }
        }
    }

    #[test]
    fn a_frame_without_sound_is_none() {
        for fields in [&[(END, 3)][..], &[(FILL, 3), (15, 4), (255, 8)], &[(2, 3), (0, 30)], &[]] {
            for channels in [1, 2] {
                assert!(!carries(&frame(fields), channels), "{fields:?}");
            }
        }
    }
}
