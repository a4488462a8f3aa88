//! What the last packets mean for the end of the sound, should nothing follow them.

use super::emission::SAMPLE_NANOS;
use crate::decoder::Packet;
use crate::timeline::Length;

/// Longest time concealed at the end for packets of unknown length, in samples (1 s).
const MAX_LOST: i64 = 16_000;

/// Longest DiscardPadding believed, ns (1 s).
const MAX_PADDING: i64 = 1_000_000_000;

/// What is known at any time of an end that may come now.
#[derive(Debug)]
pub(super) struct Ending {
    /// Of the last packet that was one.
    length: Length,
    /// Packets behind it that were none of the codec: only the time of what follows tells how long they were.
    unknown: u32,
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
        Self { length: Length::samples(0), unknown: 0, padding: 0 }
    }
}

impl Ending {
    /// A packet was none of the codec. Returns how long it most likely was, ns: as the one before it.
    pub(super) fn unknown(&mut self) -> i64 {
        self.unknown = self.unknown.saturating_add(1);
        self.length.nanos()
    }

    /// A packet found its place, and so did those before it.
    pub(super) fn placed(&mut self) {
        self.unknown = 0;
    }

    /// A packet was decoded. Returns how many of its samples are dropped if nothing follows: the padding
    /// comes out last, so a filter holds the end of it.
    ///
    /// A negative DiscardPadding (at the start) is none of ours, and what would reach beyond its own packet
    /// is cut off there: the packets before went out when they came.
    pub(super) fn decoded(&mut self, packet: Packet<'_>, discard_padding: i64) -> usize {
        let nanos = discard_padding.clamp(0, MAX_PADDING);
        // At most a second's.
        let samples = ((nanos + SAMPLE_NANOS / 2) / SAMPLE_NANOS) as u32;
        let padding = samples.min(packet.latency());
        *self = Self { length: packet.length(), unknown: 0, padding };
        (samples - padding) as usize
    }

    /// Nothing follows, and the decoder's samples are late by `latency`.
    pub(super) fn tail(&mut self, latency: u32) -> Tail {
        let Self { length, unknown, padding } = std::mem::take(self);
        let lost = (length.nanos() / SAMPLE_NANOS * i64::from(unknown)).min(MAX_LOST);
        // Where a packet followed the padding, it was audio after all.
        let padding = if unknown > 0 { 0 } else { padding };
        // A decoder that was given nothing holds nothing.
        let held = if length.frames == 0 { 0 } else { latency.saturating_sub(padding) };
        // The limit keeps it in range.
        Tail { held, lost: lost as u32 }
    }
}
