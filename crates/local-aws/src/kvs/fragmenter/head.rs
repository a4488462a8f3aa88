//! Everything before the first Cluster.

use std::collections::BTreeSet;

use axum::body::Bytes;

use super::extent;
use crate::kvs::ingest_error::IngestError;
use ebml::{Header, id};

/// Most tracks (PutMedia quota).
const TRACKS: usize = 3;
/// Largest head, and largest tags after a Cluster.
pub(super) const HEAD_BYTES: usize = 1024 * 1024;

/// The elements before the first Cluster, and what the rules of PutMedia need of them.
#[derive(Debug)]
pub(super) struct Head {
    /// The elements, until a Cluster begins.
    open: Vec<u8>,
    /// The elements, once a Cluster has begun.
    sealed: Option<Bytes>,
    tracks: Option<BTreeSet<u64>>,
    /// Nanoseconds in a timecode unit.
    pub(super) timecode_scale: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self { open: Vec::new(), sealed: None, tracks: None, timecode_scale: 1_000_000 }
    }
}

impl Head {
    /// Returns whether no element was kept.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns whether a Cluster has begun.
    pub(super) fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Returns the elements before the first Cluster; none before it begins.
    pub(super) fn sealed(&self) -> Bytes {
        self.sealed.clone().unwrap_or_default()
    }

    /// Returns the declared tracks.
    pub(super) fn tracks(&self) -> BTreeSet<u64> {
        self.tracks.clone().unwrap_or_default()
    }

    /// Adds the head of a Segment of unknown size.
    pub(super) fn begin_segment(&mut self) {
        self.open.extend_from_slice(&ebml::SEGMENT_START);
    }

    /// Ends the head at a Cluster.
    ///
    /// # Errors
    /// No Tracks came before the Cluster.
    pub(super) fn seal(&mut self) -> Result<(), IngestError> {
        if self.tracks.is_none() {
            return Err(IngestError::InvalidMkv("a Cluster comes before Tracks"));
        }
        self.sealed.get_or_insert_with(|| Bytes::from(std::mem::take(&mut self.open)));
        Ok(())
    }

    /// Keeps the element at the start of `rest`, and reads the timecode scale and the tracks.
    /// Returns the number of consumed bytes, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// The head is too large, or has an invalid scale or invalid tracks.
    pub(super) fn keep(
        &mut self,
        header: Header,
        rest: &[u8],
    ) -> Result<Option<usize>, IngestError> {
        const LARGE: IngestError = IngestError::InvalidMkv("the head is larger than 1 MiB");
        let end = extent(header)?;
        if self.open.len().saturating_add(end) > HEAD_BYTES {
            return Err(LARGE);
        }
        let Some(raw) = rest.get(..end) else { return Ok(None) };
        let payload = &raw[header.len..];
        match header.id {
            id::INFO => self.timecode_scale = timecode_scale(payload)?,
            id::TRACKS => self.tracks = Some(track_numbers(payload)?),
            _ => {}
        }
        self.open.extend_from_slice(raw);
        Ok(Some(end))
    }
}

fn timecode_scale(info: &[u8]) -> Result<u64, IngestError> {
    let scale = ebml::children(info)?
        .into_iter()
        .find(|(child, value)| *child == id::TIMECODE_SCALE && value.len() <= 8)
        .map_or(1_000_000, |(_, value)| ebml::number(value));
    if scale == 0 {
        return Err(IngestError::InvalidMkv("the TimecodeScale is 0"));
    }
    Ok(scale)
}

fn track_numbers(tracks: &[u8]) -> Result<BTreeSet<u64>, IngestError> {
    let mut numbers = BTreeSet::new();
    for (child, entry) in ebml::children(tracks)? {
        if child == id::TRACK_ENTRY {
            let number = ebml::children(entry)?
                .into_iter()
                .find(|(child, value)| *child == id::TRACK_NUMBER && value.len() <= 8)
                .ok_or(IngestError::InvalidMkv("a track has no number"))?;
            numbers.insert(ebml::number(number.1));
        }
    }
    match numbers.len() {
        0 => Err(IngestError::InvalidMkv("Tracks names no track")),
        found if found > TRACKS => Err(IngestError::TooManyTracks),
        _ => Ok(numbers),
    }
}
