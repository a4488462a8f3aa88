//! Whole streams through the public interface, one property per module. One executable, because
//! each further one takes seconds to compile and link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod aac;
mod aac_framing;
mod captures;
mod clock;
mod codecs;
mod containers;
mod cuts;
mod damage;
mod decode_example;
mod excess;
mod framing;
mod gaps;
mod jitter;
mod levels;
mod opus_kinds;
mod oracles;
mod payload;
mod reconnect;
mod repeats;
mod restarts;
mod resume;
mod stamps;
mod tracks;
