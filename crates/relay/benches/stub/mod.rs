//! In-memory ports of a session: a stream that delivers in real time, a processor that accepts
//! everything, and a table without other writers. The stubs also do the work of the AWS adapters on
//! the relay's own data (payload to JSON, response from JSON, checkpoint to JSON), but not that of
//! the SDK, TLS and the network.
#![allow(unreachable_pub)]

pub mod speech;

use std::future::pending;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use media::FragmentNumber;
use relay::answer::Reply;
use relay::lease_table::{LeaseTable, Renewal};
use relay::ports::{
    BodyError, Continuation, DeadLetter, DeadLetterQueue, EndNotices, MediaBody, MediaSource,
    MetricsSink, Ports, Processor, SelfInvoker, SessionReader,
};
use relay::{Config, Relay, Snapshot};
use session::audio::{Answer, AudioPayload};
use session::ports::{Clock, Random, Tracer, millis};
use session::{Desired, Language, PortError, SessionId, Settings, StreamArn, StreamItem};
use speech::Broadcast;
use tokio::time::Instant;

/// Latency of a table call.
const TABLE: Duration = Duration::from_millis(5);

/// Measurements over all sessions.
pub struct Notes {
    /// Returns the current heap use in bytes.
    held: fn() -> usize,
    peak: AtomicUsize,
    samples: AtomicU64,
    latencies: Mutex<Vec<Duration>>,
}

impl Notes {
    /// Creates the measurements. Memory for the latencies is allocated up front, so that it does
    /// not count towards a stream.
    pub fn new(held: fn() -> usize, latencies: usize) -> Arc<Self> {
        Arc::new(Self {
            held,
            peak: AtomicUsize::new(0),
            samples: AtomicU64::new(0),
            latencies: Mutex::new(Vec::with_capacity(latencies)),
        })
    }

    /// Resets the measurements.
    pub fn reset(&self) {
        self.peak.store(0, Ordering::Relaxed);
        self.samples.store(0, Ordering::Relaxed);
        self.latencies.lock().unwrap().clear();
    }

    /// Returns the peak heap use observed at any read or invocation.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Returns the number of samples that the processor accepted.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Returns the times from the arrival of a chunk's last sample to its invocation, sorted.
    pub fn latencies(&self) -> Vec<Duration> {
        let mut latencies = self.latencies.lock().unwrap().clone();
        latencies.sort_unstable();
        latencies
    }

    fn look(&self) {
        self.peak.fetch_max((self.held)(), Ordering::Relaxed);
    }
}

/// The ports of one session.
pub struct Stub {
    says: Arc<Broadcast>,
    begins: Instant,
    takes: Duration,
    notes: Arc<Notes>,
    item: Mutex<StreamItem>,
}

impl Stub {
    /// Creates a stream that starts at `begins` and a processor with latency `takes` per payload.
    pub fn new(
        says: &Arc<Broadcast>,
        begins: Instant,
        takes: Duration,
        notes: &Arc<Notes>,
    ) -> Self {
        let (says, notes) = (Arc::clone(says), Arc::clone(notes));
        Self { says, begins, takes, notes, item: Mutex::default() }
    }

    async fn write(&self, change: impl FnOnce(&mut StreamItem)) -> Result<StreamItem, PortError> {
        tokio::time::sleep(TABLE).await;
        let mut item = self.item.lock().unwrap();
        change(&mut item);
        Ok(item.clone())
    }
}

/// One connection.
pub struct Body {
    says: Arc<Broadcast>,
    begins: Instant,
    next: usize,
    notes: Arc<Notes>,
}

impl MediaSource for Stub {
    type Body = Body;

    async fn open(&self, _: &StreamArn, after: Option<&FragmentNumber>) -> Result<Body, PortError> {
        let (says, notes) = (Arc::clone(&self.says), Arc::clone(&self.notes));
        // A reader that reconnects has read everything: no connection is interrupted here.
        let next = if after.is_some() { says.pieces.len() } else { 0 };
        Ok(Body { says, begins: self.begins, next, notes })
    }

    async fn is_gone(&self, _: &StreamArn) -> bool {
        false
    }
}

impl MediaBody for Body {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        let Some((due, piece)) = self.says.pieces.get(self.next) else { return pending().await };
        tokio::time::sleep_until(self.begins + *due).await;
        self.next += 1;
        self.notes.look();
        Some(Ok(piece.clone()))
    }
}

