//! What the tables, KVS and the bus contain.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::task::Waker;
use std::time::Duration;

use serde_json::Value;

use super::failures::PlannedFailure;
use crate::event::StatusChange;
use crate::ports::Listener;
use crate::reconcile::DeadLetterScan;
use crate::{
    IdempotencyRecord, RequestId, Session, SessionId, SessionStatus, Settings, StreamItem, Tags,
    WarmPair,
};

#[derive(Clone, Debug)]
pub(crate) struct FakeResource {
    pub(crate) name: String,
    pub(crate) tags: Option<Tags>,
    pub(crate) created_at: Duration,
    /// Time at which it becomes ACTIVE.
    pub(crate) active_at: Duration,
    pub(crate) retention_hours: u32,
    pub(crate) mapped_to: Option<String>,
    /// Time after which a removed mapping no longer prevents deletion.
    pub(super) unmapped_at: Option<Duration>,
}

pub(super) type Late = Box<dyn FnOnce(&mut State) + Send>;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) now: Duration,
    pub(super) sleepers: Vec<(Duration, Waker)>,
    pub(super) late: Vec<(Duration, Late)>,
    pub(super) random: u64,
    pub(crate) plans: Vec<PlannedFailure>,
    pub(crate) calls: Vec<(&'static str, Duration)>,
    pub(crate) items: BTreeMap<SessionId, Session>,
    lost_items: BTreeSet<SessionId>,
    /// Session slots in use, by speaker.
    pub(crate) session_slots: BTreeMap<String, BTreeSet<SessionId>>,
    pub(crate) requests: BTreeMap<RequestId, IdempotencyRecord>,
    /// Warm pairs by slot.
    pub(crate) pairs: BTreeMap<u32, WarmPair>,
    /// Settings and status written for consumers.
    pub(crate) settings: BTreeMap<SessionId, (Settings, SessionStatus)>,
    pub(crate) channels: HashMap<String, FakeResource>,
    pub(crate) streams: HashMap<String, FakeResource>,
    /// Listeners by session, in the index's order.
    pub(crate) listeners: BTreeMap<SessionId, BTreeSet<Listener>>,
    /// Connections that no longer exist.
    pub(crate) gone: BTreeSet<String>,
    /// Connections that never accept a message.
    pub(crate) hanging: BTreeSet<String>,
    /// Messages sent to each connection.
    pub(crate) messages: BTreeMap<String, Vec<Value>>,
    /// Whether there is no WebSocket endpoint to send messages through.
    pub(crate) mute: bool,
    /// Current and maximum number of concurrent posts.
    pub(crate) posting: (usize, usize),
    /// Details and trace headers that the bus accepted.
    pub(crate) events: Vec<(StatusChange, Option<String>)>,
    /// The log messages of the domain events, and the events' details.
    pub(crate) lines: Vec<(String, Option<String>)>,
    pub(crate) metrics: Vec<(&'static str, f64)>,
    /// Items of the Streams table, and the items that were set to expire.
    pub(crate) stream_items: BTreeMap<SessionId, StreamItem>,
    pub(crate) expiring: Vec<SessionId>,
    /// Contents of the dead-letter queues.
    pub(crate) letters: DeadLetterScan,
    /// Invocations of the consumer, and whether Lambda throttles further ones.
    pub(crate) invoked: Vec<(SessionId, &'static str)>,
    pub(crate) is_throttled: bool,
    pub(crate) active_after: Duration,
    /// How long a removed mapping still prevents deletion of its channel and stream.
    pub(crate) unmapped_after: Duration,
}

impl State {
    /// Removes the item of a session, as the loss of a table does.
    pub(crate) fn lose_item(&mut self, id: &SessionId) {
        self.items.remove(id);
        self.lost_items.insert(id.clone());
    }

    /// Asserts the invariant of the saga: at every moment, each resource has an item through which
    /// it is found: its session's, or that of a warm pair.
    pub(super) fn assert_resources_have_items(&self) {
        for resource in self.channels.values().chain(self.streams.values()) {
            if let Some(tags) = &resource.tags {
                let id = &tags.session_id;
                assert!(
                    self.items.contains_key(id)
                        || self.lost_items.contains(id)
                        || self.pairs.values().any(|pair| pair.session_id == *id),
                    "{} exists, but no item leads to it",
                    resource.name
                );
            }
        }
    }
}
