//! The bytes that streams receive and send, as metrics of the namespace `AWS/KinesisVideo` (KVS
//! developer guide, "Monitoring Amazon Kinesis Video Streams metrics with CloudWatch"). Its other
//! metrics are not kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cloudwatch::Metrics;

const RECEIVED: &str = "PutMedia.IncomingBytes";
const SENT: &str = "GetMedia.OutgoingBytes";

/// What a stream received by PutMedia and sent by GetMedia since it was last published.
#[derive(Debug, Default)]
pub(super) struct StreamBytes {
    received: AtomicU64,
    sent: AtomicU64,
}

impl StreamBytes {
    /// Counts bytes that the stream received.
    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that were sent on one of its connections.
    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The bytes of each stream.
#[derive(Debug, Default)]
pub(super) struct Traffic(Mutex<BTreeMap<String, Arc<StreamBytes>>>);

impl Traffic {
    /// Returns the counters of a stream, which its connections hold.
    pub(super) fn of(&self, stream: &str) -> Arc<StreamBytes> {
        Arc::clone(self.lock().entry(stream.to_owned()).or_default())
    }

    /// Publishes the bytes since the last call, one value for each metric and stream that has any.
    pub(super) fn publish(&self, metrics: &Metrics) {
        for (stream, metric, bytes) in self.take() {
            let dimension = ("StreamName", stream.as_str());
            metrics.count("AWS/KinesisVideo", metric, dimension, "Bytes", bytes as f64);
        }
    }

    /// Takes the bytes, and forgets the streams without connections.
    fn take(&self) -> Vec<(String, &'static str, u64)> {
        let mut streams = self.lock();
        let mut taken = Vec::new();
        // Without a connection nothing is counted any more: a new one has to lock this map first.
        streams.retain(|stream, bytes| {
            let is_connected = Arc::get_mut(bytes).is_none();
            for (metric, count) in [(RECEIVED, &bytes.received), (SENT, &bytes.sent)] {
                taken.push((stream.clone(), metric, count.swap(0, Ordering::Relaxed)));
            }
            is_connected
        });
        drop(streams);
        taken.retain(|(.., bytes)| *bytes > 0);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<StreamBytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_has_the_bytes_since_the_last_time() {
        let traffic = Traffic::default();
        let (a, b) = (traffic.of("a"), traffic.of("b"));
        a.received(3);
        traffic.of("a").received(4);
        a.sent(5);
        b.sent(6);
        drop(b);
        let of = |stream: &str, metric, bytes| (stream.to_owned(), metric, bytes);
        assert_eq!(traffic.take(), [of("a", RECEIVED, 7), of("a", SENT, 5), of("b", SENT, 6)]);
        assert_eq!(traffic.take(), []);
        a.sent(1);
        assert_eq!(traffic.take(), [of("a", SENT, 1)]);
        assert_eq!(traffic.lock().len(), 1);
    }
}
