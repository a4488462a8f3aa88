//! References for tests: writers that share no code with the product, Opus encoding and decoding
//! with bare libopus, seeded audio, the bundled recording, and the table of benchmark figures.
//!
//! This crate is for tests only: it panics on invalid arguments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod aac;
pub mod ebml;
pub mod figures;
pub mod getmedia;
pub mod line;
pub mod opus;
pub mod opus_kinds;
pub mod pcm;
pub mod recorded;
pub mod snr;

mod recording;
pub use recording::{recording, recording_bytes, shared_media};
