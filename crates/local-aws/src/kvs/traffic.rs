//! The bytes that streams receive and send, as metrics of the namespace `AWS/KinesisVideo` (KVS
//! developer guide, "Monitoring Amazon Kinesis Video Streams metrics with CloudWatch"). Its other
//! metrics are not kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cloudwatch::Metrics;

const RECEIVED: &str = "PutMedia.IncomingBytes";
const SENT: &str = "GetMedia.OutgoingBytes";

/// What a stream received by PutMedia and sent by GetMedia.
#[derive(Debug, Default)]
struct Bytes {
    received: u64,
    sent: u64,
}

/// The bytes of each stream since they were last published.
#[derive(Debug, Default)]
pub(super) struct Traffic(Mutex<BTreeMap<String, Bytes>>);

impl Traffic {
    /// Counts bytes that a stream received.
    pub(super) fn received(&self, stream: &str, bytes: usize) {
        self.count(stream, |counts| counts.received += bytes as u64);
    }

    /// Counts bytes that were sent on one of its connections.
    pub(super) fn sent(&self, stream: &str, bytes: usize) {
        self.count(stream, |counts| counts.sent += bytes as u64);
    }

    /// Publishes the bytes since the last call, one value for each metric and stream that has any.
    pub(super) fn publish(&self, metrics: &Metrics) {
        for (stream, metric, bytes) in self.take() {
            let dimension = ("StreamName", stream.as_str());
            metrics.count("AWS/KinesisVideo", metric, dimension, "Bytes", bytes as f64);
        }
    }

    fn take(&self) -> Vec<(String, &'static str, u64)> {
        let of = |(stream, Bytes { received, sent }): (String, Bytes)| {
            [(stream.clone(), RECEIVED, received), (stream, SENT, sent)]
        };
        let all = std::mem::take(&mut *self.lock()).into_iter().flat_map(of);
        all.filter(|(.., bytes)| *bytes > 0).collect()
    }

    fn count(&self, stream: &str, add: impl FnOnce(&mut Bytes)) {
        let mut streams = self.lock();
        match streams.get_mut(stream) {
            Some(counts) => add(counts),
            None => add(streams.entry(stream.to_owned()).or_default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_has_the_bytes_since_the_last_time() {
        let traffic = Traffic::default();
        traffic.received("a", 3);
        traffic.received("a", 4);
        traffic.sent("a", 5);
        traffic.sent("b", 6);
        let of = |stream: &str, metric, bytes| (stream.to_owned(), metric, bytes);
        assert_eq!(traffic.take(), [of("a", RECEIVED, 7), of("a", SENT, 5), of("b", SENT, 6)]);
        assert_eq!(traffic.take(), []);
    }
}
