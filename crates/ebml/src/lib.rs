//! Reading and writing of EBML elements (RFC 8794), to the extent that fragments need it.

/// Bytes that are not an EBML element, and the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidElement(pub &'static str);

/// Element ids of Matroska (RFC 9559), with their marker bits.
pub mod id {
    /// EBML header.
    pub const EBML: u32 = 0x1A45_DFA3;
    /// EBMLVersion.
    pub const EBML_VERSION: u32 = 0x4286;
    /// EBMLReadVersion.
    pub const EBML_READ_VERSION: u32 = 0x42F7;
    /// EBMLMaxIDLength.
    pub const EBML_MAX_ID_LENGTH: u32 = 0x42F2;
    /// EBMLMaxSizeLength.
    pub const EBML_MAX_SIZE_LENGTH: u32 = 0x42F3;
    /// DocType.
    pub const DOC_TYPE: u32 = 0x4282;
    /// DocTypeVersion.
    pub const DOC_TYPE_VERSION: u32 = 0x4287;
    /// DocTypeReadVersion.
    pub const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    /// Segment.
    pub const SEGMENT: u32 = 0x1853_8067;
    /// SeekHead.
    pub const SEEK_HEAD: u32 = 0x114D_9B74;
    /// Info.
    pub const INFO: u32 = 0x1549_A966;
    /// TimecodeScale.
    pub const TIMECODE_SCALE: u32 = 0x2A_D7B1;
    /// MuxingApp.
    pub const MUXING_APP: u32 = 0x4D80;
    /// WritingApp.
    pub const WRITING_APP: u32 = 0x5741;
    /// Tracks.
    pub const TRACKS: u32 = 0x1654_AE6B;
    /// TrackEntry.
    pub const TRACK_ENTRY: u32 = 0xAE;
    /// TrackNumber.
    pub const TRACK_NUMBER: u32 = 0xD7;
    /// TrackUID.
    pub const TRACK_UID: u32 = 0x73C5;
    /// TrackType.
    pub const TRACK_TYPE: u32 = 0x83;
    /// FlagLacing.
    pub const FLAG_LACING: u32 = 0x9C;
    /// Name.
    pub const NAME: u32 = 0x536E;
    /// CodecID.
    pub const CODEC_ID: u32 = 0x86;
    /// CodecPrivate.
    pub const CODEC_PRIVATE: u32 = 0x63A2;
    /// CodecDelay.
    pub const CODEC_DELAY: u32 = 0x56AA;
    /// Video.
    pub const VIDEO: u32 = 0xE0;
    /// PixelWidth.
    pub const PIXEL_WIDTH: u32 = 0xB0;
    /// PixelHeight.
    pub const PIXEL_HEIGHT: u32 = 0xBA;
    /// Audio.
    pub const AUDIO: u32 = 0xE1;
    /// SamplingFrequency.
    pub const SAMPLING_FREQUENCY: u32 = 0xB5;
    /// Channels.
    pub const CHANNELS: u32 = 0x9F;
    /// Cluster.
    pub const CLUSTER: u32 = 0x1F43_B675;
    /// Timecode.
    pub const TIMECODE: u32 = 0xE7;
    /// SimpleBlock.
    pub const SIMPLE_BLOCK: u32 = 0xA3;
    /// BlockGroup.
    pub const BLOCK_GROUP: u32 = 0xA0;
    /// Block.
    pub const BLOCK: u32 = 0xA1;
    /// Cues.
    pub const CUES: u32 = 0x1C53_BB6B;
    /// Chapters.
    pub const CHAPTERS: u32 = 0x1043_A770;
    /// Attachments.
    pub const ATTACHMENTS: u32 = 0x1941_A469;
    /// Tags.
    pub const TAGS: u32 = 0x1254_C367;
    /// Tag.
    pub const TAG: u32 = 0x7373;
    /// SimpleTag.
    pub const SIMPLE_TAG: u32 = 0x67C8;
    /// TagName.
    pub const TAG_NAME: u32 = 0x45A3;
    /// TagString.
    pub const TAG_STRING: u32 = 0x4487;

    /// Returns whether an element with this id ends a Cluster of unknown size.
    pub fn ends_cluster(id: u32) -> bool {
        matches!(
            id,
            EBML | SEGMENT
                | SEEK_HEAD
                | INFO
                | TRACKS
                | CLUSTER
                | CUES
                | CHAPTERS
                | ATTACHMENTS
                | TAGS
        )
    }
}

