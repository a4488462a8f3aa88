//! The external dependencies of the use cases. Each trait covers one capability; the Lambda
//! functions implement them with the AWS SDK, the tests in memory.
//!
//! A port method makes one call and returns its error. The use cases decide how often to retry and
//! for how long.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

use crate::{
    ChannelArn, DomainEvent, EndedReason, IdempotencyClaim, IdempotencyRecord, PendingEvent,
    PortFuture, RequestId, Session, SessionId, SignalingEndpoints, StreamArn, Tags, WarmPair,
};

/// The set of ports that the use cases of the session API require.
pub trait Ports {
    /// The Sessions table.
    type Sessions: Sessions + Send;
    /// The control plane of KVS.
    type Media: MediaControl + Send;
    /// The event bus that receives status changes.
    type Events: EventBus + Send;
    /// The session's listeners.
    type Listeners: Listeners + Send;
    /// Clock, random source, telemetry and traces.
    type Context: Context + Send;
}

/// Read access to items of the Sessions table.
pub trait SessionLookup: Sync {
    /// Reads an item with a consistent read.
    fn get(&self, session_id: &SessionId) -> impl PortFuture<Option<Session>>;
}

/// The Sessions table. Every write is conditional, so that concurrent writers do not overwrite each
/// other's changes.
pub trait Sessions: SessionLookup + PendingEvents + Reservations + WarmPairs {
    /// Moves an item from `creating` to `active` and records it as the response to its request.
    /// Returns `false` if the item or the request is not as it was reserved.
    fn activate(&self, activation: &Activation<'_>) -> impl PortFuture<bool>;

    /// Changes a live item and its consumer's settings in one transaction. Returns `false` if the
    /// item has changed since it was read or is no longer live.
    fn change(&self, change: &Change<'_>) -> impl PortFuture<bool>;

    /// Moves an item of this speaker from `active` or `paused` to `ended`. Returns `false` if it is
    /// in another state or belongs to another speaker.
    fn end(&self, ending: &SessionEnd<'_>) -> impl PortFuture<bool>;
}

/// The part of the Sessions table that reserves ids: with session slots and idempotency records.
pub trait Reservations: Sync {
    /// Stores a new item, takes a session slot of its speaker, takes the warm pair and records the
    /// request, in one transaction.
    fn reserve(&self, reservation: &Reservation<'_>) -> impl PortFuture<ReservationOutcome>;

    /// Changes `updatedAt` of an item that is still as it was reserved, so that an activation in
    /// flight can no longer succeed. Returns `false` if the activation has succeeded or the item is
    /// gone.
    fn fence_reservation(
        &self,
        session_id: &SessionId,
        reserved_at: u64,
        now: u64,
    ) -> impl PortFuture<bool>;

    /// Deletes an item that is still `creating`. Succeeds if the item does not exist.
    fn delete_reservation(&self, session_id: &SessionId) -> impl PortFuture<()>;

    /// Returns the sessions that occupy a slot of the speaker.
    fn session_slots(&self, speaker_id: &str) -> impl PortFuture<Vec<SessionId>>;

    /// Releases session slots of the speaker. Releasing a slot that is not taken succeeds.
    fn release_slots(&self, speaker_id: &str, sessions: &[SessionId]) -> impl PortFuture<()>;

    /// Returns the record of a request, using a consistent read.
    fn idempotency_record(&self, request: &RequestId)
    -> impl PortFuture<Option<IdempotencyRecord>>;

    /// Deletes the record of a request if it still belongs to this session and has no response;
    /// otherwise succeeds without a change.
    fn delete_idempotency_record(
        &self,
        request: &RequestId,
        session_id: &SessionId,
    ) -> impl PortFuture<()>;
}

/// The part of the Sessions table that stores events until they are emitted.
pub trait PendingEvents: Sync {
    /// Removes the item's pending event if it is still `event`. Leaves a different event in place;
    /// succeeds if there is none.
    fn clear_pending_event(
        &self,
        session_id: &SessionId,
        event: &PendingEvent,
    ) -> impl PortFuture<()>;
}

/// The transaction that reserves a session id.
#[derive(Clone, Copy, Debug)]
pub struct Reservation<'a> {
    /// The session to store, in state `creating`.
    pub session: &'a Session,
    /// Maximum number of session slots of the speaker.
    pub max_sessions: u32,
    /// The idempotency claim of the request, if it has a key.
    pub claim: Option<&'a IdempotencyClaim>,
    /// The warm pair to take, whose session is `session`. Its item is deleted.
    pub pair: Option<&'a WarmPair>,
}

/// Outcome of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationOutcome {
    /// The id is reserved.
    Reserved,
    /// The id is in use.
    IdTaken,
    /// All session slots of the speaker are taken.
    QuotaReached,
    /// A record of the request exists and is not the one that the claim supersedes. Takes
    /// precedence over the other outcomes.
    KeyInUse,
    /// The warm pair is no longer ready, or another request is taking it.
    PairTaken,
}

/// The part of the Sessions table that stores warm pairs.
pub trait WarmPairs: Sync {
    /// Returns the pairs in the first `slots` slots of an environment, using a consistent read.
    fn warm_pairs(&self, env: &str, slots: u32) -> impl PortFuture<Vec<WarmPair>>;
}

/// The write that makes a session active.
#[derive(Clone, Copy, Debug)]
pub struct Activation<'a> {
    /// The session to store, in state `active`, with ARNs, endpoints and pending event.
    pub session: &'a Session,
    /// `updatedAt` of the reserved item.
    pub reserved_at: u64,
    /// The idempotency claim of the request, if it has a key.
    pub claim: Option<&'a IdempotencyClaim>,
}

/// The transaction that changes a session.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The session after the change: status, languages, tier, `updatedAt` and settings version.
    pub session: &'a Session,
    /// `updatedAt` of the item when it was read.
    pub seen_at: u64,
}

