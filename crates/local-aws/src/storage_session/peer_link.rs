//! A session's peer, with the network to its client and the client's signaling connection.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::RtcError;
use str0m::media::MediaData;

use crate::signaling::{Client, FromClient, ServiceSide, ToClient};

use super::master_frame::MasterFrame;
use super::network::Network;
use super::peer::{Peer, PeerError, PeerOutput};

/// Largest datagram; WebRTC sends at most 1,500 bytes.
const DATAGRAM_BYTES: usize = 2048;
/// Datagrams that are sent at the end of a session.
const LAST_DATAGRAMS: usize = 32;

/// A peer could not be created.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("UDP socket: {0}")]
    Socket(#[from] std::io::Error),
    #[error(transparent)]
    Peer(#[from] PeerError),
}

/// Why the connection of a peer ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkEnd {
    #[error("the client closed the connection")]
    Closed,
    #[error("WebRTC: {0}")]
    Rtc(#[from] RtcError),
}

/// Something that a peer received.
#[derive(Debug)]
pub(super) enum Received {
    /// ICE and DTLS are established.
    Connected,
    /// An Opus packet.
    Audio(MediaData),
    /// A picture in Annex B form.
    Video(MediaData),
}

/// What a waiting session continues with: an argument of [`PeerLink::wake`].
pub(super) enum Wake {
    Message(Option<FromClient>),
    Datagram(std::io::Result<(usize, SocketAddr)>),
    Timeout,
}

/// The peer of a client.
#[derive(Debug)]
pub(super) struct PeerLink {
    network: Network,
    peer: Peer,
    signaling: Option<ServiceSide>,
    /// The offer and the candidate, until they are sent.
    offer: Option<(String, String)>,
    /// The deadline of the peer's last `Timeout`.
    deadline: Instant,
    buffer: Vec<u8>,
}

impl PeerLink {
    /// Creates the peer of a client.
    ///
    /// # Errors
    /// [`LinkError`].
    pub(super) fn new(
        client: &Client,
        network: Network,
        signaling: ServiceSide,
        now: Instant,
    ) -> Result<Self, LinkError> {
        let (peer, offer, candidate) = Peer::new(client, network.local_addr()?, now)?;
        let (signaling, offer) = (Some(signaling), Some((offer, candidate)));
        let buffer = vec![0; DATAGRAM_BYTES];
        Ok(Self { network, peer, signaling, offer, deadline: now, buffer })
    }

    /// Returns what the peer has received, and sends what it has to send before. `None`: nothing
    /// more until [`PeerLink::wake`].
    ///
    /// # Errors
    /// [`LinkEnd`].
    pub(super) async fn next(&mut self) -> Result<Option<Received>, LinkEnd> {
        if let Some((offer, candidate)) = self.offer.take() {
            self.send(ToClient::Offer(offer)).await;
            self.send(ToClient::Candidate(candidate)).await;
        }
        loop {
            let received = match self.peer.poll()? {
                PeerOutput::Timeout(_) if !self.peer.is_alive() => return Err(LinkEnd::Closed),
                PeerOutput::Timeout(at) => {
                    self.deadline = at;
                    return Ok(None);
                }
                PeerOutput::Datagram(to, datagram) => {
                    self.network.send(to, &datagram).await;
                    continue;
                }
                PeerOutput::Connected => {
                    tracing::info!(
                        channel = self.network.channel_arn(),
                        "storage session connected"
                    );
                    Received::Connected
                }
                PeerOutput::Audio(media) => Received::Audio(media),
                PeerOutput::Video(media) => Received::Video(media),
                PeerOutput::Closed => return Err(LinkEnd::Closed),
            };
            return Ok(Some(received));
        }
    }

    /// Waits until there is something to do, at most until `at`. Can be cancelled without a loss.
    pub(super) async fn wait(&mut self, at: Instant) -> Wake {
        let at = self.deadline.min(at);
        let message = async {
            match &mut self.signaling {
                Some(signaling) => signaling.from_client.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            message = message => Wake::Message(message),
            received = self.network.receive(&mut self.buffer) => Wake::Datagram(received),
            () = tokio::time::sleep_until(at.into()) => Wake::Timeout,
        }
    }

    /// Handles the result of [`PeerLink::wait`]; call [`PeerLink::next`] afterwards.
    ///
    /// # Errors
    /// [`LinkEnd::Rtc`].
    pub(super) async fn wake(&mut self, wake: Wake) -> Result<(), LinkEnd> {
        let now = Instant::now();
        match wake {
            Wake::Message(Some(message)) => self.take(message).await,
            // Media goes on without the signaling connection.
            Wake::Message(None) => self.signaling = None,
            Wake::Datagram(Ok((len, source))) => {
                let datagram = self.buffer.get(..len).unwrap_or_default();
                self.peer.receive(now, source, datagram)?;
            }
            // The ICMP answer to an earlier datagram, for example.
            Wake::Datagram(Err(error)) => tracing::debug!(%error, "nothing received"),
            Wake::Timeout => self.peer.timeout(now)?,
        }
        Ok(())
    }

    /// Asks the client for a key frame, once it sends video. [`PeerLink::next`] sends the request.
    pub(super) fn request_key_frame(&mut self) {
        self.peer.request_key_frame();
    }

    /// Sends a frame of the channel's master, once the connection is established.
    /// [`PeerLink::next`] sends its datagrams.
    ///
    /// # Errors
    /// [`LinkEnd::Rtc`].
    pub(super) fn forward(&mut self, frame: &MasterFrame) -> Result<(), LinkEnd> {
        self.peer.forward(frame)?;
        Ok(self.peer.timeout(Instant::now())?)
    }

    /// Closes the connection, and sends its last datagrams.
    pub(super) async fn close(&mut self) {
        self.peer.close();
        for _ in 0..LAST_DATAGRAMS {
            let Ok(PeerOutput::Datagram(to, datagram)) = self.peer.poll() else { return };
            self.network.send(to, &datagram).await;
        }
    }

    async fn take(&mut self, message: FromClient) {
        match message {
            FromClient::Candidate(line) => self.peer.candidate(&line),
            FromClient::Answer { sdp, correlation_id } => {
                let Err(error) = self.peer.answer(&sdp) else { return };
                tracing::info!(channel = self.network.channel_arn(), %error, "answer refused");
                let Some(correlation_id) = correlation_id else { return };
                self.send(ToClient::Status {
                    correlation_id,
                    error_type: "InvalidArgumentException",
                    status_code: 400,
                    description: error.to_string(),
                })
                .await;
            }
        }
    }

    /// Sends a message to the client, if its signaling connection is open.
    async fn send(&mut self, message: ToClient) {
        if let Some(signaling) = &self.signaling {
            let _ = signaling.to_client.send(message).await;
        }
    }
}
