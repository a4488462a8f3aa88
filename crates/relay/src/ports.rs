//! Interfaces of this crate to its environment. Adapters (AWS in the Lambda function, simulators in
//! the tests) implement them; no SDK type crosses them.

use std::time::Duration;

use bytes::Bytes;
use media::FragmentNumber;
use session::audio::AudioPayload;
use session::ports::{Clock, Random, Tracer};
use session::{Language, PortFuture, SessionId, StreamArn};

use crate::answer::Reply;
use crate::config::Config;

use crate::lease_table::LeaseTable;
use crate::metrics::Snapshot;

/// The types of a run's dependencies.
pub trait Ports: Send + Sync + 'static {
    /// Time, random numbers and traces.
    type Context: Clock + Random + Tracer;
    /// Lease and checkpoint.
    type Leases: LeaseTable;
    /// GetMedia.
    type Media: MediaSource;
    /// The audio processor.
    type Processor: Processor;
    /// The dead-letter queue for chunks that the processor rejects permanently.
    type DeadLetters: DeadLetterQueue;
    /// Sessions and listener languages.
    type Sessions: SessionReader;
    /// Notices to listeners.
    type Listeners: EndNotices;
    /// Starts the next invocation.
    type SelfInvoker: SelfInvoker;
    /// Metrics.
    type Metrics: MetricsSink;
}

/// The dependencies and settings of the runs of one function. Its entry points are in `run.rs`.
pub struct Relay<'a, P: Ports> {
    /// Settings.
    pub config: &'a Config,
    /// Time, random numbers and traces.
    pub ctx: &'a P::Context,
    /// Lease and checkpoint.
    pub leases: &'a P::Leases,
    /// GetMedia.
    pub media: &'a P::Media,
    /// The audio processor.
    pub processor: &'a P::Processor,
    /// The dead-letter queue for chunks that the processor rejects permanently.
    pub dead_letters: &'a P::DeadLetters,
    /// Sessions and listener languages.
    pub sessions: &'a P::Sessions,
    /// Notices to listeners.
    pub listeners: &'a P::Listeners,
    /// Starts the next invocation.
    pub self_invoker: &'a P::SelfInvoker,
    /// Metrics.
    pub metrics: &'a P::Metrics,
}

/// Opens a stream's media (GetDataEndpoint + GetMedia).
pub trait MediaSource: Send + Sync {
    /// An open connection.
    type Body: MediaBody;

    /// Starts reading after fragment `after`, or from the oldest fragment.
    ///
    /// # Errors
    /// Returns [`session::PortError`]; a stream that does not exist (any more) is
    /// [`session::ErrorKind::NotFound`].
    fn open(
        &self,
        stream: &StreamArn,
        after: Option<&FragmentNumber>,
    ) -> impl PortFuture<Self::Body>;

    /// Returns whether the control plane also reports the stream as missing; `false` if it does not
    /// respond.
    fn is_gone(&self, stream: &StreamArn) -> impl Future<Output = bool> + Send;
}

/// The body of one GetMedia connection.
pub trait MediaBody: Send {
    /// Returns the next bytes, or `None` at the end.
    ///
    /// # Errors
    /// The connection was interrupted.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, BodyError>>> + Send;
}

/// A GetMedia body was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connection lost: {0}")]
pub struct BodyError(
    /// The connection's error.
    pub String,
);

/// The audio processor.
pub trait Processor: Send + Sync {
    /// Makes one attempt to deliver a payload. Never retries: the caller controls order and
    /// retries.
    fn invoke(&self, payload: &AudioPayload) -> impl Future<Output = Reply> + Send;
}

/// Samples that the processor rejected permanently.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The session.
    pub session_id: SessionId,
    /// Its stream; the stream is kept while this letter is in the queue.
    pub stream_arn: String,
    /// Position of the first sample.
    pub start_sample: u64,
    /// Number of samples.
    pub sample_count: u64,
    /// The fragment that carries the last sample.
    pub fragment_number: Option<String>,
    /// The processor's reason.
    pub reason: String,
    /// The complete payload, to work on once the cause is fixed.
    pub payload: AudioPayload,
}

/// The dead-letter queue.
pub trait DeadLetterQueue: Send + Sync {
    /// Stores the letter durably.
    ///
    /// # Errors
    /// The queue did not accept the letter. The caller retries and does not skip the samples until
    /// it succeeds.
    fn send(&self, letter: &DeadLetter) -> impl PortFuture<()>;
}

/// Sessions and listeners, read only.
pub trait SessionReader: Send + Sync {
    /// Returns whether the session is over (ended or deleted). An unknown session is not over: its
    /// event may arrive before its item exists.
    ///
    /// # Errors
    /// The table did not respond.
    fn is_over(&self, session: &SessionId) -> impl PortFuture<bool>;

    /// Returns the languages of the session's listeners, in any order and possibly repeated.
    ///
    /// # Errors
    /// The table did not respond.
    fn listener_languages(&self, session: &SessionId) -> impl PortFuture<Vec<Language>>;
}

/// Notifies listeners.
pub trait EndNotices: Send + Sync {
    /// Notifies a session's listeners that it has ended and removes them, for at most `limit`. The
    /// health check handles the listeners that are left.
    fn notify_ended(&self, session: &SessionId, limit: Duration)
    -> impl Future<Output = ()> + Send;
}

/// The request to the next invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// The session to continue.
    pub session_id: SessionId,
    /// The epoch that hands off.
    pub epoch: u64,
}

/// Starts the next invocation.
pub trait SelfInvoker: Send + Sync {
    /// Starts the next invocation asynchronously; returns when the call is accepted.
    ///
    /// # Errors
    /// The call was rejected or throttled.
    fn invoke_next(&self, continuation: &Continuation) -> impl PortFuture<()>;
}

/// Receives a stream's metrics, about once a minute and at the end.
pub trait MetricsSink: Send + Sync {
    /// Writes one report.
    fn emit(&self, session: &SessionId, snapshot: &Snapshot);
}
