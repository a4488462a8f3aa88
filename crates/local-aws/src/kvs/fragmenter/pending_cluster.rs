//! The Cluster that is being received.

use std::collections::BTreeSet;

use axum::body::Bytes;

use crate::kvs::ingest_error::IngestError;

/// The Cluster that is being received.
#[derive(Debug, Default)]
pub(super) struct PendingCluster {
    pub(super) timecode: Option<u64>,
    /// Its children that were passed on.
    pub(super) parts: Vec<Bytes>,
    /// Its children since.
    pub(super) fresh: Vec<u8>,
    /// Bytes of both.
    pub(super) len: usize,
    /// Offsets of its blocks in timecode units.
    first: Option<i16>,
    pub(super) last: i16,
    /// Difference between the two latest different offsets: the assumed duration of the last block.
    pub(super) step: i16,
    pub(super) tracks: BTreeSet<u64>,
    pub(super) trailing: Vec<u8>,
}

impl PendingCluster {
    /// Takes the head of a block: its track and its offset.
    ///
    /// # Errors
    /// The block has no whole head.
    pub(super) fn block(&mut self, payload: &[u8]) -> Result<(), IngestError> {
        const SHORT: IngestError = IngestError::InvalidMkv("a block has no whole head");
        let (track, len) = ebml::vint(payload).ok_or(SHORT)?;
        let offset = payload.get(len..len + 2).ok_or(SHORT)?;
        let offset = i16::from_be_bytes([offset[0], offset[1]]);
        self.tracks.insert(track);
        if self.first.is_none() {
            self.first = Some(offset);
            self.last = offset;
        } else if offset > self.last {
            self.step = offset.saturating_sub(self.last);
            self.last = offset;
        }
        Ok(())
    }

    /// Returns its duration if its last block lasts `step` timecode units.
    pub(super) fn duration_ms(&self, step: i16, scale: u64) -> i64 {
        let first = self.first.unwrap_or_default().min(0);
        let units = i64::from(self.last) - i64::from(first) + i64::from(step);
        to_ms(u64::try_from(units).unwrap_or_default(), scale)
    }
}

/// Converts timecode units to milliseconds.
pub(super) fn to_ms(units: u64, scale: u64) -> i64 {
    i64::try_from(u128::from(units) * u128::from(scale) / 1_000_000).unwrap_or(i64::MAX)
}