impl Processor for Stub {
    async fn invoke(&self, payload: &AudioPayload) -> Reply {
        let body = black_box(serde_json::to_vec(payload).unwrap());
        let now = Instant::now();
        let end = payload.start_sample + payload.sample_count;
        {
            let length = payload.sample_count / u64::from(payload.chunk_count);
            let mut latencies = self.notes.latencies.lock().unwrap();
            for chunk in 1..=u64::from(payload.chunk_count) {
                let arrived =
                    self.begins + self.says.arrival(payload.start_sample + chunk * length);
                latencies.push(now.saturating_duration_since(arrived));
            }
        }
        self.notes.look();
        self.notes.samples.fetch_add(payload.sample_count, Ordering::Relaxed);
        tokio::time::sleep(self.takes).await;
        drop(body);
        let answer = Answer { accepted: true, next_sample: end, duplicate: false };
        Reply::from_invoke(None, &serde_json::to_vec(&answer).unwrap())
    }
}

impl LeaseTable for Stub {
    async fn load(&self, _: &SessionId) -> Result<Option<StreamItem>, PortError> {
        self.write(|_| ()).await.map(Some)
    }

    async fn take(
        &self,
        _: &SessionId,
        _: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> Result<Option<StreamItem>, PortError> {
        let take = |item: &mut StreamItem| {
            item.owner = Some(owner.to_owned());
            item.epoch += 1;
            item.lease_expires_at = expires_at;
        };
        self.write(take).await.map(Some)
    }

    async fn renew(
        &self,
        _: &SessionId,
        renewal: Renewal<'_>,
    ) -> Result<Option<StreamItem>, PortError> {
        let renew = |item: &mut StreamItem| {
            item.lease_expires_at = renewal.expires_at;
            item.checkpoint = Some(renewal.checkpoint.to_json());
        };
        self.write(renew).await.map(Some)
    }

    async fn release(
        &self,
        _: &SessionId,
        _: Renewal<'_>,
        _: bool,
    ) -> Result<Option<()>, PortError> {
        Ok(Some(()))
    }

    async fn announce(&self, _: &SessionId, _: u64, _: &str) -> Result<Option<()>, PortError> {
        Ok(Some(()))
    }

    async fn request_run(
        &self,
        _: &SessionId,
        stream: Option<&StreamArn>,
        settings: Option<&Settings>,
    ) -> Result<StreamItem, PortError> {
        let request = |item: &mut StreamItem| {
            item.stream_arn = stream.cloned();
            item.settings = settings.cloned();
        };
        self.write(request).await
    }

    async fn request_stop(&self, _: &SessionId, _: u64) -> Result<StreamItem, PortError> {
        self.write(|item| item.desired = Desired::Stop).await
    }
}

impl SessionReader for Stub {
    async fn is_over(&self, _: &SessionId) -> Result<bool, PortError> {
        tokio::time::sleep(TABLE).await;
        Ok(false)
    }

    async fn listener_languages(&self, _: &SessionId) -> Result<Vec<Language>, PortError> {
        tokio::time::sleep(TABLE).await;
        Ok(vec!["fr".parse().unwrap()])
    }
}

impl EndNotices for Stub {
    async fn notify_ended(&self, _: &SessionId, _: Duration) {}
}

impl DeadLetterQueue for Stub {
    async fn send(&self, _: &DeadLetter) -> Result<(), PortError> {
        panic!("nothing is refused")
    }
}

impl SelfInvoker for Stub {
    async fn invoke_next(&self, _: &Continuation) -> Result<(), PortError> {
        panic!("no run comes to its deadline")
    }
}

impl MetricsSink for Stub {
    fn emit(&self, _: &SessionId, snapshot: &Snapshot) {
        black_box(snapshot);
    }
}

impl Clock for Stub {
    fn now_ms(&self) -> u64 {
        millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }
}

impl Random for Stub {
    fn next_u64(&self) -> u64 {
        u64::MAX / 2
    }
}

impl Tracer for Stub {}

impl Stub {
    /// Returns the relay of this stub's runs.
    pub fn relay<'a>(&'a self, config: &'a Config) -> Relay<'a, Self> {
        Relay {
            config,
            ctx: self,
            leases: self,
            media: self,
            processor: self,
            dead_letters: self,
            sessions: self,
            listeners: self,
            self_invoker: self,
            metrics: self,
        }
    }
}

impl Ports for Stub {
    type Context = Self;
    type Leases = Self;
    type Media = Self;
    type Processor = Self;
    type DeadLetters = Self;
    type Sessions = Self;
    type Listeners = Self;
    type SelfInvoker = Self;
    type Metrics = Self;
}
