//! The search for the next document, after damage and inside elements that may not be any.
//!
//! The search only goes forward: it begins where the damage showed. An element that was cut takes
//! its declared size from the document behind it, so that document may be skipped with it. No
//! recorded GetMedia body contains such bytes (see `docs/limits.md`).

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::super::limits;
use super::super::schema::{Element, Parent};
use super::super::vint::{self, Read, Widths};

const MAGIC: [u8; 4] = Element::Ebml.id().to_be_bytes();

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&MAGIC));

/// The search after damage, across pushes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Recovery {
    /// Bytes skipped since the damage.
    pub(super) skipped: u64,
}

impl Recovery {
    /// Searches the unread bytes; returns how many of them to consume, and whether a document
    /// begins behind those.
    pub(super) fn advance(&mut self, unread: &[u8]) -> (usize, bool) {
        let (passed, found) = match find_document(unread, unread.len()) {
            Search::Found(at) => (at, true),
            Search::Undecided(at) => (at, false),
        };
        self.skipped += passed as u64;
        (passed, found)
    }
}

/// Result of a search in the bytes at hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// A document begins at this index.
    Found(usize),
    /// None begins before this index; from there on more bytes are needed.
    Undecided(usize),
}

/// Returns the first index below `within` at which a document begins.
pub(super) fn find_document(bytes: &[u8], within: usize) -> Search {
    let mut from = 0;
    while let Some(at) = next_magic(bytes, from, within) {
        match is_document(&bytes[at..]) {
            Some(true) => return Search::Found(at),
            Some(false) => from = at + 1,
            None => return Search::Undecided(at),
        }
    }
    Search::Undecided(within)
}

/// Returns the first index in `from..within` at which the id of an EBML header stands, or begins at
/// the end of `bytes`.
fn next_magic(bytes: &[u8], from: usize, within: usize) -> Option<usize> {
    let end = bytes.len().min(within + MAGIC.len() - 1);
    let whole = bytes.get(from..end).and_then(|bytes| FINDER.find(bytes)).map(|at| from + at);
    let last = bytes.len().saturating_sub(MAGIC.len() - 1).max(from);
    whole.or_else(|| (last..within).find(|&at| MAGIC.starts_with(&bytes[at..])))
}

/// Returns whether a document begins at the first byte; `None` if more bytes are needed. The four
/// bytes of the id may be payload, so a child of the EBML header and the Segment behind it are
/// required as well.
fn is_document(bytes: &[u8]) -> Option<bool> {
    let here = bytes.len().min(MAGIC.len());
    if bytes[..here] != MAGIC[..here] {
        return Some(false);
    }
    let after_id = bytes.get(MAGIC.len()..)?;
    let (size, len) = match vint::read_size(after_id, Widths::DEFAULT) {
        Read::Done(Some(size), len) if size <= limits::MAX_EBML_HEADER => (size as usize, len),
        Read::More => return None,
        _ => return Some(false),
    };
    let body = &after_id[len..];
    match vint::read_id(body, Widths::DEFAULT) {
        Read::Done(id, _) if may_begin_a_header(Element::of(id)) => {}
        Read::More => return None,
        _ => return Some(false),
    }
    match vint::read_id(body.get(size..)?, Widths::DEFAULT) {
        Read::Done(id, _) => {
            let next = Element::of(id);
            Some(matches!(next, Element::Segment | Element::Void | Element::Crc32))
        }
        Read::More => None,
        Read::Bad => Some(false),
    }
}

fn may_begin_a_header(child: Element) -> bool {
    child.parent() == Parent::In(Element::Ebml) || matches!(child, Element::Void | Element::Crc32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &[u8] = b"\x1A\x45\xDF\xA3\x84\x42\x86\x81\x01\x18\x53\x80\x67\xFF";

    fn all(bytes: &[u8]) -> Search {
        find_document(bytes, bytes.len())
    }

    #[test]
    fn a_header_is_found_behind_anything() {
        let bytes = [b"\x1A\x1A\x45garbage\x1A\x45\xDF\xA3\x84abcd", DOCUMENT].concat();
        assert_eq!(all(&bytes), Search::Found(bytes.len() - DOCUMENT.len()));
    }

    #[test]
    fn an_unfinished_header_waits() {
        for cut in 1..DOCUMENT.len() - 1 {
            assert_eq!(all(&DOCUMENT[..cut]), Search::Undecided(0), "{cut}");
        }
        assert_eq!(all(b"nothing"), Search::Undecided(7));
        assert_eq!(all(b""), Search::Undecided(0));
    }

    #[test]
    fn only_starts_within_are_found() {
        let bytes = [b"ab", DOCUMENT].concat();
        for within in 0..=2 {
            assert_eq!(find_document(&bytes, within), Search::Undecided(within));
        }
        assert_eq!(find_document(&bytes, 3), Search::Found(2));
        assert_eq!(find_document(&bytes[..4], 3), Search::Undecided(2));
    }

    #[test]
    fn what_is_skipped_does_not_depend_on_the_pieces() {
        let bytes = [&b"\x1A\x45\xDF\xA3\x84nothing"[..], &[0x1A; 9], DOCUMENT].concat();
        let start = bytes.len() - DOCUMENT.len();
        for piece in 1..=bytes.len() {
            let (mut recovery, mut at, mut end) = (Recovery::default(), 0, 0);
            let found = loop {
                end = (end + piece).min(bytes.len());
                let (passed, found) = recovery.advance(&bytes[at..end]);
                at += passed;
                if found || end == bytes.len() {
                    break found;
                }
            };
            assert_eq!((found, at, recovery.skipped), (true, start, start as u64), "{piece}");
        }
    }
}
