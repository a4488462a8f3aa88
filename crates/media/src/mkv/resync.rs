//! Finding the next document after damage.

use super::vint::{self, Read, Widths};
use super::{ids, limits};

const MAGIC: [u8; 4] = ids::EBML.to_be_bytes();

/// What a search found in the bytes at hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// A document starts here.
    Found(usize),
    /// None before here; from here on more bytes are needed to tell.
    Undecided(usize),
}

/// First index in `bytes` at which a document starts.
pub(super) fn search(bytes: &[u8]) -> Search {
    let mut from = 0;
    while let Some(step) = bytes[from..].iter().position(|&byte| byte == MAGIC[0]) {
        let at = from + step;
        match is_document(&bytes[at..]) {
            Some(true) => return Search::Found(at),
            Some(false) => from = at + 1,
            None => return Search::Undecided(at),
        }
    }
    Search::Undecided(bytes.len())
}

/// Whether a document starts at the first byte; `None` while too few bytes are here. The four magic
/// bytes alone may be payload, so a child of the EBML header and the Segment after it are asked for.
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
        Read::Done(id, _) => Some(matches!(id, ids::SEGMENT | ids::VOID)),
        Read::More => None,
        Read::Bad => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &[u8] = b"\x1A\x45\xDF\xA3\x84\x42\x86\x81\x01\x18\x53\x80\x67\xFF";

    #[test]
    fn a_header_is_found_behind_anything() {
        let bytes = [b"\x1A\x1A\x45garbage\x1A\x45\xDF\xA3\x84abcd", DOCUMENT].concat();
        assert_eq!(search(&bytes), Search::Found(bytes.len() - DOCUMENT.len()));
    }

    #[test]
    fn an_unfinished_header_waits() {
        for cut in 1..DOCUMENT.len() - 1 {
            assert_eq!(search(&DOCUMENT[..cut]), Search::Undecided(0), "{cut}");
        }
        assert_eq!(search(b"nothing"), Search::Undecided(7));
        assert_eq!(search(b""), Search::Undecided(0));
    }
}
