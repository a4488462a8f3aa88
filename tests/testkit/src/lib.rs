//! What the tests are held against: writers that share no code with the product, Opus encoding and
//! bare libopus decoding, seeded audio, the bundled recording, and the table of what benches
//! measure.
//!
//! Everything here is for tests: it panics where its caller asks for the impossible.
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
