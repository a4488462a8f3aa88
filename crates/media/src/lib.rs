//! The media path without I/O: GetMedia bytes go in, 16 kHz mono PCM with sample positions comes
//! out.
//!
//! # Contract
//! This crate never waits, never reads a clock, never logs and never opens anything. Whoever owns
//! the connection drives [`Stream`] by three calls:
//!
//! 1. [`Stream::push`] hands over bytes as they arrived, and says which of them it did not take yet;
//! 2. [`Stream::poll`] is called until it returns `None`, **before the next push**: a block's PCM comes
//!    out in the same round in which the block's last byte went in, unless its stamp says that time is
//!    missing: then it waits for at most 120 ms of media that bear it out or not;
//! 3. [`Stream::finish`] is called when the body ended, after a last drain. The same `Stream` then takes
//!    the next body (a reconnect): decoder and timeline are kept, and what was emitted once is
//!    never emitted again.
//!
//! Bad input is not an error of a call: damage, unknown codecs and KVS's error tags are
//! [`Output`]s, and every stream goes on at the next fragment. No length read from the wire is
//! believed before it met a named limit ([`mkv::limits`]), and never more than
//! [`mkv::limits::MAX_HELD`] bytes are held; with all that decodes them a stream takes less than
//! 256 KB of memory.
//!
//! # Layers, in the direction the data flows
//! | layer | what | in → out |
//! |---|---|---|
//! | [`mkv`] | push parser for Matroska documents back to back, AWS tags included | bytes → blocks |
//! | [`format`](mod@format) | what a track really carries, whatever its label | track → format |
//! | [`decoder`]: [`opus`], [`aac`], [`pcm`] | one packet to 16 kHz mono, concealment of lost time | packet → samples |
//! | [`timeline`] | where in the session a block's samples stand; pure integer arithmetic | time → position |
//! | [`Stream`] | the three together, resumable at any fragment | bytes → positioned PCM |

pub mod aac;
pub mod decoder;
pub mod format;
pub mod mkv;
pub mod opus;
pub mod pcm;
pub mod timeline;

mod convert;
mod resample;
mod suspicion;

mod anchor;
pub use anchor::Anchor;

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

/// Samples per second of everything this crate emits.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples per millisecond of everything this crate emits.
pub const SAMPLES_PER_MS: u32 = SAMPLE_RATE / 1000;
