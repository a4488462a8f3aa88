//! What the use cases need from outside, in their own words. Each trait is one capability; the
//! Lambdas implement them on the AWS SDK, the tests in memory.
//!
//! A port makes one call and reports its fault; how often and how long to try is decided here, in
//! the use cases.

use std::{future::Future, time::Duration};

use crate::{
    ChannelArn, Claim, EndedReason, Notice, PendingEvent, PortError, Remembered, RequestId,
    Session, SessionId, SignalingEndpoints, StreamArn, Tags,
};

/// Everything that the use cases of the session API need from outside.
pub trait Ports {
    /// The Sessions table.
    type Sessions: Sessions + Send;
    /// The control plane of KVS.
    type Media: MediaControl + Send;
    /// The bus that takes status changes.
    type Events: EventBus + Send;
    /// Who listens.
    type Listeners: Listeners + Send;
    /// Time, chance and the journal.
    type Surroundings: Surroundings + Send;
}

/// One item of the Sessions table.
pub trait SessionLookup: Sync {
    /// Reads an item as it is now (a consistent read).
    fn get(
        &self,
        session_id: &SessionId,
    ) -> impl Future<Output = Result<Option<Session>, PortError>> + Send;
}

/// The Sessions table. Every write is conditional, so that none undoes another's.
pub trait Sessions: SessionLookup + PendingEvents {
    /// Stores a new item, takes a place for its speaker and remembers the request, all in one or none of it.
    fn insert(
        &self,
        reservation: &Reservation<'_>,
    ) -> impl Future<Output = Result<Reserved, PortError>> + Send;

    /// The sessions for which the speaker has taken a place.
    fn places(
        &self,
        speaker_id: &str,
    ) -> impl Future<Output = Result<Vec<SessionId>, PortError>> + Send;

