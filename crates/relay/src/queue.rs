//! The bounded buffer between the reader and the deliverer of one session.
//!
//! Reading continues while a chunk is being delivered. When the buffer is full, the reader waits
//! and stops polling the GetMedia body, which applies back pressure to KVS. A rewind empties the
//! buffer and makes the reader restart at another position.

use std::collections::VecDeque;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::chunker::Chunk;
use crate::shared::Shared;

/// A chunk and its arrival time.
#[derive(Debug, Clone)]
pub struct Queued {
    /// The chunk.
    pub chunk: Chunk,
    /// When the reader completed it.
    pub arrived: Instant,
}

/// The deliverer rewound; the reader must restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewound;

#[derive(Debug, Default)]
struct Inner {
    chunks: VecDeque<Queued>,
    samples: u64,
    rewind: Option<u64>,
}

/// Chunks in order, at most `limit` samples (one chunk may exceed it).
#[derive(Debug)]
pub struct Queue {
    limit: u64,
    inner: Shared<Inner>,
    readable: Notify,
    writable: Notify,
    rewound: Notify,
}

impl Queue {
    /// Creates a queue whose writer waits when it holds `limit` samples.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            inner: Shared::default(),
            readable: Notify::new(),
            writable: Notify::new(),
            rewound: Notify::new(),
        }
    }

    /// Adds a chunk, waiting until there is room.
    ///
    /// # Errors
    /// Returns [`Rewound`] and drops the chunk if the deliverer requested another position.
    pub async fn push(&self, queued: Queued) -> Result<(), Rewound> {
        loop {
            {
                let mut inner = self.inner.lock();
                if inner.rewind.is_some() {
                    return Err(Rewound);
                }
                if inner.samples < self.limit {
                    inner.samples += queued.chunk.samples.len() as u64;
                    inner.chunks.push_back(queued);
                    break;
                }
            }
            self.writable.notified().await;
        }
        self.readable.notify_one();
        Ok(())
    }

    /// Returns whether the queue is full, so that a push waits.
    pub fn is_full(&self) -> bool {
        self.holds(self.limit)
    }

    /// Returns whether the queue holds at least `samples` samples.
    pub fn holds(&self, samples: u64) -> bool {
        self.inner.lock().samples >= samples
    }

    /// Returns since when the next chunk waits for its delivery.
    pub fn waits_since(&self) -> Option<Instant> {
        self.inner.lock().chunks.front().map(|head| head.arrived)
    }

    /// Removes and returns the next chunk and the adjacent chunks, up to `limit` samples (always at
    /// least one chunk). Waits while the queue is empty.
    pub async fn take(&self, limit: u64) -> Vec<Queued> {
        loop {
            let batch = self.take_now(limit);
            if !batch.is_empty() {
                return batch;
            }
            self.readable.notified().await;
        }
    }

    /// Empties the queue and makes the reader restart at `position`.
    pub fn rewind(&self, position: u64) {
        {
            let mut inner = self.inner.lock();
            inner.chunks.clear();
            inner.samples = 0;
            inner.rewind = Some(position);
        }
        self.writable.notify_one();
        self.rewound.notify_one();
    }

    /// Resolves to the requested position when a rewind is requested; the reader restarts there.
    pub async fn rewound(&self) -> u64 {
        loop {
            if let Some(position) = self.inner.lock().rewind.take() {
                return position;
            }
            self.rewound.notified().await;
        }
    }

    /// Drops chunks that end at or before `position`: the predecessor has delivered them.
    pub fn discard_before(&self, position: u64) {
        {
            let mut inner = self.inner.lock();
            while inner
                .chunks
                .front()
                .is_some_and(|head| !head.chunk.last && head.chunk.end() <= position)
            {
                if let Some(head) = inner.chunks.pop_front() {
                    inner.samples -= head.chunk.samples.len() as u64;
                }
            }
        }
        self.writable.notify_one();
    }

    fn take_now(&self, limit: u64) -> Vec<Queued> {
        let mut batch: Vec<Queued> = Vec::new();
        {
            let mut inner = self.inner.lock();
            let mut samples = 0;
            while let Some(head) = inner.chunks.front() {
                let length = head.chunk.samples.len() as u64;
                let adjacent = batch.last().is_none_or(|before: &Queued| {
                    head.chunk.gap == 0
                        && before.chunk.end() == head.chunk.start
                        && samples + length <= limit
                });
                if !adjacent {
                    break;
                }
                samples += length;
                batch.extend(inner.chunks.pop_front());
            }
            inner.samples -= samples;
        }
        if !batch.is_empty() {
            self.writable.notify_one();
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(start: u64, length: usize, gap: u64) -> Queued {
        let chunk = Chunk {
            start,
            samples: vec![0; length],
            filled: 0,
            gap,
            producer_ms: 0,
            fragment: None,
            last: false,
        };
        Queued { chunk, arrived: Instant::now() }
    }

    #[tokio::test]
    async fn a_batch_is_adjacent_chunks_up_to_the_limit() {
        let queue = Queue::new(1000);
        for (start, gap) in [(0, 0), (8, 0), (16, 0), (34, 10), (42, 0)] {
            queue.push(chunk(start, 8, gap)).await.unwrap();
        }
        let starts = |batch: Vec<Queued>| batch.iter().map(|q| q.chunk.start).collect::<Vec<_>>();
        assert_eq!(starts(queue.take(16).await), [0, 8]);
        assert_eq!(starts(queue.take(100).await), [16]);
        assert_eq!(starts(queue.take(1).await), [34]);
        assert_eq!(starts(queue.take(1).await), [42]);
    }

    #[tokio::test]
    async fn a_full_queue_makes_the_writer_wait_until_something_is_taken() {
        let queue = Queue::new(8);
        queue.push(chunk(0, 8, 0)).await.unwrap();
        let write = queue.push(chunk(8, 8, 0));
        tokio::pin!(write);
        assert!(futures_poll(&mut write).await.is_none());
        queue.take(8).await;
        assert!(futures_poll(&mut write).await.is_some());
    }

    #[tokio::test]
    async fn a_rewind_empties_it_and_wakes_a_waiting_writer() {
        let queue = Queue::new(8);
        queue.push(chunk(0, 8, 0)).await.unwrap();
        let write = queue.push(chunk(8, 8, 0));
        tokio::pin!(write);
        assert!(futures_poll(&mut write).await.is_none());
        queue.rewind(3);
        assert_eq!(futures_poll(&mut write).await, Some(Err(Rewound)));
        assert_eq!(queue.rewound().await, 3);
        assert!(queue.push(chunk(3, 5, 0)).await.is_ok());
    }

    /// Polls once.
    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::ready(()) => None,
        }
    }
}
