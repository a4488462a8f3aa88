//! A producer of Kinesis Video Streams: sends the Opus track of a recording to a stream with
//! PutMedia, in real time, as AWS's producer SDKs do.
//!
//! `local-cloud speak` and `run`, the canary and, through the command `put-media`, `make smoke`
//! send with it, to AWS or to a local cloud. It takes the place of the speaker's browser and of
//! WebRTC ingestion, with one difference: ingestion stores AAC, and this sends the recording's Opus
//! packets unchanged.

use std::ops::RangeInclusive;

mod ack;
mod file_kind;
mod fix_sizes;
mod media_file;
mod muxer;
mod opus;
mod recording;
mod speak;

pub use ack::{Ack, AckKind};
pub use aws_adapters::Sdk;
pub use aws_adapters::put_media::PutMedia;
pub use recording::{Packet, Recording, RecordingError};
pub use speak::{Producer, SpeakError, Spoken, TRIES};

/// The default length of a fragment, in ms: that of AWS's producer SDK.
pub const FRAGMENT_MS: u64 = 2000;
/// The length of a fragment, in ms. KVS refuses more than 20 s, and less than 1 s means more
/// fragments in a second than producers are advised to send.
#[cfg(feature = "cli")]
const FRAGMENTS_MS: RangeInclusive<u64> = 1_000..=20_000;
/// The allowed speeds, relative to real time.
#[cfg(feature = "cli")]
const SPEEDS: RangeInclusive<f64> = 0.1..=1000.0;

/// Speed and fragment length.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Pace {
    /// The speed of the recording, relative to real time, 0.1 to 1000.
    #[cfg_attr(feature = "cli", arg(long, default_value_t = 1.0, value_parser = speed))]
    pub speed: f64,
    /// The length of a fragment in milliseconds, 1000 to 20000. WebRTC ingestion makes about 10000.
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            default_value_t = FRAGMENT_MS,
            value_parser = clap::value_parser!(u64).range(FRAGMENTS_MS)
        )
    )]
    pub fragment_ms: u64,
    /// Send each fragment when it is complete, as WebRTC ingestion may do, and not block by block.
    #[cfg_attr(feature = "cli", arg(long))]
    pub whole_fragments: bool,
}

#[cfg(feature = "cli")]
fn speed(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|speed| SPEEDS.contains(speed))
        .ok_or_else(|| format!("{text:?} is not a number from 0.1 to 1000"))
}
