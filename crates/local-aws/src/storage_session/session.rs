//! One storage session: a task that connects its peer with a UDP socket, the client's signaling
//! connection and the stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use str0m::RtcError;
use str0m::media::MediaData;
use str0m::rtp::rtcp::SenderInfo;
use tokio_util::sync::CancellationToken;

use crate::clock::real_now_ms;
use crate::kvs::ingest_error::IngestError;
use crate::kvs::{Kvs, MediaWriter};
use crate::signaling::{FromClient, ServiceSide, ToClient};

use super::aac::{EncodeError, SyomEncoder};
use super::cutter;
use super::media_clock::{RtpStamp, SenderReport};
use super::network::Network;
use super::opus::DecodeError;
use super::peer::{Peer, PeerError, PeerOutput};
use super::recorder::{Recorded, Recorder};
use super::session_time::SessionTime;

/// Longest session, and longest time without media (WebRTC developer guide, service quotas).
const LONGEST: Duration = Duration::from_secs(3600);
const IDLE: Duration = Duration::from_secs(180);
/// Longest wait, after which complete fragments are looked for.
const TICK: Duration = Duration::from_millis(250);
/// Largest datagram; WebRTC sends at most 1,500 bytes.
const DATAGRAM_BYTES: usize = 2048;
/// Datagrams that are sent at the end of a session.
const LAST_DATAGRAMS: usize = 32;

