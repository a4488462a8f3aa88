//! The session of a channel's master: a task that stores in a stream what its peer receives.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use str0m::media::{MediaData, MediaKind};
use str0m::rtp::rtcp::SenderInfo;
use tokio_util::sync::CancellationToken;

use crate::clock::real_now_ms;
use crate::kvs::ingest_error::IngestError;
use crate::kvs::{Kvs, MediaWriter};
use crate::signaling::{Client, ServiceSide};

use super::aac::{EncodeError, SyomEncoder};
use super::bit_rate::BitRate;
use super::fragment_builder::{self, FragmentOptions};
use super::master_frame::MasterFrames;
use super::media_clock::{RtpStamp, SenderReport};
use super::network::Network;
use super::opus::DecodeError;
use super::peer_link::{LinkEnd, LinkError, PeerLink, Received};
use super::recorder::{PictureTooLarge, Recorded, Recorder};
use super::session_limits::{LONGEST, TICK, WITHOUT_MEDIA};
use super::session_time::SessionTime;

/// A session could not be created.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    #[error(transparent)]
    Decoder(#[from] DecodeError),
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum EndReason {
    #[error("another session replaced it, or the cloud is shut down")]
    Stopped,
    #[error("no media for three minutes")]
    Idle,
    #[error("an hour has passed")]
    Longest,
    #[error(transparent)]
    Picture(#[from] PictureTooLarge),
    #[error(transparent)]
    Link(#[from] LinkEnd),
    #[error(transparent)]
    Encoder(#[from] EncodeError),
    #[error("the stream refused a fragment: {0}")]
    Stream(#[from] IngestError),
}

/// Where a session's media goes.
pub(super) struct Destination {
    pub(super) kvs: Arc<Kvs>,
    pub(super) stream_arn: String,
    pub(super) fragments: FragmentOptions,
    pub(super) viewers: MasterFrames,
}

/// A session that is not connected yet, or that runs.
pub(super) struct Session {
    destination: Destination,
    link: PeerLink,
    recorder: Recorder,
    started: Instant,
    /// The real time at `started`, ms since the Unix epoch: both the producer's and the server's.
    origin_ms: i64,
    last_media: Instant,
    bit_rate: BitRate,
    key_interval: Duration,
    next_key_request: Option<Instant>,
}

impl Session {
    /// Creates a session that stores what its client sends through `network`.
    ///
    /// # Errors
    /// [`StartError`].
    pub(super) fn new(
        destination: Destination,
        network: Network,
        signaling: ServiceSide,
    ) -> Result<Self, StartError> {
        // Read both clocks together, before slower calls.
        let (started, origin_ms) = (Instant::now(), real_now_ms());
        let fragments = destination.fragments;
        let interval_ms = fragment_builder::key_interval_ms(fragments.length_ms);
        Ok(Self {
            destination,
            link: PeerLink::new(&Client::Master, network, signaling, started)?,
            recorder: Recorder::new(fragments, Box::new(SyomEncoder::new()?))?,
            started,
            origin_ms,
            last_media: started,
            bit_rate: BitRate::new(started),
            key_interval: Duration::from_millis(interval_ms.unsigned_abs()),
            next_key_request: None,
        })
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let Destination { kvs, stream_arn, fragments, .. } = &self.destination;
        let stream = stream_arn.clone();
        let writer = kvs.media_writer(stream_arn, self.origin_ms, fragments.progressive);
        let mut writer = match writer {
            Ok(writer) => writer,
            Err(error) => {
                tracing::warn!(stream, %error, "storage session did not start");
                return;
            }
        };
        let Err(end) = self.serve(&mut writer, &stop).await;
        tracing::info!(stream, %end, "storage session ended");
        self.link.close().await;
        match self.recorder.finish() {
            Ok(rest) => {
                let stored = rest.iter().try_for_each(|last| store(&mut writer, last));
                if let Err(error) = stored {
                    tracing::warn!(stream, %error, "last fragment not stored");
                }
            }
            Err(error) => tracing::warn!(stream, %error, "last fragment not stored"),
        }
    }

    async fn serve(
        &mut self,
        writer: &mut MediaWriter,
        stop: &CancellationToken,
    ) -> Result<std::convert::Infallible, EndReason> {
        loop {
            while let Some(received) = self.link.next().await? {
                self.take(received)?;
            }
            while let Some(recorded) = self.recorder.poll(self.time(Instant::now())) {
                store(writer, &recorded)?;
            }
            self.check_limits()?;
            let tick = Instant::now() + TICK;
            let at = self.next_key_request.map_or(tick, |request| request.min(tick));
            let wake = tokio::select! {
                () = stop.cancelled() => return Err(EndReason::Stopped),
                wake = self.link.wait(at) => wake,
            };
            self.link.wake(wake).await?;
            self.request_key_frame();
        }
    }

    fn take(&mut self, received: Received) -> Result<(), EndReason> {
        let (kind, media) = match received {
            Received::Connected => {
                self.next_key_request = Some(Instant::now());
                return Ok(());
            }
            Received::Audio(media) => (MediaKind::Audio, media),
            Received::Video(media) => (MediaKind::Video, media),
        };
        self.last_media = Instant::now();
        if let Some(bits) = self.bit_rate.excess(media.data.len(), self.last_media) {
            let stream = &self.destination.stream_arn;
            tracing::warn!(
                stream,
                bits,
                "the bits a second exceed AWS's quota of a storage session"
            );
        }
        self.destination.viewers.send(kind, &media);
        let stamp = self.stamp(&media);
        match kind {
            MediaKind::Audio => {
                let sequence = **media.seq_range.start();
                self.recorder.audio(&stamp, sequence, &media.data)?;
            }
            MediaKind::Video => self.recorder.video(&stamp, &media.data)?,
        }
        Ok(())
    }

    /// Asks for a key frame, if one is due.
    fn request_key_frame(&mut self) {
        let now = Instant::now();
        if self.next_key_request.is_some_and(|at| at <= now) {
            self.next_key_request = Some(now + self.key_interval);
            self.link.request_key_frame();
        }
    }

    fn check_limits(&self) -> Result<(), EndReason> {
        let clock = self.destination.kvs.clock();
        if self.started.elapsed() >= clock.real(LONGEST) {
            return Err(EndReason::Longest);
        }
        match self.last_media.elapsed() >= clock.request_timeout(WITHOUT_MEDIA) {
            true => Err(EndReason::Idle),
            false => Ok(()),
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

fn store(writer: &mut MediaWriter, recorded: &Recorded) -> Result<(), IngestError> {
    writer.write(&recorded.bytes)?;
    if recorded.ends { writer.end() } else { Ok(()) }
}

fn report(info: &SenderInfo) -> Option<SenderReport> {
    let since = info.ntp_time.duration_since(UNIX_EPOCH).ok()?;
    // The low 32 bits are those of the report.
    let rtp = info.rtp_time.numer() as u32;
    Some(SenderReport { rtp, ntp_us: i64::try_from(since.as_micros()).ok()? })
}
