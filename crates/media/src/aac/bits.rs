//! Bits in the order in which AAC writes them: the highest of a byte first.

/// Reads bits one field after the other.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self::at(bytes, 0)
    }

    /// Reads from the bit with the index `at` on.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next `count` bits (at most 32) as a number; `None` where there are fewer.
    pub(super) fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// Passes over `count` bits; beyond the end nothing more can be taken.
    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    /// Index of the next bit.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes on at the next whole byte.
    pub(super) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// Bytes of `(value, bits)`.
#[cfg(test)]
pub(super) fn written(fields: &[(u32, usize)]) -> Vec<u8> {
    let bits: Vec<u8> = fields
        .iter()
        .flat_map(|&(value, count)| {
            (0..count).rev().map(move |bit| (u64::from(value) >> bit.min(63) & 1) as u8)
        })
        .collect();
    let byte = |bits: &[u8]| bits.iter().enumerate().map(|(at, bit)| bit << (7 - at)).sum();
    bits.chunks(8).map(byte).collect()
}
