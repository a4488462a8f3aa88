//! Finding the next document after damage.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::vint::{self, Read, Widths};
use super::{ids, limits};

const MAGIC: [u8; 4] = ids::EBML.to_be_bytes();

/// Video passes through here too, so that the magic is looked for many bytes at a time.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&MAGIC));

/// What a search found in the bytes at hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// A document starts here.
    Found(usize),
    /// None before here; from here on more bytes are needed to tell.
    Undecided(usize),
}

impl Search {
    /// Before here no document starts.
    pub(super) fn place(&self) -> usize {
        match *self {
            Self::Found(at) | Self::Undecided(at) => at,
        }
    }
}

/// First index below `within` at which a document starts.
pub(super) fn search(bytes: &[u8], within: usize) -> Search {
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

/// First index at which a document starts, as these bytes alone tell: however many more have come.
pub(super) fn first_certain(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = next_magic(bytes, from, bytes.len()) {
        if is_document(&bytes[at..]) == Some(true) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// First index from `from` on and below `within` at which the magic stands, or begins where `bytes`
/// end.
fn next_magic(bytes: &[u8], from: usize, within: usize) -> Option<usize> {
    let end = bytes.len().min(within + MAGIC.len() - 1);
    let whole = bytes.get(from..end).and_then(|bytes| FINDER.find(bytes)).map(|at| from + at);
    let last = bytes.len().saturating_sub(MAGIC.len() - 1).max(from);
    whole.or_else(|| (last..within).find(|&at| MAGIC.starts_with(&bytes[at..])))
}

/// Whether a document starts at the first byte; `None` while too few bytes are here. The four magic
/// bytes alone may be payload, so a child of the EBML header and the Segment after it are asked
/// for.
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
        Read::Done(id, _) if ids::EBML_CHILDREN.contains(&id) => {}
        Read::More => return None,
        _ => return Some(false),
    }
    match vint::read_id(body.get(size..)?, Widths::DEFAULT) {
        Read::Done(id, _) => Some(matches!(id, ids::SEGMENT | ids::VOID | ids::CRC32)),
        Read::More => None,
        Read::Bad => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &[u8] = b"\x1A\x45\xDF\xA3\x84\x42\x86\x81\x01\x18\x53\x80\x67\xFF";

    fn all(bytes: &[u8]) -> Search {
        search(bytes, bytes.len())
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
    fn what_more_bytes_would_tell_is_not_certain() {
        let unfinished = b"\x1A\x45\xDF\xA3\x84\x42\x86";
        let bytes = [&unfinished[..], DOCUMENT, &unfinished[..5]].concat();
        assert_eq!(first_certain(&bytes), Some(unfinished.len()));
        assert_eq!(first_certain(&bytes[unfinished.len() + 1..]), None);
    }

    #[test]
    fn only_starts_within_are_asked_for() {
        let bytes = [b"ab", DOCUMENT].concat();
        for within in 0..=2 {
            assert_eq!(search(&bytes, within), Search::Undecided(within));
        }
        assert_eq!(search(&bytes, 3), Search::Found(2));
        assert_eq!(search(&bytes[..4], 3), Search::Undecided(2));
    }
}
