//! Splits a producer's bytes into fragments, one for each Cluster, as they arrive.
//!
//! Independent of the product's own parser on purpose: it keeps the raw bytes before the first
//! Cluster and of each Cluster's children, and parses only what the rules of PutMedia need. It
//! buffers at most one fragment (50 MB), whose children it also passes on as they arrive.

mod head;
mod pending_cluster;

use axum::body::Bytes;

use super::ingest_error::IngestError;
use ebml::{Header, id};
use head::{HEAD_BYTES, Head};
use pending_cluster::{PendingCluster, to_ms};

/// Largest fragment (PutMedia quota).
pub(super) const FRAGMENT_BYTES: usize = 50 * 1024 * 1024;
/// Longest fragment (PutMedia quota).
const FRAGMENT_MS: i64 = 20_000;

/// An event in a producer's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FragmentEvent {
    /// A fragment started: its Cluster's timecode in ms, and everything before the first Cluster.
    Started { timecode_ms: i64, preamble: Bytes },
    /// The next children of its Cluster, and its duration so far in ms.
    Grew { children: Bytes, duration_ms: i64 },
    /// The fragment is complete.
    Complete(ProducerFragment),
}

/// A fragment as the producer sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProducerFragment {
    pub(super) duration_ms: i64,
    /// The whole Cluster: a head of twelve bytes with its size, and its children.
    pub(super) cluster: Bytes,
    pub(super) trailing: Bytes,
}

/// Splits the body of one PutMedia connection. Not usable after an error.
#[derive(Debug, Default)]
pub(super) struct Fragmenter {
    buffer: Vec<u8>,
    place: Place,
    /// Remaining bytes of a skipped element, which may be larger than any buffer.
    skip: u64,
    head: Head,
    pending: Option<PendingCluster>,
    /// The latest frame of the complete Clusters, in timecode units.
    last_frame: Option<u64>,
    /// The duration of a block in the complete Clusters, in timecode units.
    last_step: i16,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    Segment,
    /// Remaining bytes of the Cluster; absent if its size is unknown.
    Cluster(Option<u64>),
}

