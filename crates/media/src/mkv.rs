//! Incremental parser for Matroska documents that stand back to back, as GetMedia sends them.
//!
//! Each KVS fragment is a whole document: EBML header, Segment of unknown size, the producer's
//! elements, AWS tags, at most one Cluster as a rule, AWS tags again. The parser takes any bytes in
//! pieces of any size and hands out [`Event`]s; a block comes out as its last byte goes in, blocks
//! of tracks that are not selected are skipped as they pass and never held.
//!
//! What real streams made necessary: unknown sizes (`FF` and `01 FF…FF`) anywhere a master may
//! stand, unknown sizes at every other level too, Void, CRC-32, SeekHead, Cues and producer tags in
//! any place, strings padded with NUL, text that is not UTF-8, fragments without a Cluster,
//! SeekHeads whose offsets lead nowhere (never followed). Damage is answered by looking for the
//! next plausible EBML header, also among the bytes that the element before the damage took for its
//! own: where a connection was cut, the next document follows at once.
//!
//! Bytes are conserved: those pushed are the sum of [`Event::DocumentEnd`], [`Event::Skipped`] and
//! [`End::tail`].

mod blocks;
mod buffer;
mod ending;
mod header;
mod ids;
mod lacing;
mod leaves;
pub mod limits;
mod lookback;
mod parser;
mod place;
mod resync;
mod tags;
mod track;
mod vint;
mod walk;

pub use ending::End;
pub use parser::{Parser, Selected};
pub use tags::AwsTags;
pub use track::{Track, TrackKind};

/// One thing found in the stream.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An EBML header: a document begins.
    DocumentStart,
    /// The Tracks element ended; comes again when a MimeType tag of the document says what they
    /// carry.
    Tracks {
        /// The document's tracks.
        tracks: &'a [Track],
        /// The MimeType tag, if one was seen.
        mime_type: Option<&'a str>,
    },
    /// The fragment is named: AWS tags were seen before the first Cluster.
    FragmentStart(&'a AwsTags),
    /// A Cluster told its time.
    Cluster {
        /// Its Timestamp, in ticks.
        ticks: i64,
        /// Nanoseconds in a tick.
        scale: u64,
    },
    /// A frame of the selected track.
    Block(Block<'a>),
    /// A block of another track, or a video frame longer than [`limits::MAX_BLOCK`]: its payload is
    /// passed over.
    OtherBlock {
        /// Its track.
        track: u64,
        /// Bytes of the block, header included.
        bytes: u64,
    },
    /// A block whose header or lacing contradicts its size; nothing of it is usable.
    BadBlock,
    /// KVS ends the body by an error.
    Error {
        /// AWS_KINESISVIDEO_ERROR_ID, when it is a number.
        id: Option<u32>,
        /// AWS_KINESISVIDEO_ERROR_CODE.
        code: Option<&'a str>,
    },
    /// The fragment is whole: MILLIS_BEHIND_NOW and CONTINUATION_TOKEN were both seen.
    FragmentEnd(&'a AwsTags),
    /// The document is over.
    DocumentEnd {
        /// It came to its end: a fragment with its trailing tags, or a document without fragment
        /// number that was not cut inside an element.
        complete: bool,
        /// Its bytes, from the EBML header on.
        bytes: u64,
    },
    /// Bytes passed over between damage and the next document.
    Skipped {
        /// How many.
        bytes: u64,
    },
}

/// One frame (one packet) of the selected track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// Track number.
    pub track: u64,
    /// Time of the block in the document, in ticks: its Cluster's Timestamp and its own offset.
    pub ticks: i64,
    /// Nanoseconds in a tick.
    pub scale: u64,
    /// Flags byte of the block (0x80 keyframe, 0x06 lacing).
    pub flags: u8,
    /// Which frame of the block's lace this is, from 0.
    pub lace: u8,
    /// DiscardPadding of the BlockGroup, ns; 0 unless this is its last frame.
    pub discard_padding: i64,
    /// The frame.
    pub data: &'a [u8],
}
