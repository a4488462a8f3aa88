//! Storage sessions of WebRTC ingestion: JoinStorageSession, and the peer that stores what the
//! master of a channel sends; JoinStorageSessionAsViewer, and the peers that send it to viewers.
//!
//! A call is a `request`, and `joining` answers it. The data path: `session` with its `peer_link`
//! (signaling, and `network`: socket and faults) → `peer` (WebRTC) → `recorder` → `kvs`. The
//! recorder places media in time (`media_clock`), decodes `opus`, encodes `aac`, converts `avc`,
//! builds fragments (`fragment_builder`) and writes them as Matroska (`muxer`). Only sessions and
//! their links wait and read clocks. A `viewer_session` gets each `master_frame` as it arrives.
//!
//! **Time.** A speaker is not faster at a higher time scale, so the producer and the server
//! timestamps of fragments are both the real time of their first frame. The fragments of two
//! connections, as at the forced rejoin after an hour, are therefore as far apart as on AWS: by the
//! real time between them, by either clock. The ends of a session, the retention of its fragments
//! and the limits of GetMedia use the cloud's clock.
//!
//! Facts: API reference of JoinStorageSession; WebRTC developer guide, "Ingest media", "Service
//! quotas".

mod aac;
mod answer;
mod avc;
mod bit_rate;
mod bits;
mod calls;
mod channel;
mod fragment_builder;
mod joining;
mod master_frame;
mod media_clock;
mod muxer;
mod network;
mod opus;
mod peer;
mod peer_link;
mod picture_size;
mod recorder;
mod request;
mod session;
mod session_limits;
mod session_time;
#[cfg(test)]
mod test_video;
#[cfg(test)]
mod tests;
mod viewer_session;
mod viewers;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::aws_error::AwsError;
use crate::faults::{Fault, FaultKind, Faults};
use crate::kvs::Kvs;
use crate::signaling::{Client, ServiceSide};

use calls::Calls;
use channel::Channel;
pub(crate) use fragment_builder::FragmentOptions;
pub(crate) use network::DatagramCounts;
use request::JoinRequest;

/// The default length of a fragment of WebRTC ingestion, ms: about that of AWS's media server.
pub const INGESTION_FRAGMENT_MS: u32 = 10_000;
/// The shortest and the longest fragment of WebRTC ingestion, ms (PutMedia quota).
pub const INGESTION_FRAGMENT_RANGE_MS: std::ops::RangeInclusive<u32> = 1000..=20_000;

/// Returns the service's end of a client's open signaling connection.
pub(crate) type ServiceSides = dyn Fn(&str, &Client) -> Option<ServiceSide> + Send + Sync;

/// The storage sessions of all channels.
pub(crate) struct StorageSessions {
    kvs: Arc<Kvs>,
    faults: Faults,
    service_side: Box<ServiceSides>,
    fragments: FragmentOptions,
    stop: CancellationToken,
    joined: Mutex<Joined>,
}

#[derive(Debug, Default)]
struct Joined {
    calls: Calls<{ calls::MAX_PER_ACCOUNT }>,
    /// By ARN.
    channels: BTreeMap<String, Channel>,
}

impl StorageSessions {
    /// Creates the service. Its sessions end when `stop` is cancelled. A length of fragments that
    /// KVS refuses is clamped.
    pub(crate) fn new(
        kvs: Arc<Kvs>,
        faults: Faults,
        service_side: Box<ServiceSides>,
        mut fragments: FragmentOptions,
        stop: CancellationToken,
    ) -> Self {
        let (least, most) = INGESTION_FRAGMENT_RANGE_MS.into_inner();
        fragments.length_ms = fragments.length_ms.clamp(least, most);
        Self { kvs, faults, service_side, fragments, stop, joined: Mutex::default() }
    }

    /// Returns whether a path is an operation of this service.
    pub(crate) fn serves(path: &str) -> bool {
        JoinRequest::is_at(path)
    }

    /// Answers a request.
    pub(crate) async fn handle(&self, request: Request) -> Response {
        match self.answer(request).await {
            Ok(()) => Response::new(Body::empty()),
            Err(refused) => refused.rest_json(),
        }
    }

    /// Returns the channels that were joined, as `/_local/state` shows them.
    pub(crate) fn state(&self) -> Value {
        let joined = self.joined();
        joined.channels.iter().map(|(channel_arn, channel)| channel.state(channel_arn)).collect()
    }

    /// Returns the datagrams of the sessions of a channel so far.
    pub(crate) fn datagrams(&self, channel_arn: &str) -> Option<DatagramCounts> {
        self.joined().channels.get(channel_arn).map(|channel| channel.datagrams.counts())
    }

    async fn answer(&self, request: Request) -> Result<(), AwsError> {
        let request = JoinRequest::read(request).await?;
        let (operation, channel_arn) = (request.operation(), &request.channel_arn);
        self.faults.reachable(channel_arn).await;
        let fault = self.faults.gate("kinesisvideo", operation, channel_arn).await?;
        let is = |fault: &Option<Fault>, kind| fault.as_ref().is_some_and(|it| it.kind == kind);
        if is(&fault, FaultKind::Answer) {
            return Ok(());
        }
        self.join(&request).await?;
        match fault {
            Some(fault) if fault.kind == FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(()),
        }
    }

    /// Calls `use_channel` with a channel.
    fn with<T>(&self, channel_arn: &str, use_channel: impl FnOnce(&mut Channel) -> T) -> T {
        use_channel(self.joined().channels.entry(channel_arn.to_owned()).or_default())
    }

    /// Returns the channels without those that are gone.
    fn joined(&self) -> MutexGuard<'_, Joined> {
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        joined.channels.retain(|_, channel| !channel.is_gone());
        joined
    }
}

impl fmt::Debug for StorageSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageSessions").field("joined", &self.joined).finish_non_exhaustive()
    }
}
