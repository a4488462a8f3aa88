//! The stream: fragments as they become available, and GetMedia with its ways to end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::FragmentNumber;
use relay::ports::{BodyError, MediaBody, MediaSource};
use session::{ErrorKind, PortError, StreamArn};
use testkit::getmedia::{Fragment, Framing, document, error_document};
use tokio::time::Instant;

use crate::side::Side;
use crate::state::{State, World};

/// GetMedia ends after this long without a fragment (facts of the API reference).
const IDLE: Duration = Duration::from_secs(3);
/// GetMedia ends after this long, whatever comes.
const LONGEST: Duration = Duration::from_secs(45 * 60);
/// Connections to one stream; the newest beyond them is refused.
const MOST_CONNECTIONS: usize = 3;
/// Bytes of a piece in which a body arrives.
const PIECE: usize = 900;

/// A fragment that the stream holds.
#[derive(Debug, Clone)]
pub struct Stored {
    /// When it can be read, since the world began.
    pub at: Duration,
    /// Its number.
    pub number: String,
    /// Its document, as GetMedia sends it but for MILLIS_BEHIND_NOW.
    pub document: Bytes,
    /// Nothing is in it that the stream did not hold already.
    pub repeated: bool,
}

/// An error of GetMedia with this code.
pub fn open_error(kind: ErrorKind, code: &str) -> PortError {
    PortError::new("GetMedia", kind, code)
}

/// The header of a Void element of 2^48 bytes.
const VOID: [u8; 9] = [0xEC, 0x01, 0x01, 0, 0, 0, 0, 0, 0];

/// What stands in a stored document for MILLIS_BEHIND_NOW, which is only known when it is sent.
const BEHIND: u64 = 9_999_999_999;

impl Stored {
    /// `fragment` as KVS stores it.
    pub fn new(at: Duration, framing: &Framing, fragment: &Fragment) -> Self {
        let number = fragment.number.clone().unwrap();
        let fragment = Fragment { millis_behind_now: Some(BEHIND), ..fragment.clone() };
        let document = document(framing, &fragment).into();
        Self { at, number, document, repeated: false }
    }

    /// The document as it is sent so long after the world began.
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

/// How a body is disturbed after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// Bytes that come first.
    pub after: usize,
    /// What happens then.
    pub how: How,
}

/// Ways to disturb a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The connection breaks.
    Cut,
    /// The body ends as if it were whole.
    End,
    /// Nothing comes for this long, then it goes on.
    Stall(Duration),
    /// KVS ends it with this error, after the document at hand.
    Tag(u32),
    /// So many bytes come wrong; the stream itself is whole.
    Damage(usize),
    /// The next document's first bytes come wrong, so that its structure is lost.
    DamagedHeader,
    /// A Void element follows that never ends, also where the body would idle: a piece of it after
    /// each such wait.
    Void(Duration),
}

impl How {
    /// Whether it strikes between two documents only.
    fn waits(self) -> bool {
        matches!(self, Self::Tag(_) | Self::DamagedHeader | Self::Void(_))
    }
}

impl Break {
    /// The connection breaks after so many bytes.
    pub fn cut(after: usize) -> Self {
        Self { after, how: How::Cut }
    }
}

/// What the stream holds and how it answers.
#[derive(Debug, Clone)]
pub struct Kvs {
    /// Everything that is or will be stored, in order.
    pub fragments: Vec<Stored>,
    /// Fragments before this one are past retention.
    pub oldest: usize,
    /// The stream is deleted.
    pub gone: bool,
    /// How the next bodies are disturbed, in order; then no more.
    pub breaks: VecDeque<Break>,
    /// What the next calls answer, in order; then they open.
    pub open_errors: VecDeque<PortError>,
    /// Every call: after which fragment.
    pub opens: Vec<Option<String>>,
    /// Bodies that are open.
    pub connections: usize,
    /// How long a body may be open.
    pub longest: Duration,
}

impl Kvs {
    pub(crate) fn of(fragments: Vec<Stored>) -> Self {
        Self {
            fragments,
            oldest: 0,
            gone: false,
            breaks: VecDeque::new(),
            open_errors: VecDeque::new(),
            opens: Vec::new(),
            connections: 0,
            longest: LONGEST,
        }
    }

    /// Where a body begins, or the error that it begins with.
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
        if self.gone {
            return Err(open_error(ErrorKind::NotFound, "ResourceNotFoundException"));
        }
        if self.connections >= MOST_CONNECTIONS {
            return Err(open_error(ErrorKind::Throttled, "ConnectionLimitExceededException"));
        }
        self.connections += 1;
        Ok((start, self.breaks.pop_front()))
    }
}

/// Counts as an open connection while it lives, also when its caller was gone before it was opened.
#[derive(Debug)]
struct Connection(Arc<World>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.state().kvs.connections -= 1;
    }
}

/// One connection: documents as they become available, in small pieces.
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
    /// Nothing but Void comes, a piece after each such wait.
    void: Option<Duration>,
    /// The next byte is a document's first.
    between: bool,
}

impl MediaSource for Side {
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
        self.world.state().kvs.gone
    }
}

impl MediaBody for Body {
    // Everything that must outlive a dropped call is in `self`.
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
        let strikes = |broken: &mut Break| broken.after == 0 && (between || !broken.how.waits());
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
                    // Before what it would have sent.
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

    /// The next document, when it is there and still is.
    fn due(&mut self) -> Option<Bytes> {
        let elapsed = self.world().elapsed();
        let kvs = &self.connection.0.state().kvs;
        if kvs.gone {
            // What an open connection sees is not documented: here it hears nothing more.
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
