//! What the last packets mean for the end of the sound, should nothing follow them.

use crate::codec::Packet;
use crate::timeline::{Length, SAMPLE_NANOS};

/// Longest time concealed at the end for packets of unknown length, in samples (1 s).
const MAX_LOST: i64 = 16_000;

/// Longest DiscardPadding believed, ns (1 s).
const MAX_PADDING: i64 = 1_000_000_000;

/// What is known at any time of an end that may come now.
#[derive(Debug)]
pub(super) struct Ending {
    /// Of the last packet that was decoded.
    length: Length,
    /// Samples of its DiscardPadding that the decoder still holds.
    padding: u32,
}

/// What comes out at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// Samples that the decoder holds, padding left out.
    pub(super) held: u32,
    /// Samples to conceal behind them.
    pub(super) lost: u32,
}

impl Default for Ending {
    fn default() -> Self {
        Self { length: Length::samples(0), padding: 0 }
    }
}

impl Ending {
    /// How long a packet most likely is that does not say: as the one before it; `None` before any.
    pub(super) fn likely_length(&self) -> Option<Length> {
        (self.length.frames > 0).then_some(self.length)
    }

    /// A packet was decoded. Returns how many of its samples are dropped if nothing follows: the
    /// padding comes out last, so a filter holds the end of it.
    ///
    /// A negative DiscardPadding (at the start) is none of ours, and what would reach beyond its
    /// own packet is cut off there: the packets before went out when they came.
    pub(super) fn decoded(&mut self, packet: Packet<'_>, discard_padding: i64) -> usize {
        let nanos = discard_padding.clamp(0, MAX_PADDING);
        // At most a second's.
        let samples = ((nanos + SAMPLE_NANOS / 2) / SAMPLE_NANOS) as u32;
        let padding = samples.min(packet.latency());
        *self = Self { length: packet.length(), padding };
        (samples - padding) as usize
    }

    /// Nothing follows, the decoder's samples are late by `latency`, and `lost` samples are missing
    /// behind them.
    pub(super) fn tail(&mut self, latency: u32, lost: i64) -> Tail {
        let Self { length, padding } = std::mem::take(self);
        // Where a packet followed the padding, it was audio after all.
        let padding = if lost > 0 { 0 } else { padding };
        // A decoder that was given nothing holds nothing.
        let held = if length.frames == 0 { 0 } else { latency.saturating_sub(padding) };
        // The limit keeps it in range.
        Tail { held, lost: lost.clamp(0, MAX_LOST) as u32 }
    }
}
