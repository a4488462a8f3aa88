//! A writer for EBML: ids, sizes of any width, blocks in every lacing.

/// Element ids, as written.
pub mod id {
    #![allow(missing_docs)]
    pub const EBML: &[u8] = b"\x1A\x45\xDF\xA3";
    pub const SEGMENT: &[u8] = b"\x18\x53\x80\x67";
    pub const SEEK_HEAD: &[u8] = b"\x11\x4D\x9B\x74";
    pub const INFO: &[u8] = b"\x15\x49\xA9\x66";
    pub const TRACKS: &[u8] = b"\x16\x54\xAE\x6B";
    pub const TRACK_ENTRY: &[u8] = b"\xAE";
    pub const CLUSTER: &[u8] = b"\x1F\x43\xB6\x75";
    pub const ATTACHMENTS: &[u8] = b"\x19\x41\xA4\x69";
    pub const CHAPTERS: &[u8] = b"\x10\x43\xA7\x70";
    pub const VIDEO: &[u8] = b"\xE0";
    pub const AUDIO: &[u8] = b"\xE1";
    pub const CODEC_PRIVATE: &[u8] = b"\x63\xA2";
    pub const CUES: &[u8] = b"\x1C\x53\xBB\x6B";
    pub const TAGS: &[u8] = b"\x12\x54\xC3\x67";
    pub const VOID: &[u8] = b"\xEC";
    pub const CRC32: &[u8] = b"\xBF";
    pub const SIMPLE_BLOCK: &[u8] = b"\xA3";
    pub const BLOCK_GROUP: &[u8] = b"\xA0";
    pub const BLOCK: &[u8] = b"\xA1";
    pub const DISCARD_PADDING: &[u8] = b"\x75\xA2";
    pub const TIMESTAMP: &[u8] = b"\xE7";
}

/// The encoding of an element's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// The shortest.
    Short,
    /// In this many bytes (1 to 8).
    Bytes(u8),
    /// Unknown, in this many bytes (1 to 8).
    Unknown(u8),
}

/// Returns an element with the shortest size.
pub fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
    sized(id, Size::Short, body)
}

/// Returns an element with this encoding of its size.
pub fn sized(id: &[u8], size: Size, body: &[u8]) -> Vec<u8> {
    [id, &encode_size(size, body.len() as u64), body].concat()
}

/// Returns an element with several children.
pub fn master(id: &[u8], children: &[Vec<u8>]) -> Vec<u8> {
    element(id, &children.concat())
}

/// Returns a size field.
pub fn encode_size(size: Size, value: u64) -> Vec<u8> {
    let (width, value) = match size {
        Size::Short => {
            let width = (1..=8).find(|&width| value < (1 << (7 * width)) - 1);
            (width.expect("an element this long cannot be written"), value)
        }
        Size::Bytes(width) => (width, value),
        Size::Unknown(width) => (width, (1 << (7 * width)) - 1),
    };
    let marked = value | 1 << (7 * width);
    marked.to_be_bytes()[8 - usize::from(width)..].to_vec()
}

/// Returns an unsigned element of the fewest bytes.
pub fn unsigned(id: &[u8], value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(7);
    element(id, &bytes[start..])
}

/// Returns a float element of 8 bytes.
pub fn float(id: &[u8], value: f64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

/// Returns the EBML header of a document of this type.
pub fn header(doc_type: &[u8]) -> Vec<u8> {
    master(
        id::EBML,
        &[
            unsigned(b"\x42\x86", 1),
            unsigned(b"\x42\xF7", 1),
            unsigned(b"\x42\xF2", 4),
            unsigned(b"\x42\xF3", 8),
            element(b"\x42\x82", doc_type),
            unsigned(b"\x42\x87", 4),
            unsigned(b"\x42\x85", 2),
        ],
    )
}

/// Returns the elements of `bytes` with their ids; an unknown size extends to the end.
pub fn children(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let id = bytes[at].leading_zeros() as usize + 1;
        let width = bytes[at + id].leading_zeros() as usize + 1;
        let field = &bytes[at + id..at + id + width];
        let value = field.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        let mask = (1_u64 << (7 * width)) - 1;
        let body = at + id + width;
        let known = value & mask != mask;
        let end = if known { body + (value & mask) as usize } else { bytes.len() };
        found.push((&bytes[at..at + id], &bytes[body..end]));
        at = end;
    }
    found
}

/// The lacing of several frames in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacing {
    /// One frame per block.
    None,
    /// Sizes in steps of 255.
    Xiph,
    /// Equal sizes; all frames of a block must have the same.
    Fixed,
    /// Sizes as differences.
    Ebml,
}

/// Returns the body of a (Simple)Block.
pub fn block(track: u64, offset: i16, flags: u8, lacing: Lacing, frames: &[&[u8]]) -> Vec<u8> {
    let mut body = encode_size(Size::Short, track);
    body.extend(offset.to_be_bytes());
    let bits = match lacing {
        Lacing::None => 0x00,
        Lacing::Xiph => 0x02,
        Lacing::Fixed => 0x04,
        Lacing::Ebml => 0x06,
    };
    body.push(flags | bits);
    if lacing != Lacing::None {
        body.push((frames.len() - 1) as u8);
        body.extend(lace_sizes(lacing, frames));
    }
    body.extend(frames.concat());
    body
}

fn lace_sizes(lacing: Lacing, frames: &[&[u8]]) -> Vec<u8> {
    let sizes = frames[..frames.len() - 1].iter().map(|frame| frame.len() as i64);
    let mut written = Vec::new();
    let mut before: Option<i64> = None;
    for size in sizes {
        match (lacing, before) {
            (Lacing::Xiph, _) => {
                written.extend(std::iter::repeat_n(0xFF, (size / 255) as usize));
                written.push((size % 255) as u8);
            }
            (Lacing::Ebml, None) => {
                let width = if size < 0x3FFF { 2 } else { 3 };
                written.extend(encode_size(Size::Bytes(width), size as u64));
            }
            (Lacing::Ebml, Some(before)) => {
                let difference = size - before;
                let width = if difference.abs() < 1 << 13 { 2 } else { 3 };
                let zero = (1 << (7 * width - 1)) - 1;
                written.extend(encode_size(Size::Bytes(width), (difference + zero) as u64));
            }
            _ => assert!(frames.iter().all(|frame| frame.len() == frames[0].len())),
        }
        before = Some(size);
    }
    written
}
