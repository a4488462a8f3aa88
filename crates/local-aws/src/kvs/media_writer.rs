//! Writes the media of a storage session into the stream that a channel is mapped to. It counts as
//! the stream's PutMedia connection, and its fragments pass the rules of PutMedia.

use std::sync::Arc;

use crate::aws_error::AwsError;

use super::Kvs;
use super::fragment_store::{Access, ConnectionPermit, FragmentStore};
use super::fragmenter::{FragmentEvent, Fragmenter};
use super::ingest_error::IngestError;

/// A producer's connection to a stream.
#[derive(Debug)]
pub(crate) struct MediaWriter {
    kvs: Arc<Kvs>,
    store: Arc<FragmentStore>,
    _permit: ConnectionPermit,
}

impl Kvs {
    /// Connects a producer to a stream.
    ///
    /// # Errors
    /// As PutMedia: the stream is not ACTIVE, or another producer is connected.
    pub(crate) fn media_writer(
        self: &Arc<Self>,
        stream_arn: &str,
    ) -> Result<MediaWriter, AwsError> {
        let now_ms = self.clock.now_ms();
        let store = self.media_of(None, Some(stream_arn), now_ms)?;
        let permit = store.acquire(Access::Write, now_ms)?;
        Ok(MediaWriter { kvs: Arc::clone(self), store, _permit: permit })
    }
}

impl MediaWriter {
    /// Stores the fragments of a Matroska document. `server_ms` is the real time of their first
    /// frame, `origin_ms` the producer's time of timecode 0.
    ///
    /// # Errors
    /// The document breaks a rule of PutMedia, or the stream is deleted or full.
    pub(crate) fn write(
        &self,
        document: &[u8],
        server_ms: i64,
        origin_ms: i64,
    ) -> Result<(), IngestError> {
        let mut fragmenter = Fragmenter::default();
        let mut events = Vec::new();
        fragmenter.push(document, &mut events)?;
        fragmenter.finish(&mut events)?;
        for event in events {
            if let FragmentEvent::Complete(whole) = event {
                let producer_ms = origin_ms.saturating_add(whole.timecode_ms);
                let fragment_id = self.store.begin(server_ms);
                self.store.keep(fragment_id, whole, producer_ms, self.kvs.clock.now_ms())?;
            }
        }
        Ok(())
    }
}
