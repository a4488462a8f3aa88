//! Audio codecs: from the description of a track to 16 kHz mono samples.
//!
//! A codec is one module that implements [`Codec`] and one row of the table in `codec/table.rs`.
//! [`Format`] and [`Decoder`] are generated from that table; no other module names a codec, so
//! adding one changes nothing else. Dispatch is a `match` on an enum: no trait objects, no
//! allocation per packet.

pub mod aac;
pub mod opus;
pub mod pcm;

mod diagnosis;

mod table;
pub use table::{Decoder, Format, Packet};

use crate::Error;
use crate::mkv::{Track, limits};
use crate::timeline::Length;

/// A codec: how a track describes it, how a packet begins, and how packets become samples.
///
/// All sample counts are at 16 kHz unless stated otherwise.
pub trait Codec: Sized {
    /// Parameters of the decoder. Two tracks with equal parameters can share a decoder.
    type Parameters: std::fmt::Debug + Copy + Eq;

    /// Fields that are parsed from a packet before it is decoded.
    type Header<'a>: std::fmt::Debug + Copy;

    /// Longest block of a track, in bytes. The parser treats a longer one as damage.
    const MAX_BLOCK: u64 = limits::MAX_BLOCK;

    /// Reads the parameters of `track`; `mime_type` is the stream's MimeType tag. Returns `None` if
    /// the track is not of this codec, and the reason if it is and cannot be decoded.
    fn parameters(
        track: &Track,
        mime_type: Option<&str>,
    ) -> Option<Result<Self::Parameters, &'static str>>;

    /// Returns the rate at which pre-skip and CodecDelay are counted, in Hz.
    fn rate(parameters: Self::Parameters) -> u32;

    /// Returns the samples at [`Codec::rate`] to drop at the start of the session, if the
    /// parameters contain that number.
    fn pre_skip(_parameters: Self::Parameters) -> Option<u32> {
        None
    }

    /// Returns why only a part of the audio is decoded, if the parameters show it.
    fn partly_decoded(_parameters: Self::Parameters) -> Option<&'static str> {
        None
    }

    /// Creates a decoder.
    ///
    /// # Errors
    /// [`Error::Decoder`] when the codec's library fails.
    fn with_parameters(parameters: Self::Parameters) -> Result<Self, Error>;

    /// Returns the delay of the output relative to the decoded packets, in samples. Delay that the
    /// track states as CodecDelay or pre-skip does not count.
    fn latency(&self) -> u32 {
        0
    }

    /// Splits `block` into its first packet and the rest.
    fn split<'a>(&self, block: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        (block, &[])
    }

    /// Parses the header of a packet and returns the packet's length. Returns `None` if `data` is
    /// not a packet of this codec.
    fn header<'a>(&self, data: &'a [u8]) -> Option<(Length, Self::Header<'a>)>;

    /// Appends the samples of the packet to `out`, as many as in `span`. Returns `false` if the
    /// packet is damaged; the caller then discards the appended samples.
    fn decode(
        &mut self,
        data: &[u8],
        header: Self::Header<'_>,
        span: Span,
        out: &mut Vec<i16>,
    ) -> bool;

    /// Divides `samples` of lost time between the methods of concealment. `latency` is the delay of
    /// the output; `next` is the packet that follows.
    fn plan_concealment(
        samples: usize,
        latency: u32,
        _next: Option<Self::Header<'_>>,
    ) -> ConcealmentPlan {
        let concealed = samples.min(latency as usize);
        ConcealmentPlan { concealed, silence: samples - concealed, recovered: 0 }
    }

    /// Appends `samples` for the start of lost time: delayed output first, then concealment. Must
    /// be called for 0 samples too.
    fn conceal(&mut self, samples: usize, out: &mut Vec<i16>);

    /// Forgets the packets before lost time that concealment does not cover to its end. The next
    /// packet is decoded as the first of a stream: it would be predicted from packets that its
    /// encoder no longer refers to. Not needed if [`Codec::conceal`] does it.
    fn reset(&mut self) {}

    /// Appends `samples` for the end of lost time, from redundancy in the packet that follows. A
    /// codec without redundancy appends silence.
    fn recover(&mut self, samples: usize, _next: &[u8], out: &mut Vec<i16>) {
        out.resize(out.len() + samples, 0);
    }

    /// Returns why only a part of the audio is decoded, if only the packets show it.
    fn found_partly_decoded(&self) -> Option<&'static str> {
        None
    }

    /// Returns why no packet can be decoded yet, if the reason is missing parameters.
    fn missing_parameters(&self) -> Option<&'static str> {
        None
    }

    /// Returns the probable reason why `data` cannot be decoded, and the format to send
    /// instead.
    fn diagnose(&self, data: &[u8]) -> &'static str;
}

/// The samples of the timeline that a packet covers.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Number of samples at 16 kHz.
    pub samples: usize,
    /// Offset of the packet's start after the first of them, in 1/rate of a sample.
    pub fraction: u32,
}

/// How lost time is filled: three parts in this order, in samples at 16 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConcealmentPlan {
    /// By [`Decoder::conceal`].
    pub concealed: usize,
    /// By silence.
    pub silence: usize,
    /// By [`Decoder::recover`].
    pub recovered: usize,
}

impl Track {
    /// Returns the number of channels; 1 if the element is missing or empty (RFC 8794 §11.1.19).
    pub(crate) fn channel_count(&self) -> u64 {
        self.channels.filter(|channels| *channels > 0).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests;
