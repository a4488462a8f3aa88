//! Storage sessions of WebRTC ingestion: JoinStorageSession, and the peer that stores what the
//! master of a channel sends.
//!
//! The data path: `session` (signaling, limits) with `network` (socket, faults) → `peer` (WebRTC) → `recorder`, which
//! places media in time (`media_clock`), decodes `opus`, encodes `aac`, converts `avc`, cuts
//! fragments (`cutter`) and writes them as Matroska (`muxer`) → `kvs`. Only `session` waits and
//! reads clocks.
//!
//! **Time.** A speaker is not faster at a higher time scale, so the producer and the server
//! timestamps of fragments are both the real time of their first frame. The fragments of two
//! connections, as at the forced rejoin after an hour, are therefore as far apart as on AWS: by the
//! real time between them, by either clock. The ends of a session, the retention of its fragments
//! and the limits of GetMedia use the cloud's clock.
//!
//! Facts: API reference of JoinStorageSession; WebRTC developer guide, "Ingest media", "Service
//! quotas". Not implemented: JoinStorageSessionAsViewer.

mod aac;
mod answer;
mod avc;
mod bits;
mod calls;
mod cutter;
mod media_clock;
mod muxer;
mod network;
mod opus;
mod peer;
mod picture_size;
mod recorder;
mod session;
mod session_time;
#[cfg(test)]
mod test_video;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::aws_error::AwsError;
use crate::faults::{Fault, FaultKind, Faults};
use crate::kvs::Kvs;
use crate::signaling::{Client, ServiceSide};

use calls::Calls;
pub(crate) use network::DatagramCounts;
use network::{Datagrams, Network};
use session::Session;

/// The default length of a fragment, ms: about that of AWS's media server.
pub(crate) const FRAGMENT_MS: u32 = 10_000;
/// The shortest and the longest fragment, ms (PutMedia quota).
const FRAGMENT_RANGE_MS: std::ops::RangeInclusive<u32> = 1000..=20_000;

const PATH: &str = "/joinStorageSession";
const OPERATION: &str = "JoinStorageSession";
/// Maximum size of a request's body.
const BODY_BYTES: usize = 16 * 1024;

/// Returns the service's end of a client's open signaling connection.
pub(crate) type ServiceSides = dyn Fn(&str, &Client) -> Option<ServiceSide> + Send + Sync;

/// The storage sessions of all channels.
pub(crate) struct StorageSessions {
    kvs: Arc<Kvs>,
    faults: Faults,
    service_side: Box<ServiceSides>,
    fragment_ms: u32,
    stop: CancellationToken,
    channels: Mutex<BTreeMap<String, Channel>>,
}

/// A channel for which JoinStorageSession was called, by its ARN.
#[derive(Debug, Default)]
struct Channel {
    calls: Calls,
    current: Option<Current>,
    datagrams: Arc<Datagrams>,
}

/// The newest session of a channel.
#[derive(Debug)]
struct Current {
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    channel_arn: Option<String>,
}

impl StorageSessions {
    /// Creates the service. Its sessions end when `stop` is cancelled. A `fragment_ms` that KVS
    /// refuses is clamped.
    pub(crate) fn new(
        kvs: Arc<Kvs>,
        faults: Faults,
        service_side: Box<ServiceSides>,
        fragment_ms: u32,
        stop: CancellationToken,
    ) -> Self {
        let fragment_ms = fragment_ms.clamp(*FRAGMENT_RANGE_MS.start(), *FRAGMENT_RANGE_MS.end());
        Self { kvs, faults, service_side, fragment_ms, stop, channels: Mutex::default() }
    }

    /// Returns whether a path is an operation of this service.
    pub(crate) fn takes(path: &str) -> bool {
        path == PATH
    }

    /// Answers a request.
    pub(crate) async fn handle(&self, request: Request) -> Response {
        match self.answer(request).await {
            Ok(()) => Response::new(Body::empty()),
            Err(refused) => refused.rest_json(),
        }
    }