/// The write that ends a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionEnd<'a> {
    /// The session.
    pub session_id: &'a SessionId,
    /// The speaker to whom the session must belong.
    pub speaker_id: &'a str,
    /// Reason for the end.
    pub reason: EndedReason,
    /// The event that announces the end.
    pub pending_event: &'a PendingEvent,
    /// Current time, Unix ms.
    pub now: u64,
}

/// The part of the KVS control plane that deletes resources.
pub trait MediaRemoval: Sync {
    /// Disables media storage of a channel, which unmaps it from its stream. Idempotent.
    fn disable_storage(&self, channel: &ChannelArn) -> impl PortFuture<()>;

    /// Deletes a channel. Fails with [`ErrorKind::InUse`](crate::ErrorKind::InUse) while the
    /// channel is mapped to a stream.
    fn delete_channel(&self, arn: &ChannelArn) -> impl PortFuture<()>;

    /// Deletes a stream and its media. Fails with [`ErrorKind::InUse`](crate::ErrorKind::InUse)
    /// while a channel is mapped to it.
    fn delete_stream(&self, arn: &StreamArn) -> impl PortFuture<()>;
}

/// The control plane of Kinesis Video Streams.
pub trait MediaControl: MediaRemoval {
    /// Creates a signaling channel. The channel is usable once its state is
    /// [`ResourceState::Active`]. Fails with [`ErrorKind::InUse`](crate::ErrorKind::InUse) if the
    /// name is taken.
    fn create_channel(&self, name: &str, tags: &Tags) -> impl PortFuture<ChannelArn>;

    /// Creates a stream that retains its media for `retention_hours` (≥ 1: KVS does not map a
    /// channel to a stream without retention). Fails with
    /// [`ErrorKind::InUse`](crate::ErrorKind::InUse) if the name is taken.
    fn create_stream(
        &self,
        name: &str,
        tags: &Tags,
        retention_hours: u32,
    ) -> impl PortFuture<StreamArn>;

    /// Returns the state of a channel.
    fn channel_state(&self, arn: &ChannelArn) -> impl PortFuture<ResourceState>;

    /// Returns the state of a stream.
    fn stream_state(&self, arn: &StreamArn) -> impl PortFuture<ResourceState>;

    /// Enables media storage, which maps the channel to the stream: KVS then stores the channel's
    /// media in it. Idempotent.
    fn enable_storage(&self, channel: &ChannelArn, stream: &StreamArn) -> impl PortFuture<()>;

