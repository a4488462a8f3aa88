//! An in-memory AWS for tests of the use cases: tables, a KVS control plane and an event bus, with
//! virtual time and injected failures of every call.
//!
//! - `state`: what the tables, KVS and the bus contain.
//! - `failures`: the calls, and those that fail.
//! - `time`: virtual time, which passes when nothing else can happen.
//! - `context`: random numbers and telemetry.
//! - the others: the ports.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::ports::Ports;
use crate::{
    Call, Completed, Error, IdempotencyKey, NewSession, PairRules, Session, SessionService,
};

mod context;
mod failures;
mod listeners;
mod media;
mod pairs;
mod reconcile;
mod sessions;
mod state;
mod time;

pub(crate) use failures::Trouble;
pub(crate) use pairs::keeping;
pub(crate) use reconcile::UNREADABLE;
pub(crate) use state::{FakeResource, State};
pub(crate) use time::EPOCH_MS;

/// The fake AWS; clones share one state.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

pub(crate) type FakeService = SessionService<World>;

/// Runs a POST as the handler does, with its post-response work.
pub(crate) async fn open(
    service: &FakeService,
    new: &NewSession,
    key: Option<&IdempotencyKey>,
    call: &Call,
) -> Result<Session, Error> {
    finished(service, service.create(new, key, call).await?).await
}

/// Runs the post-response work and returns the response, as the handler does.
pub(crate) async fn finished<T>(service: &FakeService, done: Completed<T>) -> Result<T, Error> {
    if let Some(post_response) = done.post_response {
        service.run_post_response(post_response).await;
    }
    Ok(done.response)
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self::default();
        world.state().active_after = Duration::from_millis(600);
        world
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn service(&self) -> FakeService {
        SessionService {
            sessions: self.clone(),
            media: self.clone(),
            events: self.clone(),
            listeners: self.clone(),
            ctx: self.clone(),
            env: "test".to_owned(),
            stream_retention_hours: 24,
            max_sessions: 3,
            max_session: Duration::from_secs(12 * 3_600),
            pairs: PairRules::scaled(0, 24, None, 1.0),
        }
    }
}

impl Ports for World {
    type Sessions = Self;
    type Media = Self;
    type Events = Self;
    type Listeners = Self;
    type Context = Self;
}