    async fn answer(&self, request: Request) -> Result<(), AwsError> {
        let channel_arn = channel_arn(request).await?;
        self.faults.reachable(&channel_arn).await;
        let fault = self.faults.gate("kinesisvideo", OPERATION, &channel_arn).await?;
        let is = |fault: &Option<Fault>, kind| fault.as_ref().is_some_and(|it| it.kind == kind);
        if is(&fault, FaultKind::Answer) {
            return Ok(());
        }
        self.join(&channel_arn).await?;
        match fault {
            Some(fault) if fault.kind == FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(()),
        }
    }

    /// Starts a session of a channel's master. It replaces the channel's session before.
    ///
    /// # Errors
    /// The call is refused, with the error that the API reference lists.
    async fn join(&self, channel_arn: &str) -> Result<(), AwsError> {
        let stream_arn = self.kvs.stored_in(channel_arn)?;
        let now_ms = self.kvs.clock().now_ms();
        if !self.channels().entry(channel_arn.to_owned()).or_default().calls.admit(now_ms) {
            return Err(too_many_calls());
        }
        let Some(signaling) = (self.service_side)(channel_arn, &Client::Master) else {
            return Err(AwsError::bad_request(
                "InvalidArgumentException",
                format!("No master is connected to the channel {channel_arn}"),
            ));
        };
        let stop = self.stop.child_token();
        let failed = |error: String| AwsError::internal("InternalFailure", error);
        let datagrams =
            Arc::clone(&self.channels().entry(channel_arn.to_owned()).or_default().datagrams);
        let network = Network::bind(self.faults.clone(), channel_arn, datagrams)
            .await
            .map_err(|error| failed(format!("UDP socket: {error}")))?;
        let kvs = Arc::clone(&self.kvs);
        let session = Session::new(kvs, stream_arn, network, signaling, self.fragment_ms)
            .map_err(|error| failed(error.to_string()))?;
        self.replace(channel_arn, session, stop);
        Ok(())
    }

    /// Starts a session after the end of the channel's session before, so that its last fragment is
    /// stored first and its connection to the stream is free.
    fn replace(&self, channel_arn: &str, session: Session, stop: CancellationToken) {
        let mut channels = self.channels();
        let channel = channels.entry(channel_arn.to_owned()).or_default();
        let previous = channel.current.take();
        if let Some(previous) = &previous {
            previous.stop.cancel();
        }
        let token = stop.clone();
        let ended = tokio::spawn(async move {
            if let Some(previous) = previous {
                let _ = previous.ended.await;
            }
            session.run(token).await;
        });
        channel.current = Some(Current { stop, ended });
    }

    /// Returns the channels that were joined, as `/_local/state` shows them.
    pub(crate) fn state(&self) -> Value {
        let shown = |(arn, channel): (&String, &Channel)| {
            let is_running = channel.current.as_ref().is_some_and(|it| !it.ended.is_finished());
            json!({ "channel": arn, "running": is_running, "datagrams": channel.datagrams.counts() })
        };
        self.channels().iter().map(shown).collect()
    }

    /// Returns the datagrams of the sessions of a channel so far.
    pub(crate) fn datagrams(&self, channel_arn: &str) -> Option<DatagramCounts> {
        self.channels().get(channel_arn).map(|channel| channel.datagrams.counts())
    }

    fn channels(&self) -> MutexGuard<'_, BTreeMap<String, Channel>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StorageSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageSessions").field("channels", &self.channels).finish_non_exhaustive()
    }
}

/// Reads the one member of a request.
async fn channel_arn(request: Request) -> Result<String, AwsError> {
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES).await.unwrap_or_default();
    let input: Input = serde_json::from_slice(&body).map_err(|_| {
        AwsError::bad_request("SerializationException", "The body is not a JSON object")
    })?;
    input
        .channel_arn
        .ok_or_else(|| AwsError::bad_request("InvalidArgumentException", "channelArn is required"))
}

fn too_many_calls() -> AwsError {
    AwsError::bad_request(
        "ClientLimitExceededException",
        format!("{OPERATION} was called more than {} times in a second", calls::PER_SECOND),
    )
}
