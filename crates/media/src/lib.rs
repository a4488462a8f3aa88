//! Decodes GetMedia bytes to 16 kHz mono PCM with sample positions, without I/O.
//!
//! # Contract
//! This crate never waits, reads no clock, writes no logs and opens no files or connections. The
//! caller drives [`Stream`] with three calls:
//!
//! 1. [`Stream::push`] passes received bytes and returns those that were not consumed yet.
//! 2. [`Stream::poll`] must be called until it returns `None`, **before the next push**. A block's
//!    PCM is returned in the round in which its last byte was pushed, unless its time stamp
//!    indicates lost time: such a block is deferred for at most 120 ms of media, until the stamps
//!    of the blocks after it confirm or refute the loss.
//! 3. [`Stream::finish`] must be called when the body has ended, after the last drain. The same
//!    `Stream` then accepts the next body (a reconnect): it keeps decoder and timeline, and never
//!    emits a sample twice.
//!
//! No call fails on bad input: damage, unsupported codecs and KVS error tags are [`Output`]s, and
//! decoding resumes at the next fragment. Every length in the input is checked against a named
//! limit ([`mkv::limits`]) before memory is allocated. A stream buffers at most
//! [`mkv::limits::MAX_HELD`] bytes and uses, including its decoder, less than 256 KB of memory.
//!
//! # Layers, in the direction of the data
//! | layer | purpose | input → output |
//! |---|---|---|
//! | [`mkv`] | push parser for concatenated Matroska documents with AWS tags | bytes → blocks |
//! | [`codec::Format`] | the codec of a track, detected from its description | track → format |
//! | [`codec::Decoder`] | decoding to 16 kHz mono, concealment of lost time | packet → samples |
//! | [`timeline`] | position of a block's samples in the session, in integers | time → position |
//! | [`Stream`] | the layers above as one pipeline, resumable at any fragment | bytes → PCM |

pub mod codec;
pub mod mkv;
pub mod timeline;

mod convert;
mod resample;

mod resume_point;
pub use resume_point::ResumePoint;

mod content;
pub use content::Content;

mod counters;
pub use counters::Counters;

mod error;
pub use error::Error;

mod fragment;
pub use fragment::FragmentNumber;

mod output;
pub use output::{FragmentAudio, Output, Tail};

mod stream;
pub use stream::{Stream, StreamOptions};

/// Sample rate of the output, in Hz.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples per millisecond of the output.
pub const SAMPLES_PER_MS: u32 = SAMPLE_RATE / 1000;
