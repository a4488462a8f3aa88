//! The simulated KVS stream: fragments as they become available, and GetMedia with its errors.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use session::{ErrorKind, PortError};
use testkit::getmedia::{Fragment, Framing, document};

use crate::EPOCH_MS;

/// Maximum duration of a GetMedia connection.
const MAX_DURATION: Duration = Duration::from_secs(45 * 60);
/// Concurrent connections to one stream; one more is refused.
const MAX_CONNECTIONS: usize = 3;

/// A fragment that the stream holds.
#[derive(Debug, Clone)]
pub struct Stored {
    /// When it becomes readable, since the simulation began.
    pub at: Duration,
    /// Its SERVER_TIMESTAMP, in ms since the epoch.
    server_ms: u64,
    /// Its fragment number.
    pub number: String,
    /// Its Matroska document as GetMedia sends it, with a placeholder for MILLIS_BEHIND_NOW.
    pub document: Bytes,
    /// Whether the stream already held all of its audio.
    pub repeated: bool,
    /// How many bodies get it before it is gone. A fragment that its producer does not complete is
    /// sent to its readers, but not stored.
    pub bodies: u32,
}

/// Returns an error of GetMedia with this code.
pub fn open_error(kind: ErrorKind, code: &str) -> PortError {
    PortError::new("GetMedia", kind, code)
}

/// Placeholder of MILLIS_BEHIND_NOW in a stored document; the value is set when it is sent.
const BEHIND: u64 = 9_999_999_999;

impl Stored {
    /// Returns `fragment` as KVS stores it.
    pub fn new(at: Duration, framing: &Framing, fragment: &Fragment) -> Self {
        let number = fragment.number.clone().unwrap();
        let server_ms = fragment.server_ms.map_or(EPOCH_MS, |ms| u64::try_from(ms).unwrap());
        let fragment = Fragment { millis_behind_now: Some(BEHIND), ..fragment.clone() };
        let document = document(framing, &fragment).into();
        Self { at, server_ms, number, document, repeated: false, bodies: u32::MAX }
    }

    /// Returns the document as it is sent `elapsed` after the simulation began.
    pub(crate) fn sent_at(&self, elapsed: Duration) -> Bytes {
        let now_ms = EPOCH_MS + u64::try_from(elapsed.as_millis()).unwrap();
        let (blank, behind) = (BEHIND.to_string(), now_ms.saturating_sub(self.server_ms));
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
    pub(crate) fn between_documents(self) -> bool {
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
            Some(position) if position >= self.oldest && self.fragments[position].bodies > 0 => {
                Ok(position + 1)
            }
            _ => Err(4000),
        }
    }

    pub(crate) fn open(
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
