//! Bits of a sequence parameter set (ITU-T H.264 §7.2, §9.1).

/// Reads bits from the payload of a NAL unit, without its emulation prevention bytes.
#[derive(Debug)]
pub(super) struct Bits {
    payload: Vec<u8>,
    at: usize,
}

impl Bits {
    /// Starts at the first bit after a NAL unit's header.
    pub(super) fn of_unit(unit: &[u8]) -> Self {
        let mut payload = Vec::with_capacity(unit.len());
        let mut zeros = 0;
        for &byte in unit.iter().skip(1) {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            payload.push(byte);
        }
        Self { payload, at: 0 }
    }

    /// Reads one bit; `None` at the end.
    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = self.payload.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// Reads `count` bits, at most 32.
    pub(super) fn number(&mut self, count: u32) -> Option<u32> {
        let mut number = 0;
        for _ in 0..count {
            number = number << 1 | u32::from(self.bit()?);
        }
        Some(number)
    }

    /// Reads an unsigned Exp-Golomb number.
    pub(super) fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.number(zeros)?)
    }

    /// Reads a signed Exp-Golomb number.
    pub(super) fn signed(&mut self) -> Option<i32> {
        let code = i64::from(self.unsigned()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { magnitude } else { -magnitude }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_without_emulation_prevention() {
        // Header, then 1 010 011 00100 … and 00 00 03 01, whose 03 is not part of it.
        let mut bits = Bits::of_unit(&[0x67, 0b1010_0110, 0b0100_0000, 0, 0, 3, 1]);
        let numbers: Vec<Option<u32>> = (0..4).map(|_| bits.unsigned()).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(bits.number(4), Some(0));
        assert_eq!(bits.number(24), Some(1));
        assert_eq!(bits.bit(), None);
    }

    #[test]
    fn signed_numbers_alternate() {
        let mut bits = Bits::of_unit(&[0x67, 0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let numbers: Vec<Option<i32>> = (0..5).map(|_| bits.signed()).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(-1), Some(2), Some(-2)]);
    }
}