impl Fragmenter {
    /// Takes bytes and appends the events that they complete.
    ///
    /// # Errors
    /// The bytes break a rule of PutMedia.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<FragmentEvent>,
    ) -> Result<(), IngestError> {
        let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= passed as u64;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(&bytes[passed..]);
        let mut used = 0;
        while let Some(rest) = buffer.get(used..).filter(|rest| !rest.is_empty()) {
            let Some(header) = ebml::header(rest)? else { break };
            let Some(taken) = self.step(header, rest, out)? else { break };
            self.skip = (taken as u64).saturating_sub(rest.len() as u64);
            used += taken.min(rest.len());
        }
        buffer.drain(..used);
        self.buffer = buffer;
        self.pass_on(out);
        Ok(())
    }

    /// Appends the children that have arrived since the last time, once the Timecode has.
    fn pass_on(&mut self, out: &mut Vec<FragmentEvent>) {
        let Some(pending) = &mut self.pending else { return };
        if pending.timecode.is_some() && !pending.fresh.is_empty() {
            let children = Bytes::from(std::mem::take(&mut pending.fresh));
            pending.parts.push(children.clone());
            // The duration of a first block is not known yet.
            let step = if pending.step == 0 { self.last_step } else { pending.step };
            let duration_ms = pending.duration_ms(step, self.head.timecode_scale);
            out.push(FragmentEvent::Grew { children, duration_ms });
        }
    }

    /// Handles the end of the request, which ends the last Cluster of unknown size.
    ///
    /// # Errors
    /// [`IngestError::StreamRead`] when the end falls inside an element.
    pub(super) fn finish(&mut self, out: &mut Vec<FragmentEvent>) -> Result<(), IngestError> {
        let inside = matches!(self.place, Place::Cluster(Some(_)));
        if inside || self.skip > 0 || !self.buffer.is_empty() {
            return Err(IngestError::StreamRead);
        }
        self.complete(out)
    }

    /// Handles the element at the start of `rest`; returns the number of consumed bytes, or `None`
    /// if more bytes are needed.
    fn step(
        &mut self,
        header: Header,
        rest: &[u8],
        out: &mut Vec<FragmentEvent>,
    ) -> Result<Option<usize>, IngestError> {
        match self.place {
            Place::Outside => self.outside(header, rest),
            Place::Segment => self.in_segment(header, rest, out),
            Place::Cluster(None) if id::ends_cluster(header.id) => {
                self.place = Place::Segment;
                Ok(Some(0))
            }
            Place::Cluster(left) => self.in_cluster(header, rest, left, out),
        }
    }

    fn outside(&mut self, header: Header, rest: &[u8]) -> Result<Option<usize>, IngestError> {
        match header.id {
            id::EBML if self.head.is_empty() => self.head.keep(header, rest),
            id::SEGMENT if !self.head.is_empty() => {
                self.head.begin_segment();
                self.place = Place::Segment;
                Ok(Some(header.len))
            }
            _ => Err(IngestError::InvalidMkv("it starts without an EBML header and a Segment")),
        }
    }

    fn in_segment(
        &mut self,
        header: Header,
        rest: &[u8],
        out: &mut Vec<FragmentEvent>,
    ) -> Result<Option<usize>, IngestError> {
        match header.id {
            id::EBML | id::SEGMENT => {
                self.complete(out)?;
                Err(IngestError::InvalidMkv("PutMedia takes one Segment in a connection"))
            }
            id::CLUSTER => {
                self.complete(out)?;
                self.head.seal()?;
                self.pending = Some(PendingCluster::default());
                self.place = Place::Cluster(header.size);
                Ok(Some(header.len))
            }
            _ if !self.head.is_sealed() => self.head.keep(header, rest),
            id::TAGS => self.keep_tags(header, rest),
            _ => Ok(Some(extent(header)?)),
        }
    }

    /// Stores tags that follow a Cluster of unknown size as that fragment's metadata. After a
    /// Cluster of known size they are too late, because its fragment was complete before them.
    fn keep_tags(&mut self, header: Header, rest: &[u8]) -> Result<Option<usize>, IngestError> {
        let end = extent(header)?;
        let held = self.pending.as_ref().map_or(0, |pending| pending.trailing.len());
        if held.saturating_add(end) > HEAD_BYTES {
            return Err(IngestError::InvalidMkv("the tags of a fragment are larger than 1 MiB"));
        }
        let Some(raw) = rest.get(..end) else { return Ok(None) };
        if let Some(pending) = &mut self.pending {
            pending.trailing.extend_from_slice(raw);
        }
        Ok(Some(end))
    }

    fn in_cluster(
        &mut self,
        header: Header,
        rest: &[u8],
        left: Option<u64>,
        out: &mut Vec<FragmentEvent>,
    ) -> Result<Option<usize>, IngestError> {
        let end = extent(header)?;
        if left.is_some_and(|left| end as u64 > left) {
            return Err(IngestError::InvalidMkv("an element is longer than its Cluster"));
        }
        let held = self.pending.as_ref().map_or(0, |pending| pending.len);
        if held.saturating_add(end) > FRAGMENT_BYTES {
            return Err(IngestError::FragmentSize);
        }
        let Some(raw) = rest.get(..end) else { return Ok(None) };
        self.take_child(header.id, raw, &raw[header.len..], out)?;
        match left.map(|left| left - end as u64) {
            Some(0) => {
                self.place = Place::Segment;
                self.complete(out)?;
            }
            left => self.place = Place::Cluster(left),
        }
        Ok(Some(end))
    }

    fn take_child(
        &mut self,
        id: u32,
        raw: &[u8],
        payload: &[u8],
        out: &mut Vec<FragmentEvent>,
    ) -> Result<(), IngestError> {
        let scale = self.head.timecode_scale;
        let Some(pending) = &mut self.pending else { return Ok(()) };
        pending.fresh.extend_from_slice(raw);
        pending.len += raw.len();
        match id {
            id::TIMECODE if payload.len() <= 8 && pending.timecode.is_none() => {
                let timecode = ebml::number(payload);
                pending.timecode = Some(timecode);
                // AWS's ERROR names the rejected fragment, so the fragment has started.
                out.push(FragmentEvent::Started {
                    timecode_ms: to_ms(timecode, scale),
                    preamble: self.head.sealed(),
                });
                if self.last_frame.is_some_and(|last| timecode <= last) {
                    return Err(IngestError::TimecodeLesserThanPrevious);
                }
            }
            id::SIMPLE_BLOCK => pending.block(payload)?,
            id::BLOCK_GROUP => {
                for (child, block) in ebml::children(payload)? {
                    if child == id::BLOCK {
                        pending.block(block)?;
                    }
                }
            }
            _ => {}
        }
        if pending.duration_ms(pending.step, scale) > FRAGMENT_MS {
            return Err(IngestError::FragmentDuration);
        }
        Ok(())
    }

    /// Ends the current Cluster, if there is one.
    fn complete(&mut self, out: &mut Vec<FragmentEvent>) -> Result<(), IngestError> {
        self.pass_on(out);
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let Some(timecode) = pending.timecode else {
            return Err(IngestError::InvalidMkv("a Cluster has no Timecode"));
        };
        let declared = self.head.tracks();
        if !pending.tracks.is_subset(&declared) {
            return Err(IngestError::TrackNumberMismatch);
        }
        if pending.tracks != declared {
            return Err(IngestError::FramesMissing);
        }
        let last_frame = timecode.saturating_add_signed(pending.last.into());
        self.last_frame = self.last_frame.max(Some(last_frame));
        self.last_step = pending.step;
        let mut cluster = Vec::with_capacity(pending.len + ebml::OPEN_CLUSTER.len());
        ebml::write_head(&mut cluster, id::CLUSTER, 8, pending.len);
        pending.parts.iter().for_each(|part| cluster.extend_from_slice(part));
        out.push(FragmentEvent::Complete(ProducerFragment {
            duration_ms: pending.duration_ms(pending.step, self.head.timecode_scale),
            cluster: Bytes::from(cluster),
            trailing: Bytes::from(pending.trailing),
        }));
        Ok(())
    }
}

/// Returns the bytes of a complete element.
fn extent(header: Header) -> Result<usize, IngestError> {
    header
        .size
        .and_then(|size| usize::try_from(size).ok())
        .and_then(|size| size.checked_add(header.len))
        .ok_or(IngestError::InvalidMkv("an element other than Segment and Cluster has no size"))
}

#[cfg(test)]
mod tests;
