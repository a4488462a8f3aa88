//! Runs of one session in virtual time (`tests/simulator`). One executable, because each further
//! one takes seconds to compile and link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod delivery;
mod ending;
mod hand_off;
mod happy_path;
mod killed_anywhere;
mod lease;
mod listeners;
mod many_streams;
mod paused;
mod reading;
