//! The simulated KVS stream: fragments as they become available, and GetMedia with its errors.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::FragmentNumber;
use relay::ports::{BodyError, MediaBody, MediaSource};
use session::{ErrorKind, PortError, StreamArn};
use testkit::getmedia::{Fragment, Framing, document, error_document};
use tokio::time::Instant;

use crate::host::SimHost;
use crate::state::{State, World};

/// GetMedia ends after this long without a fragment (API reference of GetMedia).
const IDLE: Duration = Duration::from_secs(3);
/// Maximum duration of a GetMedia connection.
const MAX_DURATION: Duration = Duration::from_secs(45 * 60);
/// Concurrent connections to one stream; one more is refused.
const MAX_CONNECTIONS: usize = 3;
/// Length of the pieces in which a body arrives, bytes.
const PIECE: usize = 900;

/// A fragment that the stream holds.
#[derive(Debug, Clone)]
pub struct Stored {
    /// When it becomes readable, since the simulation began.
    pub at: Duration,
    /// Its fragment number.
    pub number: String,
    /// Its Matroska document as GetMedia sends it, with a placeholder for MILLIS_BEHIND_NOW.
    pub document: Bytes,
    /// Whether the stream already held all of its audio.
    pub repeated: bool,
}

/// Returns an error of GetMedia with this code.
pub fn open_error(kind: ErrorKind, code: &str) -> PortError {
    PortError::new("GetMedia", kind, code)
}

/// The header of a Void element of 2^48 bytes.
const VOID: [u8; 9] = [0xEC, 0x01, 0x01, 0, 0, 0, 0, 0, 0];

/// Placeholder of MILLIS_BEHIND_NOW in a stored document; the value is set when it is sent.
const BEHIND: u64 = 9_999_999_999;

impl Stored {
    /// Returns `fragment` as KVS stores it.
    pub fn new(at: Duration, framing: &Framing, fragment: &Fragment) -> Self {
        let number = fragment.number.clone().unwrap();
        let fragment = Fragment { millis_behind_now: Some(BEHIND), ..fragment.clone() };
        let document = document(framing, &fragment).into();
        Self { at, number, document, repeated: false }
    }

    /// Returns the document as it is sent `elapsed` after the simulation began.
    fn sent_at(&self, elapsed: Duration) -> Bytes {
        let (blank, behind) = (BEHIND.to_string(), elapsed.saturating_sub(self.at).as_millis());
        let mut document = self.document.to_vec();
        let text = blank.as_bytes();
        if let Some(place) = document.windows(text.len()).rposition(|window| window == text) {
            let width = text.len();
            document[place..place + width].copy_from_slice(format!("{behind:0width$}").as_bytes());
        }
        document.into()
    }
}

/// A fault in a GetMedia body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// Bytes before the fault.
    pub after: usize,
    /// The fault.
    pub how: How,
}

/// The kinds of faults in a GetMedia body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The connection fails.
    Cut,
    /// The body ends without an error.
    End,
    /// No byte arrives for this long; then the body continues.
    Stall(Duration),
    /// KVS ends the body with this error, after the current document.
    Tag(u32),
    /// This many bytes are damaged in transit; the stored fragment is intact.
    Damage(usize),
    /// The first bytes of the next document are damaged, so it cannot be parsed.
    DamagedHeader,
    /// An endless Void element follows, one piece after each such wait, also when no fragment is
    /// available.
    Void(Duration),
}

impl How {
    /// Returns whether the fault occurs only between two documents.
    fn between_documents(self) -> bool {
        matches!(self, Self::Tag(_) | Self::DamagedHeader | Self::Void(_))
    }
}

impl Break {
    /// Returns a connection failure after this many bytes.
    pub fn cut(after: usize) -> Self {
        Self { after, how: How::Cut }
    }
}

/// The stream's fragments and the faults of GetMedia.
#[derive(Debug, Clone)]
pub struct Kvs {
    /// All fragments, in order, including those that are not yet readable.
    pub fragments: Vec<Stored>,
    /// Index of the first fragment within retention.
    pub oldest: usize,
    /// Whether the stream is deleted.
    pub deleted: bool,
    /// Faults of the next bodies, one each, in order.
    pub breaks: VecDeque<Break>,
    /// Errors of the next GetMedia calls, one each, in order.
    pub open_errors: VecDeque<PortError>,
    /// The start position of each GetMedia call: the fragment after which it begins.
    pub opens: Vec<Option<String>>,
    /// Open bodies.
    pub connections: usize,
    /// Maximum duration of a body.
    pub longest: Duration,
}

impl Kvs {
    pub(crate) fn of(fragments: Vec<Stored>) -> Self {
        Self {
            fragments,
            oldest: 0,
            deleted: false,
            breaks: VecDeque::new(),
            open_errors: VecDeque::new(),
            opens: Vec::new(),
            connections: 0,
            longest: MAX_DURATION,
        }
    }

    /// Returns the index of a body's first fragment, or the error tag that it begins with.
    fn start(&self, after: Option<&str>) -> Result<usize, u32> {
        let Some(after) = after else { return Ok(self.oldest) };
        let known = self.fragments.iter().position(|fragment| fragment.number == after);
        match known {
            Some(position) if position >= self.oldest => Ok(position + 1),
            _ => Err(4000),
        }
    }

    fn open(
        &mut self,
        after: Option<String>,
    ) -> Result<(Result<usize, u32>, Option<Break>), PortError> {
        let start = self.start(after.as_deref());
        self.opens.push(after);
        if let Some(error) = self.open_errors.pop_front() {
            return Err(error);
        }
        if self.deleted {
            return Err(open_error(ErrorKind::NotFound, "ResourceNotFoundException"));
        }
        if self.connections >= MAX_CONNECTIONS {
            return Err(open_error(ErrorKind::Throttled, "ConnectionLimitExceededException"));
        }
        self.connections += 1;
        Ok((start, self.breaks.pop_front()))
    }
}

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
        let strikes =
            |broken: &mut Break| broken.after == 0 && (between || !broken.how.between_documents());
        if let Some(broken) = self.broken.take_if(strikes) {
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

    /// Returns the next document if it is readable and within retention.
    fn due(&mut self) -> Option<Bytes> {
        let elapsed = self.world().elapsed();
        let kvs = &self.connection.0.state().kvs;
        if kvs.deleted {
            // AWS does not document what an open connection receives; here it receives nothing.
            return None;
        }
        self.next = self.next.max(kvs.oldest);
        let next = kvs.fragments.get(self.next).filter(|fragment| fragment.at <= elapsed)?;
        Some(next.sent_at(elapsed))
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
