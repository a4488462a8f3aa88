//! GetMedia of the simulated stream: one body per call, with its ways to end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::FragmentNumber;
use relay::ports::{BodyError, MediaBody, MediaSource};
use session::{PortError, StreamArn};
use testkit::getmedia::error_document;
use tokio::time::Instant;

use crate::host::SimHost;
use crate::kvs::{Break, How};
use crate::state::{State, World};

/// GetMedia ends after this long without a fragment (API reference of GetMedia).
const IDLE: Duration = Duration::from_secs(3);

/// Length of the pieces in which a body arrives, bytes.
const PIECE: usize = 900;

/// The header of a Void element of 2^48 bytes.
const VOID: [u8; 9] = [0xEC, 0x01, 0x01, 0, 0, 0, 0, 0, 0];

/// Counts as an open connection until it is dropped, also if its caller is dropped before the
/// call returns.
#[derive(Debug)]
struct Connection(Arc<World>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.state().kvs.connections -= 1;
    }
}

/// A GetMedia body: documents as they become available, in small pieces.
#[derive(Debug)]
pub struct Body {
    connection: Connection,
    next: usize,
    pending: Bytes,
    broken: Option<Break>,
    stalled_until: Option<Instant>,
    opened: Instant,
    idle_since: Instant,
    error: Option<u32>,
    ended: bool,
    /// If set, the body sends only Void data, one piece after each such wait.
    void: Option<Duration>,
    /// Whether the next byte is the first of a document.
    between: bool,
}

impl MediaSource for SimHost {
    type Body = Body;

    async fn open(&self, _: &StreamArn, after: Option<&FragmentNumber>) -> Result<Body, PortError> {
        let after = after.map(ToString::to_string);
        let world = Arc::clone(&self.world);
        let open = |state: &mut State| state.kvs.open(after).map(|open| (Connection(world), open));
        let (connection, (start, broken)) = self.call(10, open).await?;
        let now = Instant::now();
        Ok(Body {
            connection,
            next: start.unwrap_or_default(),
            pending: Bytes::new(),
            broken,
            stalled_until: None,
            opened: now,
            idle_since: now,
            error: start.err(),
            ended: false,
            void: None,
            between: false,
        })
    }

    async fn is_gone(&self, _: &StreamArn) -> bool {
        self.world.state().kvs.deleted
    }
}

impl MediaBody for Body {
    // State that must survive a cancelled call is in `self`.
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        if let Some(id) = self.error.take() {
            self.ended = true;
            return Some(Ok(error_document(id, "FAULT", None).into()));
        }
        loop {
            if let Some(until) = self.stalled_until {
                tokio::time::sleep_until(until).await;
                self.stalled_until = None;
            }
            if self.ended || self.opened.elapsed() >= self.longest() {
                return None;
            }
            if let Some(wait) = self.void {
                tokio::time::sleep(wait).await;
                return Some(Ok(Bytes::from_static(&[0; PIECE])));
            }
            if !self.pending.is_empty() {
                break;
            }
            match self.due() {
                Some(document) => {
                    self.pending = document;
                    self.between = true;
                    self.next += 1;
                }
                None if let Some(Break { how: How::Void(wait), .. }) = self.broken => {
                    return Some(Ok(self.begin_void(wait)));
                }
                None if self.idle_since.elapsed() >= IDLE => return None,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        self.idle_since = Instant::now();
        let between = std::mem::take(&mut self.between);
        let applies =
            |broken: &mut Break| broken.after == 0 && (between || !broken.how.between_documents());
        if let Some(broken) = self.broken.take_if(applies) {
            match broken.how {
                How::Cut => return Some(Err(BodyError("cut".into()))),
                How::End => {
                    self.ended = true;
                    return None;
                }
                How::Tag(id) => {
                    self.ended = true;
                    return Some(Ok(error_document(id, "FAULT", None).into()));
                }
                How::Stall(time) => {
                    // The stall comes before the next bytes.
                    let until = *self.stalled_until.insert(Instant::now() + time);
                    tokio::time::sleep_until(until).await;
                    self.stalled_until = None;
                }
                How::Damage(bytes) => return Some(Ok(self.damaged(bytes))),
                How::Void(wait) => return Some(Ok(self.begin_void(wait))),
                How::DamagedHeader => return Some(Ok(self.damaged(4))),
            }
        }
        let left = self.broken.map_or(0, |broken| broken.after);
        let most = if left == 0 { PIECE } else { left.min(PIECE) };
        let length = self.pending.len().min(most);
        if let Some(broken) = &mut self.broken {
            broken.after = broken.after.saturating_sub(length);
        }
        tokio::task::yield_now().await;
        Some(Ok(self.pending.split_to(length)))
    }
}

impl Body {
    fn world(&self) -> &World {
        &self.connection.0
    }

    fn longest(&self) -> Duration {
        self.world().state().kvs.longest
    }

    /// Returns the next document if it is readable and within retention. It was sent as soon as it
    /// was readable: a reader that is slow finds it in the connection's buffers.
    fn due(&mut self) -> Option<Bytes> {
        let elapsed = self.world().elapsed();
        let opened = elapsed - self.opened.elapsed();
        let kvs = &mut self.connection.0.state().kvs;
        if kvs.deleted {
            // AWS does not document what an open connection receives; here it receives nothing.
            return None;
        }
        self.next = self.next.max(kvs.oldest);
        while kvs.fragments.get(self.next).is_some_and(|fragment| fragment.bodies == 0) {
            self.next += 1;
        }
        let next = kvs.fragments.get_mut(self.next).filter(|fragment| fragment.at <= elapsed)?;
        next.bodies -= 1;
        Some(next.sent_at(opened.max(next.at)))
    }

    fn begin_void(&mut self, wait: Duration) -> Bytes {
        self.void = Some(wait);
        Bytes::from_static(&VOID)
    }

    fn damaged(&mut self, bytes: usize) -> Bytes {
        let mut piece = self.pending.split_to(self.pending.len().min(bytes)).to_vec();
        let mut state = self.connection.0.state();
        for byte in &mut piece {
            *byte ^= 1 + u8::try_from(state.random.below(255)).unwrap();
        }
        piece.into()
    }
}
