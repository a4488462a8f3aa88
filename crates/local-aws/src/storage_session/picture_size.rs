//! The size of the pictures that a sequence parameter set describes (ITU-T H.264 §7.3.2.1.1).

use super::bits::Bits;

/// The largest width and height that ingestion documents.
const LARGEST: u32 = 1920;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PictureSize {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl PictureSize {
    /// Reads a sequence parameter set. Returns `None` if it is cut off or not plausible.
    pub(super) fn of(sps: &[u8]) -> Option<Self> {
        let mut bits = Bits::of_unit(sps);
        let profile = bits.number(8)?;
        bits.number(16)?;
        bits.unsigned()?;
        let chroma = if has_chroma_format(profile) { chroma_format(&mut bits)? } else { 1 };
        bits.unsigned()?;
        skip_order_count(&mut bits)?;
        bits.unsigned()?;
        bits.bit()?;
        let columns = bits.unsigned()?.checked_add(1)?;
        let rows = bits.unsigned()?.checked_add(1)?;
        let fields = if bits.bit()? { 1 } else { 2 };
        if fields == 2 {
            bits.bit()?;
        }
        bits.bit()?;
        let full = Self {
            width: columns.checked_mul(16)?,
            height: rows.checked_mul(16)?.checked_mul(fields)?,
        };
        if bits.bit()? { full.cropped(&mut bits, chroma, fields) } else { Some(full) }
    }

    /// Returns whether ingestion takes pictures of this size.
    pub(super) fn is_supported(self) -> bool {
        self.width.max(self.height) <= LARGEST
    }

    fn cropped(self, bits: &mut Bits, chroma: u32, fields: u32) -> Option<Self> {
        let (x, y) = match chroma {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let mut edge = |unit: u32| bits.unsigned()?.checked_mul(unit);
        let horizontal = edge(x)?.checked_add(edge(x)?)?;
        let vertical = edge(y * fields)?.checked_add(edge(y * fields)?)?;
        let width = self.width.checked_sub(horizontal)?;
        let height = self.height.checked_sub(vertical)?;
        Some(Self { width, height })
    }
}

fn has_chroma_format(profile: u32) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// Reads chroma_format_idc, and passes the members after it up to the scaling lists.
fn chroma_format(bits: &mut Bits) -> Option<u32> {
    let format = bits.unsigned()?;
    if format == 3 {
        bits.bit()?;
    }
    bits.unsigned()?;
    bits.unsigned()?;
    bits.bit()?;
    if bits.bit()? {
        for list in 0..if format == 3 { 12 } else { 8 } {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(format)
}

fn skip_scaling_list(bits: &mut Bits, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn skip_order_count(bits: &mut Bits) -> Option<()> {
    match bits.unsigned()? {
        0 => {
            bits.unsigned()?;
        }
        1 => {
            bits.bit()?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned()?.min(255) {
                bits.signed()?;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_cropping() {
        let of = |sps: &[u8]| PictureSize::of(sps).map(|size| (size.width, size.height));
        // Baseline, 128x96.
        assert_eq!(of(&[0x67, 0x42, 0x00, 0x0A, 0xF8, 0x41, 0xA2]), Some((128, 96)));
        // High, 1920x1080: 1088 rows, of which 8 are cropped.
        let high = [
            0x67, 0x64, 0x00, 0x28, 0xAC, 0xD9, 0x40, 0x78, 0x02, 0x27, 0xE5, 0xC0, 0x44, 0x00,
            0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xF0, 0x3C, 0x60, 0xC6, 0x58,
        ];
        assert_eq!(of(&high), Some((1920, 1080)));
    }

    #[test]
    fn a_scaling_list_may_have_any_difference() {
        // The largest difference, 2^31 - 1, and 15 of 0.
        let unit = [0x67, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFD, 0xFF, 0xFC];
        assert_eq!(skip_scaling_list(&mut Bits::of_unit(&unit), 16), Some(()));
    }

    #[test]
    fn a_set_that_is_cut_off_has_no_size() {
        let sps = [0x67, 0x42, 0x00, 0x0A, 0xF8, 0x41, 0xA2];
        for len in 0..6 {
            assert_eq!(PictureSize::of(&sps[..len]), None, "{len}");
        }
    }
}
