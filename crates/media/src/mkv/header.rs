//! The properties of a document that its EBML header declares (RFC 8794 §11.2).

use super::schema::Element;
use super::vint::{self, Read, Widths};

/// Returns EBMLMaxIDLength and EBMLMaxSizeLength of an EBML header; the defaults where they are
/// absent or invalid.
pub(super) fn widths(mut body: &[u8]) -> Widths {
    let mut widths = Widths::DEFAULT;
    while let Read::Done(id, id_len) = vint::read_id(body, Widths::DEFAULT) {
        let Read::Done(Some(size), size_len) = vint::read_size(&body[id_len..], Widths::DEFAULT)
        else {
            break;
        };
        let start = id_len + size_len;
        let end = usize::try_from(size).ok().and_then(|size| size.checked_add(start));
        let Some(value) = end.and_then(|end| body.get(start..end)) else { break };
        body = &body[start + value.len()..];
        let number = if value.len() <= 8 { vint::unsigned(value) } else { 0 };
        match (Element::of(id), usize::try_from(number)) {
            (Element::EbmlMaxIdLength, Ok(number @ 4..=8)) => widths.id = number,
            (Element::EbmlMaxSizeLength, Ok(number @ 1..=8)) => widths.size = number,
            _ => {}
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_where_they_make_sense() {
        let widths = |bytes: &[u8]| {
            let widths = widths(bytes);
            (widths.id, widths.size)
        };
        assert_eq!(widths(b""), (4, 8));
        assert_eq!(widths(b"\x42\x86\x81\x01\x42\xF2\x81\x08\x42\xF3\x81\x04"), (8, 4));
        assert_eq!(widths(b"\x42\xF2\x81\x03\x42\xF3\x81\x09"), (4, 8));
        assert_eq!(widths(b"\x42\xF2\x88\0\0\0\0\0\0\0\x05\x42\xF3\x80"), (5, 8));
        // Cut short, and a size that leads out of the header.
        assert_eq!(widths(b"\x42\xF2\x81\x06\x42\xF3\xC4\x01"), (6, 8));
        assert_eq!(widths(b"\x42\xF2\x81\x06\x42"), (6, 8));
    }
}