/// A session could not be created.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("UDP socket: {0}")]
    Socket(#[from] std::io::Error),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    #[error(transparent)]
    Decoder(#[from] DecodeError),
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("another session replaced it, or the cloud is shut down")]
    Stopped,
    #[error("no media for three minutes")]
    Idle,
    #[error("an hour has passed")]
    Longest,
    #[error("the client closed the connection")]
    Closed,
    #[error("WebRTC: {0}")]
    Rtc(#[from] RtcError),
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    #[error("the stream refused a fragment: {0}")]
    Stream(#[from] IngestError),
}

/// What a waiting session continues with.
enum Wake {
    Stop,
    Message(Option<FromClient>),
    Datagram(std::io::Result<(usize, SocketAddr)>),
    Timeout,
}

/// A session that is not connected yet, or that runs.
pub(super) struct Session {
    kvs: Arc<Kvs>,
    stream_arn: String,
    network: Network,
    peer: Peer,
    signaling: Option<ServiceSide>,
    /// The offer and the candidate, until they are sent.
    offer: Option<(String, String)>,
    recorder: Recorder,
    started: Instant,
    /// The real time at `started`, ms since the Unix epoch: both the producer's and the server's.
    origin_ms: i64,
    last_media: Instant,
    key_interval: Duration,
    next_key_request: Option<Instant>,
}

impl Session {
    /// Creates a session that stores in a stream what its client sends through `network`.
    ///
    /// # Errors
    /// [`StartError`].
    pub(super) fn new(
        kvs: Arc<Kvs>,
        stream_arn: String,
        network: Network,
        signaling: ServiceSide,
        fragment_ms: u32,
    ) -> Result<Self, StartError> {
        let started = Instant::now();
        let (peer, offer, candidate) = Peer::new(network.local_addr()?, started)?;
        let recorder = Recorder::new(fragment_ms, Box::new(SyomEncoder::new()?))?;
        let interval_ms = cutter::key_interval_ms(fragment_ms);
        Ok(Self {
            kvs,
            stream_arn,
            network,
            peer,
            signaling: Some(signaling),
            offer: Some((offer, candidate)),
            recorder,
            started,
            origin_ms: real_now_ms(),
            last_media: started,
            key_interval: Duration::from_millis(interval_ms.unsigned_abs()),
            next_key_request: None,
        })
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let writer = match self.kvs.media_writer(&self.stream_arn) {
            Ok(writer) => writer,
            Err(error) => {
                tracing::warn!(stream = self.stream_arn, %error, "storage session did not start");
                return;
            }
        };
        let Err(end) = self.serve(&writer, &stop).await;
        tracing::info!(stream = self.stream_arn, %end, "storage session ended");
        self.close().await;
        match self.recorder.finish() {
            Ok(fragments) => {
                let stored = fragments.iter().try_for_each(|last| self.store(&writer, last));
                if let Err(error) = stored {
                    tracing::warn!(stream = self.stream_arn, %error, "last fragment not stored");
                }
            }
            Err(error) => tracing::warn!(%error, "last fragment not stored"),
        }
    }

    async fn serve(
        &mut self,
        writer: &MediaWriter,
        stop: &CancellationToken,
    ) -> Result<std::convert::Infallible, End> {
        if let Some((offer, candidate)) = self.offer.take() {
            self.send(ToClient::Offer(offer)).await;
            self.send(ToClient::Candidate(candidate)).await;
        }
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            let deadline = self.drain().await?;
            while let Some(fragment) = self.recorder.poll(self.time(Instant::now())) {
                self.store(writer, &fragment)?;
            }
            self.check_limits()?;
            match self.wait(deadline, stop, &mut buffer).await {
                Wake::Stop => return Err(End::Stopped),
                Wake::Message(Some(message)) => self.take(message).await,
                // Media goes on without the signaling connection.
                Wake::Message(None) => self.signaling = None,
                Wake::Datagram(Ok((len, source))) => {
                    let datagram = buffer.get(..len).unwrap_or_default();
                    self.peer.receive(Instant::now(), source, datagram)?;
                }
                // The ICMP answer to an earlier datagram, for example.
                Wake::Datagram(Err(error)) => tracing::debug!(%error, "nothing received"),
                Wake::Timeout => self.advance()?,
            }
        }
    }

    /// Waits until there is something to do.
    async fn wait(
        &mut self,
        deadline: Instant,
        stop: &CancellationToken,
        buffer: &mut [u8],
    ) -> Wake {
        let at = deadline.min(Instant::now() + TICK);
        let at = self.next_key_request.map_or(at, |request| request.min(at));
        let message = async {
            match &mut self.signaling {
                Some(signaling) => signaling.from_client.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => Wake::Stop,
            message = message => Wake::Message(message),
            received = self.network.receive(buffer) => Wake::Datagram(received),
            () = tokio::time::sleep_until(at.into()) => Wake::Timeout,
        }
    }

    /// Does what is due: asks for a key frame, or advances the peer's time.
    fn advance(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.next_key_request.is_some_and(|at| at <= now) {
            self.next_key_request = Some(now + self.key_interval);
            self.peer.request_key_frame();
            return Ok(());
        }
        Ok(self.peer.timeout(now)?)
    }

    /// Takes the peer's outputs. Returns when it wants to be called again.
    async fn drain(&mut self) -> Result<Instant, End> {
        loop {
            match self.peer.poll()? {
                PeerOutput::Timeout(_) if !self.peer.is_alive() => return Err(End::Closed),
                PeerOutput::Timeout(at) => return Ok(at),
                PeerOutput::Datagram(to, datagram) => self.network.send(to, &datagram).await,
                PeerOutput::Connected => {
                    tracing::info!(stream = self.stream_arn, "storage session connected");
                    self.next_key_request = Some(Instant::now());
                }
                PeerOutput::Audio(media) => {
                    self.last_media = Instant::now();
                    let stamp = self.stamp(&media);
                    let sequence = **media.seq_range.start();
                    self.recorder.audio(&stamp, sequence, &media.data)?;
                }
                PeerOutput::Video(media) => {
                    self.last_media = Instant::now();
                    let stamp = self.stamp(&media);
                    self.recorder.video(&stamp, &media.data);
                }
                PeerOutput::Closed => return Err(End::Closed),
            }
        }
    }

    async fn take(&mut self, message: FromClient) {
        match message {
            FromClient::Candidate(line) => self.peer.candidate(&line),
            FromClient::Answer { sdp, correlation_id } => {
                let Err(error) = self.peer.answer(&sdp) else { return };
                tracing::info!(stream = self.stream_arn, %error, "answer refused");
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

    fn check_limits(&self) -> Result<(), End> {
        let clock = self.kvs.clock();
        if self.started.elapsed() >= clock.real(LONGEST) {
            return Err(End::Longest);
        }
        match self.last_media.elapsed() >= clock.request_timeout(IDLE) {
            true => Err(End::Idle),
            false => Ok(()),
        }
    }

    fn store(&self, writer: &MediaWriter, fragment: &Recorded) -> Result<(), IngestError> {
        let server_ms = self.origin_ms + fragment.start.as_ms();
        writer.write(&fragment.document, server_ms, self.origin_ms)
    }

    /// Closes the connection, and sends its last datagrams.
    async fn close(&mut self) {
        self.peer.close();
        for _ in 0..LAST_DATAGRAMS {
            let Ok(PeerOutput::Datagram(to, datagram)) = self.peer.poll() else { return };
            self.network.send(to, &datagram).await;
        }
    }

    fn stamp(&self, media: &MediaData) -> RtpStamp {
        RtpStamp {
            rtp: i64::try_from(media.time.numer()).unwrap_or(i64::MAX),
            arrived: self.time(media.network_time),
            report: media.last_sender_info.as_ref().and_then(report),
        }
    }

    fn time(&self, at: Instant) -> SessionTime {
        at.saturating_duration_since(self.started).into()
    }
}

fn report(info: &SenderInfo) -> Option<SenderReport> {
    let since = info.ntp_time.duration_since(UNIX_EPOCH).ok()?;
    // The low 32 bits are those of the report.
    let rtp = info.rtp_time.numer() as u32;
    Some(SenderReport { rtp, ntp_us: i64::try_from(since.as_micros()).ok()? })
}
