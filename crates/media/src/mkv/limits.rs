//! Every length read from the body is checked against one of these before anything is held for it.

/// Most bytes the parser holds beyond what was just pushed: a block of the selected track, and what
/// may be the header of a document. With decoder, filter and waiting packets a stream uses less
/// than 256 KB of memory (`tests/memory.rs`).
pub const MAX_HELD: usize = most_held(MAX_BLOCK);

/// As [`MAX_HELD`], if no block of the selected track is longer than `longest`.
pub(super) const fn most_held(longest: u64) -> usize {
    longest as usize + MAX_EBML_HEADER as usize + 2 * 1024
}

/// Most bytes taken in one push, so that the content of a skipped block is not copied, and no long
/// slice is ever held.
pub const PIECE: usize = 512;

/// Longest block of the selected track: the longest Opus packet has 61 298 bytes (48 frames of
/// 1275), half a second of 48 kHz stereo PCM 96 000. A longer one is damage.
pub const MAX_BLOCK: u64 = 96 * 1024;

/// Longest block of AAC: a frame has 1.5 KB at most, and ADTS frames may stand in a row. Its
/// decoder takes more memory than others.
pub const MAX_AAC_BLOCK: u64 = 32 * 1024;

/// Longest EBML header; real ones have 20 to 50 bytes, and may have a Void.
pub const MAX_EBML_HEADER: u64 = 4 * 1024;

/// Longest element that is skipped: a KVS fragment has at most 50 MB.
pub const MAX_SKIPPED: u64 = 64 * 1024 * 1024;

/// Longest element of unknown id that is skipped in a Segment or Cluster. A longer one counts as
/// damage, so that a damaged size or id cannot skip a Cluster unreported: half a second of speech
/// is longer.
pub const MAX_UNKNOWN: u64 = 1024;

/// Longest CodecPrivate kept; OpusHead has 19 bytes, AVC about 50. A longer one counts as absent.
pub const MAX_CODEC_PRIVATE: u64 = 512;

/// Longest string kept (KVS: tag names 128, values 256 characters). A longer one counts as absent.
pub const MAX_STRING: u64 = 1024;

/// Longest CodecID and Name of a track kept, likewise.
pub const MAX_TRACK_STRING: u64 = 256;

/// Most tracks kept of a document (KVS: 3); audio is kept before others.
pub const MAX_TRACKS: usize = 16;

/// Deepest nesting of masters; Segment, Tags, Tag and nested SimpleTags need five.
pub const MAX_DEPTH: usize = 12;
