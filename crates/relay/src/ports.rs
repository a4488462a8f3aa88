//! What this crate needs of the world, in its own words. Adapters (AWS in the Lambda, fakes in the
//! tests) implement these; no SDK type crosses them.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use media::FragmentNumber;
use session::audio::AudioPayload;
use session::{Language, PortError, SessionId, StreamArn};

use crate::answer::Reply;

use crate::clock::Clock;
use crate::lease::LeaseTable;
use crate::metrics::Snapshot;

/// Everything a run is given, under one name.
pub trait Ports: Send + Sync + 'static {
    /// Time.
    type Clock: Clock;
    /// Lease and checkpoint.
    type Leases: LeaseTable;
    /// GetMedia.
    type Media: MediaSource;
    /// The audio processor.
    type Processor: Processor;
    /// Where chunks go that the processor refuses for good.
    type DeadLetters: DeadLetters;
    /// Sessions and listeners.
    type Sessions: Sessions;
    /// Listeners.
    type Listeners: Listeners;
    /// The next link of the chain.
    type Links: Links;
    /// Metrics.
    type Meter: Meter;

    /// Time.
    fn clock(&self) -> &Self::Clock;
    /// A number in `0.0..1.0`, evenly drawn: jitter.
    fn random(&self) -> f64;
    /// Lease and checkpoint.
    fn leases(&self) -> &Self::Leases;
    /// GetMedia.
    fn media(&self) -> &Self::Media;
    /// The audio processor.
    fn processor(&self) -> &Self::Processor;
    /// Where chunks go that the processor refuses for good.
    fn dead_letters(&self) -> &Self::DeadLetters;
    /// Sessions and listeners.
    fn sessions(&self) -> &Self::Sessions;
    /// Listeners.
    fn listeners(&self) -> &Self::Listeners;
    /// The next link of the chain.
    fn links(&self) -> &Self::Links;
    /// Metrics.
    fn meter(&self) -> &Self::Meter;
}

/// Opens a stream's media (GetDataEndpoint + GetMedia).
pub trait MediaSource: Send + Sync {
    /// An open connection.
    type Body: MediaBody;

    /// Starts reading after fragment `after`, or with the oldest fragment there is.
    ///
    /// # Errors
    /// [`PortError`]; a stream that does not exist (any more) is [`session::ErrorKind::NotFound`].
    fn open(
        &self,
        stream: &StreamArn,
        after: Option<&FragmentNumber>,
    ) -> impl Future<Output = Result<Self::Body, PortError>> + Send;

    /// Whether the control plane, too, knows no such stream; `false` when it does not answer.
    fn is_gone(&self, stream: &StreamArn) -> impl Future<Output = bool> + Send;
}

/// The bytes of one GetMedia connection.
pub trait MediaBody: Send {
    /// The next bytes, `None` at the end.
    ///
    /// # Errors
    /// The connection was cut.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, BodyError>>> + Send;
}

/// A GetMedia body broke off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connection lost: {0}")]
pub struct BodyError(
    /// What the connection said.
    pub String,
);

/// The audio processor.
pub trait Processor: Send + Sync {
    /// Offers one payload, once. Never retries by itself: order and retries are the deliverer's.
    fn invoke(&self, payload: &AudioPayload) -> impl Future<Output = Reply> + Send;
}

/// Samples the processor refused for good.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Whose audio.
    pub session_id: SessionId,
    /// From which stream; the stream is kept while this letter is in the queue.
    pub stream_arn: String,
    /// Position of the first sample.
    pub start_sample: u64,
    /// How many.
    pub sample_count: u64,
    /// The fragment that carries the first of them.
    pub fragment_number: Option<String>,
    /// Why the processor refused.
    pub reason: String,
    /// The whole payload as it was offered, to offer again once the cause is gone.
    pub payload: AudioPayload,
}

/// Where dead letters go.
pub trait DeadLetters: Send + Sync {
    /// Stores the letter durably.
    ///
    /// # Errors
    /// The queue did not take it; the deliverer tries again and skips nothing before it did.
    fn send(&self, letter: &DeadLetter) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Sessions and listeners, read only.
pub trait Sessions: Send + Sync {
    /// Whether the session is over (ended, or gone). A session nobody knows is not over: the event
    /// may be older than the item.
    ///
    /// # Errors
    /// The table did not answer.
    fn is_over(&self, session: &SessionId) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// The languages of the session's listeners, in any order, repeated or not.
    ///
    /// # Errors
    /// The table did not answer.
    fn listener_languages(
        &self,
        session: &SessionId,
    ) -> impl Future<Output = Result<Vec<Language>, PortError>> + Send;
}

/// Tells the listeners.
pub trait Listeners: Send + Sync {
    /// Tells a session's listeners that it has ended, and removes them, for at most `limit`. Who is left when
    /// it is over, the health check finds.
    fn tell_ended(&self, session: &SessionId, limit: Duration) -> impl Future<Output = ()> + Send;
}

/// What the next link is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// The session to go on with.
    pub session_id: SessionId,
    /// The epoch that hands on.
    pub epoch: u64,
}

/// Starts the next link.
pub trait Links: Send + Sync {
    /// Invokes the next link asynchronously; returns once it is accepted.
    ///
    /// # Errors
    /// It was refused or throttled.
    fn invoke_next(
        &self,
        continuation: &Continuation,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Takes the numbers of a stream, about once a minute and at the end.
pub trait Meter: Send + Sync {
    /// Writes one line.
    fn emit(&self, session: &SessionId, snapshot: &Snapshot);
}

/// Milliseconds of a duration, for what is written down.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