/// Segment with an unknown size in eight bytes, as GetMedia writes it.
pub const SEGMENT_START: [u8; 12] =
    [0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// The head of a Cluster with an unknown size in eight bytes: as long as one with a known size that
/// [`write()`] writes in eight bytes.
pub const OPEN_CLUSTER: [u8; 12] =
    [0x1F, 0x43, 0xB6, 0x75, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// The head of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The element id, with its marker bits.
    pub id: u32,
    /// Bytes of the payload; absent when unknown.
    pub size: Option<u64>,
    /// Bytes of id and size.
    pub len: usize,
}

/// Reads the head at the start of `bytes`; returns `None` if it is incomplete.
///
/// # Errors
/// No element can start with these bytes.
pub fn header(bytes: &[u8]) -> Result<Option<Header>, InvalidElement> {
    let Some((&first, _)) = bytes.split_first() else { return Ok(None) };
    let id_len = first.leading_zeros() as usize + 1;
    if id_len > 4 {
        return Err(InvalidElement("an element id is longer than four bytes"));
    }
    let Some(&size_first) = bytes.get(id_len) else { return Ok(None) };
    let size_len = size_first.leading_zeros() as usize + 1;
    if size_len > 8 {
        return Err(InvalidElement("an element size is longer than eight bytes"));
    }
    let len = id_len + size_len;
    let Some(head) = bytes.get(..len) else { return Ok(None) };
    let id = head[..id_len].iter().fold(0, |id, &byte| (id << 8) | u32::from(byte));
    let marked = number(&head[id_len..]);
    let ones = (1_u64 << (7 * size_len)) - 1;
    let size = marked & ones;
    Ok(Some(Header { id, size: (size != ones).then_some(size), len }))
}

/// Reads a big-endian unsigned number of at most eight bytes.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

/// Reads the variable-length number at the start of `bytes`, a block's track number; returns it and
/// its length.
pub fn vint(bytes: &[u8]) -> Option<(u64, usize)> {
    let len = bytes.first()?.leading_zeros() as usize + 1;
    let marked = number(bytes.get(..len).filter(|_| len <= 8)?);
    Some((marked & ((1_u64 << (7 * len)) - 1), len))
}

/// Returns the children of a complete master element's payload: id and payload of each.
///
/// # Errors
/// A child is longer than the payload.
pub fn children(mut payload: &[u8]) -> Result<Vec<(u32, &[u8])>, InvalidElement> {
    const CUT: InvalidElement = InvalidElement("an element is longer than its parent");
    let mut found = Vec::new();
    while !payload.is_empty() {
        let head = header(payload)?.ok_or(CUT)?;
        let size = head.size.and_then(|size| usize::try_from(size).ok()).ok_or(CUT)?;
        let end = head.len.checked_add(size).ok_or(CUT)?;
        found.push((head.id, payload.get(head.len..end).ok_or(CUT)?));
        payload = &payload[end..];
    }
    Ok(found)
}

/// Writes an element's id.
pub fn write_id(out: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    out.extend_from_slice(&bytes[skip..]);
}

/// Writes the head of an element with its size in `size_len` bytes (1 to 8, chosen to fit by the
/// caller).
pub fn write_head(out: &mut Vec<u8>, id: u32, size_len: u32, size: usize) {
    write_id(out, id);
    let marked = (size as u64) | (1_u64 << (7 * size_len));
    out.extend_from_slice(&marked.to_be_bytes()[8 - size_len as usize..]);
}

/// Writes an element with its size in `size_len` bytes (1 to 8, chosen to fit by the caller).
pub fn write(out: &mut Vec<u8>, id: u32, size_len: u32, payload: &[u8]) {
    write_head(out, id, size_len, payload.len());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_whole_or_not_at_all() {
        for cut in 0..12 {
            assert_eq!(header(&SEGMENT_START[..cut]).unwrap(), None);
        }
        let unknown = Header { id: id::SEGMENT, size: None, len: 12 };
        assert_eq!(header(&SEGMENT_START).unwrap(), Some(unknown));
        let short = header(&[0xA3, 0x81, 7]).unwrap();
        assert_eq!(short, Some(Header { id: id::SIMPLE_BLOCK, size: Some(1), len: 2 }));
        assert!(header(&[0x00, 0x81]).is_err());
        assert!(header(&[0xA3, 0x00]).is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        write(&mut out, id::TAG_NAME, 4, b"NAME");
        write(&mut out, id::CLUSTER, 8, &[1, 2, 3]);
        let found = children(&out).unwrap();
        assert_eq!(found, [(id::TAG_NAME, &b"NAME"[..]), (id::CLUSTER, &[1, 2, 3][..])]);
    }
}
