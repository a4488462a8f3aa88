//! The last decoded packet: it determines the last samples if no packet follows.

use crate::codec::Packet;
use crate::timeline::{Length, SAMPLE_NANOS};

/// Longest time that is concealed at the end of a session, in samples (1 s).
const MAX_LOST: i64 = 16_000;

/// Longest DiscardPadding that is accepted, ns (1 s).
const MAX_PADDING: i64 = 1_000_000_000;

/// Length and padding of the last decoded packet.
#[derive(Debug)]
pub(super) struct LastPacket {
    /// Length; 0 before any packet.
    length: Length,
    /// Samples of its DiscardPadding that the decoder holds.
    padding: u32,
}

/// The samples that remain to be emitted at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remaining {
    /// Samples that the decoder holds, without padding.
    pub(super) held: u32,
    /// Samples to conceal after them.
    pub(super) lost: u32,
}

impl Default for LastPacket {
    fn default() -> Self {
        Self { length: Length::samples(0), padding: 0 }
    }
}

impl LastPacket {
    /// Returns the likely length of a damaged packet: that of the packet before it; `None` before
    /// any.
    pub(super) fn likely_length(&self) -> Option<Length> {
        (self.length.frames > 0).then_some(self.length)
    }

    /// Records a decoded packet. Returns how many of its samples are dropped if no packet follows;
    /// the decoder's filter holds the rest of the padding.
    ///
    /// A negative DiscardPadding (at the start) is ignored. Padding longer than its packet is cut
    /// to the packet: the packets before were emitted already.
    pub(super) fn decoded(&mut self, packet: Packet<'_>, discard_padding: i64) -> usize {
        let nanos = discard_padding.clamp(0, MAX_PADDING);
        // The clamp limits it to a second.
        let samples = ((nanos + SAMPLE_NANOS / 2) / SAMPLE_NANOS) as u32;
        let padding = samples.min(packet.latency());
        *self = Self { length: packet.length(), padding };
        (samples - padding) as usize
    }

    /// Ends the session: returns the remaining samples of a decoder with this latency, if `lost`
    /// samples are missing after them.
    pub(super) fn take_remaining(&mut self, latency: u32, lost: i64) -> Remaining {
        let Self { length, padding } = std::mem::take(self);
        // A packet followed, so the samples are not padding.
        let padding = if lost > 0 { 0 } else { padding };
        // A decoder without input holds no samples.
        let held = if length.frames == 0 { 0 } else { latency.saturating_sub(padding) };
        // The clamp keeps the value in range.
        Remaining { held, lost: lost.clamp(0, MAX_LOST) as u32 }
    }
}