    /// Gives back places of the speaker. One that is not taken is a success.
    fn free_places(
        &self,
        speaker_id: &str,
        sessions: &[SessionId],
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// What is remembered of a request (a consistent read).
    fn remembered(
        &self,
        request: &RequestId,
    ) -> impl Future<Output = Result<Option<Remembered>, PortError>> + Send;

    /// Forgets a request, if it still is for this session and was not answered; else that is a success.
    fn forget(
        &self,
        request: &RequestId,
        session_id: &SessionId,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Takes an item from `creating` to `active`, and remembers it as the answer to its request; `false` when either is
    /// not as it was reserved.
    fn activate(
        &self,
        activation: &Activation<'_>,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Changes `updatedAt` of an item that is still as it was reserved, so that an activation under
    /// way can no longer succeed; `false` when it has succeeded, or the item is gone.
    fn forestall(
        &self,
        session_id: &SessionId,
        reserved_at: u64,
        now: u64,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Removes an item that is still `creating`. One that is gone already is a success.
    fn discard(&self, session_id: &SessionId)
    -> impl Future<Output = Result<(), PortError>> + Send;

    /// Changes an item that is live and still as it was seen, and tells its consumer, all in one; `false` when it is
    /// not so any more.
    fn change(&self, change: &Change<'_>) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// Takes an item of this speaker from `active` or `paused` to `ended`; `false` when it is not
    /// in one of these states or not theirs.
    fn end(&self, ending: &Ending<'_>) -> impl Future<Output = Result<bool, PortError>> + Send;
}

/// The part of the Sessions table that remembers which events are still to be emitted.
pub trait PendingEvents: Sync {
    /// Removes the item's pending event if it still is `event`. Another one stays, and an item
    /// without one is a success.
    fn clear_pending_event(
        &self,
        session_id: &SessionId,
        event: &PendingEvent,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The one transaction that reserves an id.
#[derive(Clone, Copy, Debug)]
pub struct Reservation<'a> {
    /// The session as it is to be: creating.
    pub session: &'a Session,
    /// Most places that its speaker may take.
    pub most: u32,
    /// The request that asks for it, if it has a name.
    pub claim: Option<&'a Claim>,
}

/// What a reservation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// It is made.
    Yes,
    /// The id is taken.
    IdTaken,
    /// The speaker has taken all places.
    NoPlace,
    /// The request is remembered, and not as the claim expects. This is said before anything else is.
    KeyKnown,
}

/// The one write that makes a session active.
#[derive(Clone, Copy, Debug)]
pub struct Activation<'a> {
    /// The session as it is to be: active, with ARNs, endpoints and pending event.
    pub session: &'a Session,
    /// `updatedAt` of the item as it was reserved.
    pub reserved_at: u64,
    /// The request that is answered by it.
    pub claim: Option<&'a Claim>,
}

/// The one transaction that changes a session.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The session as it is to be: status, languages, tier, `updatedAt` and version of the settings.
    pub session: &'a Session,
    /// `updatedAt` of the item as it was seen.
    pub seen_at: u64,
}

/// The one write that ends a session.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// The session.
    pub session_id: &'a SessionId,
    /// Who it must belong to.
    pub speaker_id: &'a str,
    /// Why it ends.
    pub reason: EndedReason,
    /// The event that tells of it.
    pub pending_event: &'a PendingEvent,
    /// Now, Unix ms.
    pub now: u64,
}

/// The part of the control plane that removes what was created.
pub trait MediaRemoval: Sync {
    /// Takes the channel off its stream. Doing it twice is harmless.
    fn disable_storage(
        &self,
        channel: &ChannelArn,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a channel. A mapped one is [`ErrorKind::InUse`](crate::ErrorKind::InUse).
    fn delete_channel(
        &self,
        arn: &ChannelArn,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a stream and all that it holds. A mapped one is
    /// [`ErrorKind::InUse`](crate::ErrorKind::InUse).
    fn delete_stream(&self, arn: &StreamArn) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The control plane of Kinesis Video Streams.
pub trait MediaControl: MediaRemoval {
    /// Asks for a signaling channel; it is not usable before its state is
    /// [`ResourceState::Active`]. A taken name is [`ErrorKind::InUse`](crate::ErrorKind::InUse).
    fn create_channel(
        &self,
        name: &str,
        tags: &Tags,
    ) -> impl Future<Output = Result<ChannelArn, PortError>> + Send;

    /// Asks for a stream that keeps its media for `retention_hours` (≥ 1: a stream that keeps
    /// nothing cannot be mapped). A taken name is
    /// [`ErrorKind::InUse`](crate::ErrorKind::InUse).
    fn create_stream(
        &self,
        name: &str,
        tags: &Tags,
        retention_hours: u32,
    ) -> impl Future<Output = Result<StreamArn, PortError>> + Send;

    /// State of a channel.
    fn channel_state(
        &self,
        arn: &ChannelArn,
    ) -> impl Future<Output = Result<ResourceState, PortError>> + Send;

    /// State of a stream.
    fn stream_state(
        &self,
        arn: &StreamArn,
    ) -> impl Future<Output = Result<ResourceState, PortError>> + Send;

    /// Makes KVS store what is spoken into the channel in the stream. Doing it twice is harmless.
    fn enable_storage(
        &self,
        channel: &ChannelArn,
        stream: &StreamArn,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Where a speaker connects. The channel must be mapped, or there is no WEBRTC endpoint.
    fn endpoints(
        &self,
        channel: &ChannelArn,
    ) -> impl Future<Output = Result<SignalingEndpoints, PortError>> + Send;
}

/// State of a channel or stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceState {
    /// Asked for, not usable yet; also an update under way.
    Pending,
    /// Usable.
    Active,
    /// On its way out.
    Deleting,
}

/// A session's listeners: the Connections table, and the WebSocket API that holds their connections.
pub trait Listeners: Sync {
    /// Whether there is a way to tell them anything.
    fn can_be_told(&self) -> bool;

    /// At most [`PAGE`](crate::listeners::PAGE) listeners of a session, those that come after `after` in the table's
    /// order. One who has just come or left may be missing or still be there.
    fn page(
        &self,
        session_id: &SessionId,
        after: Option<&Listener>,
    ) -> impl Future<Output = Result<Vec<Listener>, PortError>> + Send;

    /// Sends a message over a connection.
    fn post(
        &self,
        connection_id: &str,
        message: &str,
    ) -> impl Future<Output = Result<Heard, PortError>> + Send;

    /// Removes a connection's item, if it still listens to this session. One that does not, or is gone, is a success.
    fn remove(
        &self,
        session_id: &SessionId,
        connection_id: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// One listener, as the index of the Connections table has them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// The language they asked for; whatever stands there, for it is only a place in the index.
    pub target_language: String,
    /// Their connection.
    pub connection_id: String,
}

/// Whether a message reached its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It did.
    Yes,
    /// The connection is no more.
    Gone,
}

/// The event bus.
pub trait EventBus: Sync {
    /// Puts one `Session Status Change` on the bus. An entry that the bus did not take is a fault,
    /// even if the call as a whole succeeded.
    fn put(
        &self,
        detail: &str,
        trace_header: Option<&str>,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Time.
pub trait Clock: Sync {
    /// Now by the calendar, Unix ms.
    fn now_ms(&self) -> u64;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// Chance.
pub trait Random: Sync {
    /// A number, each as likely as the other.
    fn next_u64(&self) -> u64;
}

/// Where the use cases tell what happened.
pub trait Journal: Sync {
    /// Logs the notice and counts its metrics.
    fn note(&self, notice: &Notice<'_>);
}

/// Time, chance and a journal: what every use case needs.
pub trait Surroundings: Clock + Random + Journal {}

impl<T: Clock + Random + Journal> Surroundings for T {}
