//! Storage sessions of WebRTC ingestion: JoinStorageSession, and the peer that stores what the
//! master of a channel sends; JoinStorageSessionAsViewer, and the peers that send it to viewers.
//!
//! The data path: `session` with its `peer_link` (signaling, and `network`: socket and faults) →
//! `peer` (WebRTC) → `recorder`, which places media in time (`media_clock`), decodes `opus`, encodes
//! `aac`, converts `avc`, cuts fragments (`cutter`) and writes them as Matroska (`muxer`) → `kvs`.
//! Only sessions and their links wait and read clocks. A `viewer_session` gets the `master_frame`s
//! as they arrive.
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
mod cutter;
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
pub(crate) use network::DatagramCounts;
use network::Network;
use request::JoinRequest;
use session::{Destination, Session};
use viewer_session::ViewerSession;
use viewers::TakenPlace;

/// The default length of a fragment, ms: about that of AWS's media server.
pub(crate) const FRAGMENT_MS: u32 = 10_000;
/// The shortest and the longest fragment, ms (PutMedia quota).
const FRAGMENT_RANGE_MS: std::ops::RangeInclusive<u32> = 1000..=20_000;

/// Returns the service's end of a client's open signaling connection.
pub(crate) type ServiceSides = dyn Fn(&str, &Client) -> Option<ServiceSide> + Send + Sync;

/// The storage sessions of all channels.
pub(crate) struct StorageSessions {
    kvs: Arc<Kvs>,
    faults: Faults,
    service_side: Box<ServiceSides>,
    fragment_ms: u32,
    stop: CancellationToken,
    joined: Mutex<Joined>,
}

#[derive(Debug, Default)]
struct Joined {
    calls: Calls<{ calls::OF_THE_ACCOUNT }>,
    /// By ARN.
    channels: BTreeMap<String, Channel>,
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
        Self { kvs, faults, service_side, fragment_ms, stop, joined: Mutex::default() }
    }

    /// Returns whether a path is an operation of this service.
    pub(crate) fn takes(path: &str) -> bool {
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

    /// Starts a session of a client. It replaces the client's session before.
    ///
    /// # Errors
    /// The call is refused, with the error that the API reference lists.
    async fn join(&self, request: &JoinRequest) -> Result<(), AwsError> {
        let JoinRequest { channel_arn, client } = request;
        let stream_arn = self.kvs.stored_in(channel_arn)?;
        self.admit(request)?;
        let Some(signaling) = (self.service_side)(channel_arn, client) else {
            return Err(request::invalid(match client {
                Client::Master => format!("No master is connected to the channel {channel_arn}"),
                Client::Viewer(id) => {
                    format!("No viewer {id} is connected to the channel {channel_arn}")
                }
            }));
        };
        let datagrams = self.with(channel_arn, |channel| Arc::clone(&channel.datagrams));
        let network = Network::bind(self.faults.clone(), channel_arn, datagrams)
            .await
            .map_err(|error| internal(&error))?;
        match client {
            Client::Master => self.start_master(channel_arn, stream_arn, network, signaling),
            Client::Viewer(id) => self.start_viewer(channel_arn, id, network, signaling),
        }
    }

    /// Counts a call.
    ///
    /// # Errors
    /// `ClientLimitExceededException`: there were too many in the last second.
    fn admit(&self, request: &JoinRequest) -> Result<(), AwsError> {
        let JoinRequest { channel_arn, client } = request;
        let now_ms = self.kvs.clock().now_ms();
        let too_many = |most: usize, of: &str| {
            let operation = request.operation();
            limit(format!("{operation} was called more than {most} times in a second {of}"))
        };
        if !self.with(channel_arn, |channel| channel.calls.admit(client, now_ms)) {
            return Err(too_many(calls::OF_A_CHANNEL, "for the channel"));
        }
        match self.joined().calls.admit(client, now_ms) {
            true => Ok(()),
            false => Err(too_many(calls::OF_THE_ACCOUNT, "in the account")),
        }
    }

    fn start_master(
        &self,
        channel_arn: &str,
        stream_arn: String,
        network: Network,
        signaling: ServiceSide,
    ) -> Result<(), AwsError> {
        let (kvs, fragment_ms) = (Arc::clone(&self.kvs), self.fragment_ms);
        let viewers = self.with(channel_arn, |channel| channel.frames.clone());
        let destination = Destination { kvs, stream_arn, fragment_ms, viewers };
        let session =
            Session::new(destination, network, signaling).map_err(|error| internal(&error))?;
        let stop = self.stop.child_token();
        self.with(channel_arn, |channel| channel.replace_master(session, stop));
        Ok(())
    }

    fn start_viewer(
        &self,
        channel_arn: &str,
        client_id: &str,
        network: Network,
        signaling: ServiceSide,
    ) -> Result<(), AwsError> {
        let (clock, stop) = (self.kvs.clock().clone(), self.stop.child_token());
        let frames = self.with(channel_arn, |channel| channel.frames.subscribe());
        let session = ViewerSession::new(clock.clone(), client_id, network, signaling, frames)
            .map_err(|error| internal(&error))?;
        let now_ms = clock.now_ms();
        let taken = self.with(channel_arn, |channel| channel.viewers.take(client_id, stop, now_ms));
        let Some(TakenPlace { stop, ended_ms }) = taken else {
            let most = viewers::MOST;
            return Err(limit(format!("The session has the maximum number of viewers, {most}")));
        };
        tokio::spawn(async move {
            session.run(stop).await;
            let _ = ended_ms.set(clock.now_ms());
        });
        Ok(())
    }

    /// Calls `use_channel` with a channel.
    fn with<T>(&self, channel_arn: &str, use_channel: impl FnOnce(&mut Channel) -> T) -> T {
        use_channel(self.joined().channels.entry(channel_arn.to_owned()).or_default())
    }

    fn joined(&self) -> MutexGuard<'_, Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StorageSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageSessions").field("joined", &self.joined).finish_non_exhaustive()
    }
}

fn internal(error: &dyn std::error::Error) -> AwsError {
    AwsError::internal("InternalFailure", error.to_string())
}

fn limit(message: String) -> AwsError {
    AwsError::bad_request("ClientLimitExceededException", message)
}
