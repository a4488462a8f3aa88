//! Runs the health check ([`session::reconcile`]) against the simulated session.

use std::sync::{Mutex, PoisonError};

use relay::Config;
use serde_json::json;
use session::ports::{
    Clock, EventBus, Listener, Listeners, MediaControl, MediaRemoval, PendingEvents, PostOutcome,
    Random, ResourceState, SessionLookup, Telemetry, Tracer, WarmPairs,
};
use session::reconcile::{
    self, Consumer, DeadLetterScan, DeadLetterScanner, HealthCheck, Inventory, Resource, Rules,
    SessionsIndex, Streams, WarmPairSlots,
};
use session::{
    ChannelArn, DomainEvent, EndedReason, ErrorKind, Ownership, PendingEvent, PortError, Session,
    SessionId, SessionStatus, SignalingEndpoints, StreamArn, StreamItem, Tags, WarmPair,
};

use tokio::time::Instant;

use crate::lambda::Call;
use crate::state::World;
use crate::{EPOCH_MS, session, stream};

const ENVIRONMENT: &str = "test";

/// Runs the health check once and returns the consumer invocations that it requested.
pub(crate) async fn run(world: &World, config: &Config) -> Vec<Call> {
    let aws = SimAws { world, calls: Mutex::default() };
    let rules = Rules {
        retention: config.retention,
        take_margin: config.take_margin,
        ..Rules::scaled(ENVIRONMENT.to_owned(), config.scale)
    };
    let check = HealthCheck {
        sessions: &aws,
        streams: &aws,
        checkpoints: config,
        media: &aws,
        events: &aws,
        listeners: &aws,
        dead_letters: &aws,
        consumer: &aws,
        context: &aws,
    };
    let (_, error) = reconcile::run::<SimAws<'_>>(&check, &rules, None).await;
    assert!(error.is_none(), "the simulated health check failed: {error:?}");
    aws.calls.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct SimAws<'a> {
    world: &'a World,
    calls: Mutex<Vec<Call>>,
}

impl SimAws<'_> {
    fn invoke(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// Returns the item of the Sessions table.
    fn record(&self) -> Session {
        let ended_at = self.world.state().table.ended_at;
        let status = if ended_at.is_some() { "ended" } else { "active" };
        let record = json!({
            "sessionId": session(), "speakerId": "ana", "sourceLanguage": "en", "status": status,
            "createdAt": EPOCH_MS, "updatedAt": ended_at.unwrap_or(EPOCH_MS), "expiresAt": 0,
            "env": ENVIRONMENT, "kvsChannelName": "session-blessed-shepherd-123",
            "kvsStreamName": "session-blessed-shepherd-123", "kvsStreamArn": stream(),
        });
        serde_json::from_value(record).unwrap()
    }
}

impl<'a> reconcile::Ports for SimAws<'a> {
    type Sessions = Self;
    type Streams = Self;
    type Checkpoints = Config;
    type Media = Self;
    type Events = Self;
    type Listeners = Self;
    type DeadLetters = Self;
    type Consumer = Self;
    type Context = Self;
}

impl SessionLookup for SimAws<'_> {
    async fn get(&self, _: &SessionId) -> Result<Option<Session>, PortError> {
        Ok(Some(self.record()))
    }
}

impl PendingEvents for SimAws<'_> {
    async fn clear_pending_event(&self, _: &SessionId, _: &PendingEvent) -> Result<(), PortError> {
        Ok(())
    }
}

impl SessionsIndex for SimAws<'_> {
    async fn with_status(
        &self,
        status: SessionStatus,
        before_ms: u64,
        attribute: &str,
    ) -> Result<Vec<SessionId>, PortError> {
        let record = self.record();
        let matches =
            record.status == status && record.updated_at < before_ms && attribute != "pendingEvent";
        Ok(matches.then(session).into_iter().collect())
    }

    async fn end_as_read(
        &self,
        _: &Session,
        _: EndedReason,
        _: &PendingEvent,
        now_ms: u64,
    ) -> Result<bool, PortError> {
        self.world.state().table.ended_at = Some(now_ms);
        Ok(true)
    }

    // The simulation ends when the session is delivered, so no resource is removed in it.
    async fn claim(&self, _: &Session, _: u64, _: u64) -> Result<bool, PortError> {
        Ok(false)
    }

    async fn mark_removed(&self, _: &SessionId, _: u64, _: u64) -> Result<bool, PortError> {
        Ok(false)
    }

    async fn delete_claimed(&self, _: &SessionId, _: u64) -> Result<(), PortError> {
        Ok(())
    }
}

// The simulated environment keeps no warm pairs.
impl WarmPairs for SimAws<'_> {
    async fn warm_pairs(&self, _: &str, _: u32) -> Result<Vec<WarmPair>, PortError> {
        Ok(Vec::new())
    }
}

