//! ITU-T G.711: 14-bit (µ-law) or 13-bit (A-law) samples in 8 bits.

/// Converts a µ-law byte to a 16-bit sample.
pub(super) fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let (exponent, mantissa) = (byte >> 4 & 7, i16::from(byte & 15));
    let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

/// Converts an A-law byte to a 16-bit sample.
pub(super) fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (exponent, mantissa) = (byte >> 4 & 7, i16::from(byte & 15));
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from the tables of G.711, scaled to 16 bits.
    #[test]
    fn the_tables_of_g711() {
        for (byte, sample) in [
            (0xFF, 0),
            (0x7F, 0),
            (0x80, 32_124),
            (0x00, -32_124),
            (0xFE, 8),
            (0xF0, 120),
            (0xEF, 132),
        ] {
            assert_eq!(mu_law(byte), sample, "{byte:#x}");
        }
        for (byte, sample) in
            [(0xD5, 8), (0x55, -8), (0xAA, 32_256), (0x2A, -32_256), (0xD4, 24), (0xC5, 264)]
        {
            assert_eq!(a_law(byte), sample, "{byte:#x}");
        }
    }

    #[test]
    fn bytes_are_ordered_by_magnitude() {
        for exponent in 0..=255_u8 {
            assert_eq!(mu_law(exponent), -mu_law(exponent ^ 0x80));
            assert_eq!(a_law(exponent), -a_law(exponent ^ 0x80));
        }
        assert!((0x80..0xFF).all(|byte| mu_law(byte) > mu_law(byte + 1)));
    }
}
