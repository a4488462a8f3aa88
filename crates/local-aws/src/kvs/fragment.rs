//! One fragment and its number.

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;

use crate::clock::{Clock, real_now_ms};

/// A fragment number in the form of real ones: 2^156 + sequence · 2^92 + a random tail, in
/// decimal. All have 47 digits, so the order of the texts is the order of the sequences.
/// (Derived from recorded GetMedia output, whose five numbers contain the sequences 1 to 5.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FragmentNumber(String);

impl FragmentNumber {
    /// Returns the number of the `sequence`-th fragment of a stream.
    pub(super) fn new(sequence: u64, tail: u64) -> Self {
        // 2^156 + s·2^92 = (2^64 + s) · 2^92, held in three limbs of 18 decimal digits.
        const LIMB: u128 = 1_000_000_000_000_000_000;
        let head = (1_u128 << 64) + u128::from(sequence);
        let mut limbs = [head % LIMB, head / LIMB, 0];
        for _ in 0..2 {
            // 46 bits at a time: a limb below 2^60 times 2^46 stays far below 2^128.
            let mut carry = 0;
            for limb in &mut limbs {
                let wide = (*limb << 46) + carry;
                *limb = wide % LIMB;
                carry = wide / LIMB;
            }
        }
        let mut carry = u128::from(tail);
        for limb in &mut limbs {
            let wide = *limb + carry;
            *limb = wide % LIMB;
            carry = wide / LIMB;
        }
        Self(format!("{}{:018}{:018}", limbs[2], limbs[1], limbs[0]))
    }

    /// Returns the decimal digits.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FragmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server timestamp, in ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerTime {
    /// By the cloud's clock, for PutMedia: a recording is sent as fast as the clock runs.
    Cloud(i64),
    /// By the real clock, for WebRTC media.
    Real(i64),
}

impl ServerTime {
    pub(super) fn ms(self) -> i64 {
        match self {
            Self::Cloud(ms) | Self::Real(ms) => ms,
        }
    }

    /// Returns the time since then, in ms of its own clock.
    pub(super) fn age_ms(self, clock: &Clock) -> i64 {
        let now_ms = match self {
            Self::Cloud(_) => clock.now_ms(),
            Self::Real(_) => real_now_ms(),
        };
        (now_ms - self.ms()).max(0)
    }
}

/// What a fragment has from the beginning of its ingestion on.
#[derive(Debug)]
pub(super) struct FragmentHead {
    /// Position in its stream, from 1, increasing.
    pub(super) sequence: u64,
    /// Its number on the wire.
    pub(super) number: FragmentNumber,
    /// When its ingestion began.
    pub(super) server_time: ServerTime,
    /// The producer's time of its start, in ms since the epoch.
    pub(super) producer_ms: i64,
    /// Everything the producer wrote before its first Cluster: EBML header, Segment of unknown
    /// size, Info, Tracks, tags. Shared by all fragments of one PutMedia connection.
    pub(super) preamble: Bytes,
}

/// A complete fragment as a stream stores it.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) head: Arc<FragmentHead>,
    /// When it was stored, by the cloud's clock, in ms since the epoch: the start of its retention.
    pub(super) stored_ms: i64,
    /// From its first block's start to its last block's end, in ms.
    pub(super) duration_ms: i64,
    /// The whole Cluster with its header.
    pub(super) cluster: Bytes,
    /// The producer's tags that followed this Cluster.
    pub(super) trailing: Bytes,
}

impl Fragment {
    /// Returns the bytes that count against the stream's limit. The preamble is shared and not
    /// counted.
    pub(super) fn bytes(&self) -> u64 {
        (self.cluster.len() + self.trailing.len()) as u64
    }

    /// Returns the producer's time of the end of its last block, in ms since the epoch.
    pub(super) fn end_ms(&self) -> i64 {
        self.head.producer_ms.saturating_add(self.duration_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_recorded_output() {
        // The first two of output_get_media.mkv are …392682062607743920146159169392 and
        // …397633822764885441725874549018: these, with other tails.
        let first = FragmentNumber::new(1, 0);
        assert_eq!(first.as_str(), "91343852333181432392682062201909209828092280832");
        let second = FragmentNumber::new(2, 0);
        assert_eq!(second.as_str(), "91343852333181432397633822359050730927688777728");
    }

    #[test]
    fn numbers_keep_their_length_and_grow() {
        let mut last = FragmentNumber::new(0, u64::MAX);
        for sequence in [1, 2, 3, 1000, u64::from(u32::MAX), 1 << 60] {
            for tail in [0, u64::MAX] {
                let number = FragmentNumber::new(sequence, tail);
                assert_eq!(number.as_str().len(), 47);
                assert!(number > last);
                last = number;
            }
        }
    }
}
