//! Detection of spectral band replication that no configuration announces. Each frame carries it in
//! a fill element after the channel element, which without decoding is found only from the frame's
//! end.

use super::bits::Bits;
use super::element::{END, FILL};

/// Longest payload of a fill element, bytes: 15 and an 8-bit extension minus one.
const MAX_FILL: usize = 15 + 254;

/// Consecutive frames that must end like one with SBR before it counts as detected. By chance that
/// happens in one stream of 10¹⁴.
const IN_A_ROW: u32 = 8;

/// Frames of a decoder that are inspected: SBR is in every frame, or in none.
const INSPECTED: u32 = 64;

/// Searches the first frames of a stream for SBR.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SbrDetector {
    inspected: u32,
    in_a_row: u32,
}

impl SbrDetector {
    pub(super) fn inspect(&mut self, frame: &[u8]) {
        if self.inspected < INSPECTED && !self.has_found() {
            self.inspected += 1;
            self.in_a_row = if ends_with_sbr(frame) { self.in_a_row + 1 } else { 0 };
        }
    }

    pub(super) fn has_found(&self) -> bool {
        self.in_a_row >= IN_A_ROW
    }
}

/// Whether `frame` ends like one with SBR: with a fill element of that type and the end element.
/// One in seventy frames without SBR matches by chance, so several in a row are required.
fn ends_with_sbr(frame: &[u8]) -> bool {
    let Some(last) = frame.iter().rposition(|byte| *byte != 0) else { return false };
    let padding = frame[last].trailing_zeros() as usize;
    let Some(end) = ((last + 1) * 8 - padding).checked_sub(3) else { return false };
    if Bits::at(frame, end).take(3) != Some(END) {
        return false;
    }
    (1..=MAX_FILL).any(|bytes| {
        // The id and the size precede the payload.
        let header = if bytes < 15 { 7 } else { 15 };
        let short = end.checked_sub(bytes * 8 + header).map(|at| Bits::at(frame, at));
        short.is_some_and(|bits| is_sbr(bits, bytes))
    })
}

fn is_sbr(mut bits: Bits<'_>, bytes: usize) -> bool {
    let mut is_match = || {
        let fill = bits.take(3)? == FILL;
        let size = match bits.take(4)? {
            15 => 14 + bits.take(8)?,
            size => size,
        };
        // EXT_SBR_DATA and EXT_SBR_DATA_CRC.
        Some(fill && size as usize == bytes && matches!(bits.take(4)?, 0xD | 0xE))
    };
    is_match().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::bits::written as frame;
    use super::*;

    #[test]
    fn sbr_is_found_from_the_end_of_a_frame() {
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
