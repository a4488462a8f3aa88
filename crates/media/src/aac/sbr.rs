//! Spectral band replication that no configuration tells of: each frame carries it in a fill
//! element behind the sound, and what stands there can only be found from the frame's end.

use super::bits::Bits;
use super::element::{END, FILL};

/// Longest payload of a fill element, bytes: 15, and one less than 8 bits more can say.
const MAX_FILL: usize = 15 + 254;

/// Frames in a row that must end like one with SBR before it is believed that there is some: by
/// chance that many do in one stream of 10¹⁴.
const IN_A_ROW: u32 = 8;

/// Frames of a decoder that are looked at: SBR is in every frame, or in none.
const LOOKED_AT: u32 = 64;

/// Looks for SBR in the first frames of a stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SbrWatch {
    looked_at: u32,
    in_a_row: u32,
}

impl SbrWatch {
    pub(super) fn look(&mut self, frame: &[u8]) {
        if self.looked_at < LOOKED_AT && !self.has_found() {
            self.looked_at += 1;
            self.in_a_row = if ends_with_sbr(frame) { self.in_a_row + 1 } else { 0 };
        }
    }

    pub(super) fn has_found(&self) -> bool {
        self.in_a_row >= IN_A_ROW
    }
}

/// Whether `frame` ends as one with SBR does: with a fill element that says so, and the end. One
/// frame in seventy of those without SBR happens to look like it, so it takes several in a row to
/// tell.
fn ends_with_sbr(frame: &[u8]) -> bool {
    let Some(last) = frame.iter().rposition(|byte| *byte != 0) else { return false };
    let padding = frame[last].trailing_zeros() as usize;
    let Some(end) = ((last + 1) * 8 - padding).checked_sub(3) else { return false };
    if Bits::at(frame, end).take(3) != Some(END) {
        return false;
    }
    (1..=MAX_FILL).any(|bytes| {
        // The id and the size stand before the payload.
        let header = if bytes < 15 { 7 } else { 15 };
        let short = end.checked_sub(bytes * 8 + header).map(|at| Bits::at(frame, at));
        short.is_some_and(|bits| is_sbr(bits, bytes))
    })
}

fn is_sbr(mut bits: Bits<'_>, bytes: usize) -> bool {
    let mut is_as_long = || {
        let fill = bits.take(3)? == FILL;
        let size = match bits.take(4)? {
            15 => 14 + bits.take(8)?,
            size => size,
        };
        // EXT_SBR_DATA and EXT_SBR_DATA_CRC.
        Some(fill && size as usize == bytes && matches!(bits.take(4)?, 0xD | 0xE))
    };
    is_as_long().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::bits::written as frame;
    use super::*;

    #[test]
    fn sbr_is_found_from_the_end() {
        for bytes in [1, 5, 14, 15, 16, 200, MAX_FILL] {
            let size = if bytes < 15 {
                vec![(bytes as u32, 4)]
            } else {
                vec![(15, 4), (bytes as u32 - 14, 8)]
            };
            for (kind, found) in [(0xD, true), (0xE, true), (0, false), (0xB, false)] {
                let payload = [(kind, 4), (0, (bytes - 1) * 8 + 4)];
                let fields = [&[(0, 3), (0x35, 9), (FILL, 3)][..], &size, &payload, &[(END, 3)]];
                assert_eq!(ends_with_sbr(&frame(&fields.concat())), found, "{bytes} {kind:x}");
            }
        }
        assert!(!ends_with_sbr(&[]) && !ends_with_sbr(&[0; 9]) && !ends_with_sbr(&[0xFF; 9]));
    }
}
