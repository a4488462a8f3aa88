//! The external dependencies of the health check.

use super::DeadLetterScan;
use crate::{
    ChannelArn, EndedReason, Ownership, PendingEvent, PortFuture, Session, SessionId,
    SessionStatus, StreamArn, StreamItem, WarmPair,
    ports::{Context, EventBus, Listeners, MediaControl, PendingEvents, SessionLookup, WarmPairs},
};

/// The set of ports that the health check requires.
pub trait Ports: Sync {
    /// The Sessions table.
    type Sessions: SessionsIndex + WarmPairSlots;
    /// The Streams table.
    type Streams: Streams;
    /// The reader of checkpoints.
    type Checkpoints: Checkpoints;
    /// The control plane of KVS.
    type Media: MediaControl + Inventory;
    /// The event bus that receives status changes.
    type Events: EventBus;
    /// The sessions' listeners.
    type Listeners: Listeners;
    /// The dead-letter queues.
    type DeadLetters: DeadLetterScanner;
    /// The consumer's function.
    type Consumer: Consumer;
    /// Clock, random source, telemetry and traces.
    type Context: Context;
}

/// The Sessions table by status, and the health check's writes. Each write is conditioned on the
/// item as it was read, so that two passes at once do no harm.
pub trait SessionsIndex: SessionLookup + PendingEvents {
    /// Returns the ids of sessions with `status` that last changed before `before_ms` (Unix ms) and
    /// have `attribute`, oldest first. The index may lag behind the table.
    fn with_status(
        &self,
        status: SessionStatus,
        before_ms: u64,
        attribute: &str,
    ) -> impl PortFuture<Vec<SessionId>>;

    /// Ends a live session and stores the event to emit, in one write. Returns
    /// `false` if it has changed.
    fn end_as_read(
        &self,
        session: &Session,
        reason: EndedReason,
        event: &PendingEvent,
        now_ms: u64,
    ) -> impl PortFuture<bool>;

    /// Claims a session for cleaning until `until_ms`. Returns `false` if it has changed.
    fn claim(&self, session: &Session, until_ms: u64, now_ms: u64) -> impl PortFuture<bool>;

    /// Records that the KVS resources of an ended session are deleted. Returns `false` if another
    /// pass holds the claim. The item stays until `remove_at` (Unix seconds), so that a replayed
    /// event finds the session ended and its id is not drawn again.
    fn mark_removed(
        &self,
        id: &SessionId,
        claimed_until: u64,
        remove_at: u64,
    ) -> impl PortFuture<bool>;

    /// Deletes the item of an interrupted creation, if the claim is still held.
    fn delete_claimed(&self, id: &SessionId, claimed_until: u64) -> impl PortFuture<()>;
}

/// The slots of warm pairs in the Sessions table. Each write is conditioned on the item as it was
/// read.
pub trait WarmPairSlots: WarmPairs {
    /// Stores a pair in its slot. Returns `false` if the slot no longer contains `read`; `None`: if
    /// it is no longer free.
    fn store_pair(&self, pair: &WarmPair, read: Option<&WarmPair>) -> impl PortFuture<bool>;

    /// Frees the slot of a pair, if it still contains `read`; otherwise succeeds without a change.
    fn delete_pair(&self, read: &WarmPair) -> impl PortFuture<()>;
}

/// The Streams table.
pub trait Streams: Sync {
    /// Reads a session's item with a consistent read.
    fn load(&self, session: &SessionId) -> impl PortFuture<Option<StreamItem>>;

    /// Lets an item expire at `expires_at` (Unix seconds). Succeeds if it does not exist.
    fn expire(&self, session: &SessionId, expires_at: u64) -> impl PortFuture<()>;
}

/// Reads checkpoints as the consumer of this build does.
pub trait Checkpoints: Sync {
    /// Returns whether a chunk of the session was put into the dead-letter queue.
    ///
    /// # Errors
    /// Returns why this build cannot resume from the checkpoint.
    fn has_dead_letters(&self, item: &StreamItem) -> Result<bool, String>;
}

/// A channel or stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A stream.
    Stream(StreamArn),
    /// A signaling channel.
    Channel(ChannelArn),
}

/// The resources in KVS and their owners.
pub trait Inventory: Sync {
    /// Returns the owner of a stream.
    fn stream_owner(&self, stream: &StreamArn) -> impl PortFuture<Ownership>;

    /// Returns the owner of a channel.
    fn channel_owner(&self, channel: &ChannelArn) -> impl PortFuture<Ownership>;

    /// Returns the stream with a name, in any environment.
    fn stream_named(&self, name: &str) -> impl PortFuture<Option<StreamArn>>;

    /// Returns the channel with a name, in any environment.
    fn channel_named(&self, name: &str) -> impl PortFuture<Option<ChannelArn>>;

    /// Returns the channels and streams of this environment that were created before `before_ms`
    /// (Unix ms), with its session. Channels come first: a stream can be deleted only once its
    /// channel is unmapped.
    fn created_before(&self, before_ms: u64) -> impl PortFuture<Vec<(SessionId, Resource)>>;
}

/// The dead-letter queues.
pub trait DeadLetterScanner: Sync {
    /// Reads messages of the queues without deleting them.
    fn scan(&self) -> impl PortFuture<DeadLetterScan>;
}

/// The consumer's function, invoked asynchronously with a direct event.
pub trait Consumer: Sync {
    /// Starts a session's delivery.
    fn start(&self, session: &SessionId) -> impl PortFuture<()>;

    /// Drains a session that has ended.
    fn stop(&self, session: &SessionId) -> impl PortFuture<()>;
}
