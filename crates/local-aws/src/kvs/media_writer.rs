//! Writes the media of a storage session into the stream that a channel is mapped to. It counts as
//! the stream's PutMedia connection, and its fragments pass the rules of PutMedia.

use std::sync::Arc;

use crate::aws_error::AwsError;

use super::Kvs;
use super::fragment::{FragmentHead, ServerTime};
use super::fragment_store::{Access, ConnectionPermit, FragmentStore};
use super::fragmenter::{FragmentEvent, Fragmenter};
use super::ingest_error::IngestError;

/// A producer's connection to a stream.
#[derive(Debug)]
pub(crate) struct MediaWriter {
    kvs: Arc<Kvs>,
    store: Arc<FragmentStore>,
    _permit: ConnectionPermit,
    origin_ms: i64,
    progressive: bool,
    fragmenter: Fragmenter,
    open: Option<Arc<FragmentHead>>,
}

impl Kvs {
    /// Connects a producer to a stream. `origin_ms` is the time of timecode 0, both the producer's
    /// and the server's. The fragments of a `progressive` producer can be read while it writes
    /// them, as those of PutMedia; others when they are complete.
    ///
    /// # Errors
    /// As PutMedia: the stream is not ACTIVE, or another producer is connected.
    pub(crate) fn media_writer(
        self: &Arc<Self>,
        stream_arn: &str,
        origin_ms: i64,
        progressive: bool,
    ) -> Result<MediaWriter, AwsError> {
        let now_ms = self.clock.now_ms();
        let store = self.media_of(None, Some(stream_arn), now_ms)?;
        let permit = store.acquire(Access::Write, now_ms)?;
        Ok(MediaWriter {
            kvs: Arc::clone(self),
            store,
            _permit: permit,
            origin_ms,
            progressive,
            fragmenter: Fragmenter::default(),
            open: None,
        })
    }
}

impl MediaWriter {
    /// Writes the next bytes of a Matroska document.
    ///
    /// # Errors
    /// The document breaks a rule of PutMedia, or the stream is deleted or full.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), IngestError> {
        let mut events = Vec::new();
        self.fragmenter.push(bytes, &mut events)?;
        self.take(events)
    }

    /// Ends the document. Another one may follow.
    ///
    /// # Errors
    /// As [`MediaWriter::write`].
    pub(crate) fn end(&mut self) -> Result<(), IngestError> {
        let mut events = Vec::new();
        std::mem::take(&mut self.fragmenter).finish(&mut events)?;
        self.take(events)
    }

    fn take(&mut self, events: Vec<FragmentEvent>) -> Result<(), IngestError> {
        for event in events {
            match event {
                FragmentEvent::Started { timecode_ms, preamble } => {
                    let start_ms = self.origin_ms.saturating_add(timecode_ms);
                    let server_time = ServerTime::Real(start_ms);
                    self.open = Some(self.store.open(server_time, start_ms, preamble));
                }
                FragmentEvent::Grew { children, duration_ms } if self.progressive => {
                    self.store.grow(children, duration_ms);
                }
                FragmentEvent::Grew { .. } => {}
                FragmentEvent::Complete(whole) => {
                    let Some(head) = self.open.take() else { continue };
                    self.store.keep(head, whole, self.kvs.clock.now_ms())?;
                }
            }
        }
        Ok(())
    }
}
