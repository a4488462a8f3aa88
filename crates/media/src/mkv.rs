//! Incremental parser for Matroska documents that stand back to back, as GetMedia sends them.
//!
//! Each KVS fragment is a complete document: EBML header, Segment of unknown size, the producer's
//! elements, AWS tags, usually at most one Cluster, AWS tags again. The parser takes any bytes in
//! pieces of any size and hands out [`Event`]s. A block comes out as soon as its last byte is
//! pushed; blocks of tracks that are not selected are skipped and never held.
//!
//! Real streams require: unknown sizes (`FF` and `01 FF…FF`) of masters at every level; Void,
//! CRC-32, SeekHead, Cues and producer tags in any place; strings padded with NUL; text that is not
//! UTF-8; fragments without a Cluster; SeekHeads whose offsets lead nowhere (never followed).
//!
//! The parser is a state machine of three modes:
//!
//! | mode | the next byte | next mode |
//! |---|---|---|
//! | Walk | begins an element, or ends a master | Skip: nothing of it is read; Search: damage |
//! | Skip | is content of that element | Walk at its end; Search: it was no element |
//! | Search | may begin the next EBML header | Walk at that header |
//!
//! A document passes through the phases closed, header, segment, named and complete; only a
//! fragment of KVS reaches the last two. Damage ends the document, is skipped and counted, and
//! never fails the body: an element outside its parent, one that is longer than its parent or than
//! its limit ([`limits`]), an id or size that is none. The search never goes back. If a document
//! ends inside an element and the next one follows at once, that element's declared size covers the
//! beginning of the next document, which is then skipped as well and reported as
//! [`Event::Skipped`]. No recorded GetMedia body contains this: the service sends whole elements,
//! and a connection that breaks ends the body.
//!
//! Bytes are conserved: those pushed are the sum of [`Event::DocumentEnd`], [`Event::Skipped`] and
//! [`End::tail`].

mod header;
mod lacing;
pub mod limits;
mod parser;
mod schema;
mod tags;
mod track;
mod vint;

use crate::FragmentNumber;

pub use parser::{Parser, Selected};
pub use tags::AwsTags;
pub use track::{Track, TrackKind};

/// How a body ended for the parser.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct End {
    /// Bytes of the last document, if the end of the body completed it.
    pub document: Option<u64>,
    /// Bytes of a document that was cut, or skipped after damage behind which no document began.
    pub tail: u64,
    /// The fragment that was cut before its Cluster, which no event has named.
    pub unnamed: Option<FragmentNumber>,
}

/// One thing found in the stream.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An EBML header: a document begins.
    DocumentStart,
    /// The Tracks element ended. It comes again if a MimeType tag of the document describes the
    /// tracks.
    Tracks {
        /// The document's tracks.
        tracks: &'a [Track],
        /// The MimeType tag, if one was seen.
        mime_type: Option<&'a str>,
    },
    /// The fragment is named: AWS tags were seen before the first Cluster.
    FragmentStart(&'a AwsTags),
    /// A Cluster stated its time.
    Cluster {
        /// Its Timestamp, in ticks.
        ticks: i64,
        /// Nanoseconds in a tick.
        scale: u64,
    },
    /// A frame of the selected track.
    Block(Block<'a>),
    /// A block of another track, or a video frame longer than [`limits::MAX_BLOCK`]: its payload is
    /// skipped.
    OtherBlock {
        /// Its track.
        track: u64,
        /// Bytes of the block, header included.
        bytes: u64,
    },
    /// A block whose header or lacing contradicts its size; nothing of it is usable.
    BadBlock,
    /// KVS ends the body with an error.
    Error {
        /// AWS_KINESISVIDEO_ERROR_ID, when it is a number.
        id: Option<u32>,
        /// AWS_KINESISVIDEO_ERROR_CODE.
        code: Option<&'a str>,
    },
    /// The fragment is complete: MILLIS_BEHIND_NOW and CONTINUATION_TOKEN were both seen.
    FragmentEnd(&'a AwsTags),
    /// The document is over.
    DocumentEnd {
        /// It came to its end: a fragment with its trailing tags, or a document without fragment
        /// number that was not cut inside an element.
        complete: bool,
        /// Its bytes, from the EBML header on.
        bytes: u64,
    },
    /// Bytes skipped between damage and the next document.
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