    /// Returns the endpoints to which a speaker connects. The channel must be mapped to a stream;
    /// otherwise it has no WEBRTC endpoint.
    fn endpoints(&self, channel: &ChannelArn) -> impl PortFuture<SignalingEndpoints>;
}

/// State of a channel or stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceState {
    /// Being created or updated; not usable yet.
    Pending,
    /// Usable.
    Active,
    /// Being deleted.
    Deleting,
}

/// A session's listeners: the Connections table and the WebSocket API that manages their
/// connections.
pub trait Listeners: Sync {
    /// Returns whether messages can be sent, which requires a WebSocket API endpoint.
    fn can_notify(&self) -> bool;

    /// Returns at most [`PAGE`](crate::listeners::PAGE) listeners of a session, those after `after`
    /// in the index's order. The index is eventually consistent: a recent join or leave may not be
    /// visible.
    fn page(
        &self,
        session_id: &SessionId,
        after: Option<&Listener>,
    ) -> impl PortFuture<Vec<Listener>>;

    /// Sends a message to a connection.
    fn post(&self, connection_id: &str, message: &str) -> impl PortFuture<PostOutcome>;

    /// Deletes a connection's item if the connection still belongs to this session; otherwise
    /// succeeds without a change.
    fn remove(&self, session_id: &SessionId, connection_id: &str) -> impl PortFuture<()>;
}

/// One listener, as the index of the Connections table stores it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// The requested target language. It is not validated, because it serves only as a position in
    /// the index.
    pub target_language: String,
    /// Id of the WebSocket connection.
    pub connection_id: String,
}

/// Outcome of sending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostOutcome {
    /// The message was sent.
    Sent,
    /// The connection no longer exists.
    Gone,
}

/// The event bus.
pub trait EventBus: Sync {
    /// Puts one `Session Status Change` on the bus. Returns an error if the bus rejected the entry,
    /// even if the call as a whole succeeded.
    fn put(&self, detail: &str, trace_header: Option<&str>) -> impl PortFuture<()>;
}

/// Time: a wall clock for values that other machines read, and a monotonic clock for intervals
/// within this process. The two are never mixed: a lease expires in wall time, and the holder's
/// right to deliver expires in monotonic time.
pub trait Clock: Send + Sync {
    /// Returns the current wall-clock time, Unix ms.
    fn now_ms(&self) -> u64;

    /// Returns the monotonic time.
    fn instant(&self) -> Instant;

    /// Waits until `instant`.
    fn sleep_until(&self, instant: Instant) -> impl Future<Output = ()> + Send;

    /// Waits for `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.sleep_until(self.instant() + duration)
    }

    /// Returns the output of `future`, or `None` after `limit`; the future is then dropped.
    fn within<F: Future + Send>(
        &self,
        limit: Duration,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + Send
    where
        F::Output: Send,
    {
        async move {
            tokio::select! {
                biased;
                output = future => Some(output),
                () = self.sleep(limit) => None,
            }
        }
    }
}

/// Returns a duration in whole ms.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Source of random numbers.
pub trait Random: Sync {
    /// Returns a uniformly distributed `u64`.
    fn next_u64(&self) -> u64;

    /// Returns a uniformly distributed number in `0.0..1.0`.
    fn fraction(&self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Receives the domain events of the use cases.
pub trait Telemetry: Sync {
    /// Logs the event and emits its metrics.
    fn record(&self, event: &DomainEvent<'_>);
}

/// A named piece of work on a session.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The name, for example `restart`.
    pub name: &'static str,
    /// The session.
    pub session_id: &'a SessionId,
    /// The epoch of the lease under which it is done, if any.
    pub epoch: Option<u64>,
}

/// Records pieces of work in the trace of the current invocation.
pub trait Tracer: Sync {
    /// Runs `future` as a piece of work; its error is recorded. Records nothing by default.
    fn traced<T: Send, E: Display + Send>(
        &self,
        _work: Work<'_>,
        future: impl Future<Output = Result<T, E>> + Send,
    ) -> impl Future<Output = Result<T, E>> + Send {
        future
    }
}

/// Clock, random source, telemetry and traces, which every use case requires.
pub trait Context: Clock + Random + Telemetry + Tracer {}

impl<T: Clock + Random + Telemetry + Tracer> Context for T {}