impl WarmPairSlots for SimAws<'_> {
    async fn store_pair(&self, _: &WarmPair, _: Option<&WarmPair>) -> Result<bool, PortError> {
        Err(denied("UpdateItem"))
    }

    async fn delete_pair(&self, _: &WarmPair) -> Result<(), PortError> {
        Err(denied("DeleteItem"))
    }
}

impl MediaControl for SimAws<'_> {
    async fn create_channel(&self, _: &str, _: &Tags) -> Result<ChannelArn, PortError> {
        Err(denied("CreateSignalingChannel"))
    }

    async fn create_stream(&self, _: &str, _: &Tags, _: u32) -> Result<StreamArn, PortError> {
        Err(denied("CreateStream"))
    }

    async fn channel_state(&self, _: &ChannelArn) -> Result<ResourceState, PortError> {
        Err(denied("DescribeSignalingChannel"))
    }

    async fn stream_state(&self, _: &StreamArn) -> Result<ResourceState, PortError> {
        Err(denied("DescribeStream"))
    }

    async fn enable_storage(&self, _: &ChannelArn, _: &StreamArn) -> Result<(), PortError> {
        Err(denied("UpdateMediaStorageConfiguration"))
    }

    async fn endpoints(&self, _: &ChannelArn) -> Result<SignalingEndpoints, PortError> {
        Err(denied("GetSignalingChannelEndpoint"))
    }
}

fn denied(operation: &'static str) -> PortError {
    PortError::new(operation, ErrorKind::Denied, "not part of the simulation")
}

impl Streams for SimAws<'_> {
    async fn load(&self, _: &SessionId) -> Result<Option<StreamItem>, PortError> {
        Ok(self.world.state().table.item.clone())
    }

    async fn expire(&self, _: &SessionId, _: u64) -> Result<(), PortError> {
        Ok(())
    }
}

impl MediaRemoval for SimAws<'_> {
    async fn disable_storage(&self, _: &ChannelArn) -> Result<(), PortError> {
        Ok(())
    }

    async fn delete_channel(&self, _: &ChannelArn) -> Result<(), PortError> {
        Ok(())
    }

    async fn delete_stream(&self, _: &StreamArn) -> Result<(), PortError> {
        Ok(())
    }
}

impl Inventory for SimAws<'_> {
    async fn stream_owner(&self, _: &StreamArn) -> Result<Ownership, PortError> {
        Ok(Ownership::Ours(Some(session())))
    }

    async fn channel_owner(&self, _: &ChannelArn) -> Result<Ownership, PortError> {
        Ok(Ownership::NotFound)
    }

    async fn stream_named(&self, _: &str) -> Result<Option<StreamArn>, PortError> {
        Ok(Some(stream()))
    }

    async fn channel_named(&self, _: &str) -> Result<Option<ChannelArn>, PortError> {
        Ok(None)
    }

    async fn created_before(&self, _: u64) -> Result<Vec<(SessionId, Resource)>, PortError> {
        Ok(vec![(session(), Resource::Stream(stream()))])
    }
}

impl EventBus for SimAws<'_> {
    async fn put(&self, _: &str, _: Option<&str>) -> Result<(), PortError> {
        // Here the health check emits no event but ENDED.
        self.invoke(Call::Stop);
        Ok(())
    }
}

impl Listeners for SimAws<'_> {
    fn can_notify(&self) -> bool {
        false
    }

    async fn page(&self, _: &SessionId, _: Option<&Listener>) -> Result<Vec<Listener>, PortError> {
        Ok(Vec::new())
    }

    async fn post(&self, _: &str, _: &str) -> Result<PostOutcome, PortError> {
        Ok(PostOutcome::Gone)
    }

    async fn remove(&self, _: &SessionId, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}

impl DeadLetterScanner for SimAws<'_> {
    async fn scan(&self) -> Result<DeadLetterScan, PortError> {
        Ok(DeadLetterScan::default())
    }
}

impl Consumer for SimAws<'_> {
    async fn start(&self, _: &SessionId) -> Result<(), PortError> {
        self.invoke(Call::Start);
        Ok(())
    }

    async fn stop(&self, _: &SessionId) -> Result<(), PortError> {
        self.invoke(Call::Stop);
        Ok(())
    }
}

impl Clock for SimAws<'_> {
    fn now_ms(&self) -> u64 {
        self.world.now_ms()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }
}

impl Random for SimAws<'_> {
    fn next_u64(&self) -> u64 {
        self.world.state().random.below(u64::MAX)
    }
}

impl Tracer for SimAws<'_> {}

impl Telemetry for SimAws<'_> {
    fn record(&self, _: &DomainEvent<'_>) {}
}
