//! The bytes of the body that the parser holds: those not parsed yet, and the payload of the
//! current block.

use std::ops::Range;

use super::super::limits;

/// Size up to which the buffer doubles, bytes: more than speech needs.
const SMALL: usize = 8 * 1024;

/// A window of the body that moves forward.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Index in `bytes` of the first unread byte.
    at: usize,
    /// The same position, counted from the start of the body.
    offset: u64,
    /// Bytes before `at` that stay until they are released: the payload of a block.
    pinned: Option<Range<usize>>,
}

impl Buffer {
    /// Returns the bytes that are not parsed yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Returns the position of the first unread byte, counted from the start of the body.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves past `count` unread bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.at += count;
        self.offset += count as u64;
    }

    /// Moves past `count` bytes of the body that were never pushed. No byte may be unread.
    pub(super) fn skip(&mut self, count: usize) {
        self.offset += count as u64;
    }

    /// Keeps a range of the unread bytes until the next call of `pin` or `unpin`.
    pub(super) fn pin(&mut self, unread: Range<usize>) {
        self.pinned = Some(self.at + unread.start..self.at + unread.end);
    }

    /// Releases the pinned bytes.
    pub(super) fn unpin(&mut self) {
        self.pinned = None;
    }

    /// Returns the pinned bytes.
    pub(super) fn pinned(&self) -> &[u8] {
        self.pinned.clone().map_or(&[], |range| &self.bytes[range])
    }

    /// Returns how many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.bytes.len() - self.first_held()
    }

    /// Appends `bytes`. The buffer doubles while it is small, then grows to `most` at once: what
    /// it leaves behind is then little beside its new size.
    pub(super) fn extend(&mut self, bytes: &[u8], most: usize) {
        let (wanted, capacity) = (self.bytes.len() + bytes.len(), self.bytes.capacity());
        if wanted > capacity {
            let size = if capacity < SMALL { (capacity * 2).max(limits::PIECE) } else { most };
            self.bytes.reserve_exact(size.max(wanted) - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops bytes that are not needed any more when they are the greater part, so that moving the
    /// rest costs at most one copy per byte, or when the buffer is as large as it may be.
    pub(super) fn compact(&mut self, most: usize) {
        let full = self.bytes.len() + limits::PIECE > most;
        let first = self.first_held();
        if first * 2 >= self.bytes.len() || full {
            self.drop_range(0..first);
        }
        // What follows the pinned block of a BlockGroup, which may be long.
        let Some(pinned) = &self.pinned else { return };
        let gap = pinned.end..self.at;
        if gap.len() * 2 >= self.bytes.len() - gap.start || full {
            self.drop_range(gap);
        }
    }

    /// Gives memory back, down to what speech needs.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to(SMALL);
    }

    /// Forgets everything but the allocation.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.at, self.offset, self.pinned) = (0, 0, None);
    }

    fn first_held(&self) -> usize {
        self.pinned.as_ref().map_or(self.at, |pinned| pinned.start.min(self.at))
    }

    /// Drops a range before `at` that lies in front of the pinned bytes or behind them.
    fn drop_range(&mut self, range: Range<usize>) {
        self.bytes.drain(range.clone());
        self.at -= range.len();
        if let Some(pinned) = self.pinned.as_mut().filter(|pinned| range.end <= pinned.start) {
            pinned.start -= range.len();
            pinned.end -= range.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 4 * 1024;

    #[test]
    fn pinned_bytes_outlive_what_stands_around_them() {
        let mut buffer = Buffer::default();
        buffer.extend(&[0; 100], MOST);
        buffer.extend(b"payload", MOST);
        buffer.consume(100);
        buffer.pin(0..7);
        buffer.consume(7);
        for _ in 0..1_000 {
            buffer.extend(&[1; 50], MOST);
            buffer.consume(50);
            buffer.compact(MOST);
            assert_eq!(buffer.pinned(), b"payload");
            assert!(buffer.held() < 200, "{}", buffer.held());
        }
        buffer.unpin();
        assert_eq!((buffer.held(), buffer.offset()), (0, 50_107));
    }

    #[test]
    fn unread_bytes_stay_in_order() {
        let mut buffer = Buffer::default();
        let mut next = 0_u8;
        for round in 0..500_u16 {
            let piece = [round as u8, (round >> 8) as u8, 3];
            buffer.extend(&piece, MOST);
            if round % 3 == 0 {
                buffer.compact(MOST);
            }
            if round >= 10 {
                assert_eq!(buffer.unread()[0], next);
                buffer.consume(3);
                next = next.wrapping_add(1);
            }
        }
        assert_eq!(buffer.unread().len(), 30);
    }
}
