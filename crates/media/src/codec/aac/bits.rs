//! A bit reader: AAC stores the most significant bit of a byte first.

/// Reads bit fields one after another.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self::at(bytes, 0)
    }

    /// Starts at the bit with the index `at`.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Reads the next `count` bits (at most 32) as a number; `None` if fewer are left.
    pub(super) fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// Skips `count` bits; after the end of the bytes, every read fails.
    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    /// Returns the index of the next bit.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Skips to the next whole byte.
    pub(super) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// Packs fields of `(value, bits)` into bytes.
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
