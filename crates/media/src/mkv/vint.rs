//! Variable-length integers of EBML (RFC 8794 §4): element ids and sizes.

/// Result of reading from bytes of which more may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read<T> {
    /// The value and its length in bytes.
    Done(T, usize),
    /// More bytes are needed.
    More,
    /// No valid encoding begins with these bytes.
    Bad,
}

/// How long ids and sizes of a document may be, by its EBML header (RFC 8794 §11.2.4, §11.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    /// EBMLMaxIDLength: 4 to 8 bytes.
    pub(super) id: usize,
    /// EBMLMaxSizeLength: 1 to 8 bytes.
    pub(super) size: usize,
}

impl Widths {
    /// The widths without a valid declaration.
    pub(super) const DEFAULT: Self = Self { id: 4, size: 8 };
}

/// Reads an element id, marker bits included. An id of more than 4 bytes is not in the schema
/// and reads as 0.
pub(super) fn read_id(bytes: &[u8], widths: Widths) -> Read<u32> {
    match raw(bytes, widths.id) {
        Read::Done((value, _), len) => Read::Done(u32::try_from(value).unwrap_or(0), len),
        Read::More => Read::More,
        Read::Bad => Read::Bad,
    }
}

/// Reads an element size; `None` if it is the reserved "unknown" (all value bits set, any width).
pub(super) fn read_size(bytes: &[u8], widths: Widths) -> Read<Option<u64>> {
    match raw(bytes, widths.size) {
        Read::Done((value, marker), len) => {
            let value = value & (marker - 1);
            Read::Done((value != marker - 1).then_some(value), len)
        }
        Read::More => Read::More,
        Read::Bad => Read::Bad,
    }
}

/// Reads a number (track numbers, lace sizes): like a size, but all ones is a value.
pub(super) fn read_number(bytes: &[u8]) -> Read<u64> {
    match raw(bytes, 8) {
        Read::Done((value, marker), len) => Read::Done(value & (marker - 1), len),
        Read::More => Read::More,
        Read::Bad => Read::Bad,
    }
}

/// Reads the value with its marker bit, and the marker bit alone.
fn raw(bytes: &[u8], max: usize) -> Read<(u64, u64)> {
    let Some(&first) = bytes.first() else { return Read::More };
    let len = first.leading_zeros() as usize + 1;
    if len > max {
        return Read::Bad;
    }
    let Some(encoded) = bytes.get(..len) else { return Read::More };
    let value = encoded.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    Read::Done((value, 1 << (7 * len)), len)
}

/// Returns a big-endian unsigned integer of 0 to 8 bytes; the caller checks the length.
pub(super) fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Returns a big-endian two's complement integer of 0 to 8 bytes.
pub(super) fn signed(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|&byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(start, |value, &byte| value << 8 | i64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_marker() {
        assert_eq!(
            read_id(&[0x1A, 0x45, 0xDF, 0xA3, 0], Widths::DEFAULT),
            Read::Done(0x1A45_DFA3, 4)
        );
        assert_eq!(read_id(&[0xEC], Widths::DEFAULT), Read::Done(0xEC, 1));
        assert_eq!(read_id(&[0x1A, 0x45], Widths::DEFAULT), Read::More);
        assert_eq!(read_id(&[], Widths::DEFAULT), Read::More);
        assert_eq!(read_id(&[0x08, 0, 0, 0, 0], Widths::DEFAULT), Read::Bad);
    }

    #[test]
    fn the_header_may_allow_longer_ids_and_shorter_sizes() {
        let widths = Widths { id: 8, size: 2 };
        assert_eq!(read_id(&[0x01, 0, 0, 0, 0, 0, 0, 1], widths), Read::Done(0, 8));
        assert_eq!(read_id(&[0x08, 0, 0, 0], widths), Read::More);
        assert_eq!(read_size(&[0x40, 0x05], widths), Read::Done(Some(5), 2));
        assert_eq!(read_size(&[0x20, 0, 5], widths), Read::Bad);
    }

    #[test]
    fn sizes_of_every_width_and_the_unknown_ones() {
        for len in 1..=8_usize {
            let mut known = vec![0; len];
            known[0] = 1 << (8 - len);
            known[len - 1] |= 5;
            assert_eq!(read_size(&known, Widths::DEFAULT), Read::Done(Some(5), len));
            let mut unknown = vec![0xFF; len];
            unknown[0] = 0xFF >> (len - 1);
            assert_eq!(read_size(&unknown, Widths::DEFAULT), Read::Done(None, len));
            assert_eq!(read_size(&known[..len - 1], Widths::DEFAULT), Read::More);
        }
        assert_eq!(read_size(&[0, 1], Widths::DEFAULT), Read::Bad);
        assert_eq!(read_number(&[0xFF]), Read::Done(127, 1));
    }

    #[test]
    fn signed_numbers_extend_their_sign() {
        assert_eq!(signed(&[0xFF]), -1);
        assert_eq!(signed(&[0xFF, 0x00]), -256);
        assert_eq!(signed(&[0x00, 0xFF]), 255);
        assert_eq!(signed(&[]), 0);
        assert_eq!(unsigned(&[1, 0]), 256);
    }
}
