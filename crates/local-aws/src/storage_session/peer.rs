//! The WebRTC peer of a client: ICE-lite, DTLS-SRTP; H.264 and Opus are received from a master, and
//! sent to a viewer. Sans-IO, as `str0m`, which does the work: the caller passes datagrams and the
//! time in, and takes [`PeerOutput`]s until one is a timeout, after each call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::PayloadParams;
use str0m::media::{Direction, KeyframeRequestKind, MediaData, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcError};

use crate::signaling::Client;

use super::answer::{self, AnswerError};
use super::master_frame::MasterFrame;

/// How long an audio packet waits for one before it that is missing. On this machine packets are
/// not reordered by more.
const REORDERING: Duration = Duration::from_millis(100);

/// The payload type of Opus in the offer, which the answer cannot change.
const OPUS: u8 = 111;

/// Profiles and levels of H.264 in the offer: payload type, that of its retransmission, and
/// profile-level-id. Level 3.1; constrained baseline, baseline, main.
const H264: [(u8, u8, u32); 3] = [(108, 109, 0x42E01F), (127, 121, 0x42001F), (123, 119, 0x4D001F)];

/// Returns whether a received datagram is an RTP packet of the audio.
pub(super) fn is_audio(datagram: &[u8]) -> bool {
    // Version 2 (RFC 3550 §5.1); DTLS and STUN have other first bits (RFC 7983 §7).
    let is_rtp = datagram.len() >= 12 && datagram.first().is_some_and(|first| first >> 6 == 2);
    is_rtp && datagram.get(1).is_some_and(|kind| kind & 0x7F == OPUS)
}

/// An output of [`Peer::poll`].
#[derive(Debug)]
pub(super) enum PeerOutput {
    /// Call [`Peer::timeout`] at this time, if nothing is received before. The peer has no further
    /// output.
    Timeout(Instant),
    /// Send a datagram.
    Datagram(SocketAddr, Vec<u8>),
    /// ICE and DTLS are established.
    Connected,
    /// An Opus packet.
    Audio(MediaData),
    /// A picture in Annex B form.
    Video(MediaData),
    /// The client has closed the connection.
    Closed,
}

/// The peer.
#[derive(Debug)]
pub(super) struct Peer {
    rtc: Rtc,
    client: Client,
    address: SocketAddr,
    audio: Mid,
    video: Mid,
    pending: Option<SdpPendingOffer>,
}

/// The peer could not be created: `str0m` made no offer.
#[derive(Debug, thiserror::Error)]
#[error("WebRTC peer: {0}")]
pub(super) struct PeerError(String);

impl Peer {
    /// Creates a client's peer on `address`, and returns it with its offer and its candidate's
    /// line.
    ///
    /// # Errors
    /// [`PeerError`].
    pub(super) fn new(
        client: &Client,
        address: SocketAddr,
        now: Instant,
    ) -> Result<(Self, String, String), PeerError> {
        let mut config = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, false)
            .set_ice_lite(true)
            .set_reordering_timeout_audio(Some(REORDERING));
        for (payload, resend, profile) in H264 {
            config.codec_config().add_h264(payload.into(), Some(resend.into()), true, profile);
        }
        let mut rtc = config.build(now);
        let candidate = Candidate::host(address, "udp").map_err(|e| PeerError(e.to_string()))?;
        let line = candidate.to_sdp_string();
        rtc.add_local_candidate(candidate);
        let mut changes = rtc.sdp_api();
        let (of_audio, of_video) = match client {
            Client::Master => (Direction::RecvOnly, Direction::RecvOnly),
            Client::Viewer(_) => (Direction::SendRecv, Direction::SendOnly),
        };
        let audio = changes.add_media(MediaKind::Audio, of_audio, None, None, None);
        let video = changes.add_media(MediaKind::Video, of_video, None, None, None);
        let (offer, pending) = changes.apply().ok_or_else(|| PeerError("no offer".to_owned()))?;
        let (client, pending) = (client.clone(), Some(pending));
        let peer = Self { rtc, client, address, audio, video, pending };
        Ok((peer, offer.to_sdp_string(), line))
    }

    /// Takes the client's answer. A second answer is ignored.
    ///
    /// # Errors
    /// The answer breaks a rule; the offer can still be answered unless `str0m` refused the answer.
    pub(super) fn answer(&mut self, sdp: &str) -> Result<(), AnswerError> {
        answer::check(sdp, &self.client)?;
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let invalid = |error: &dyn std::fmt::Display| AnswerError::Invalid(error.to_string());
        let answer = SdpAnswer::from_sdp_string(sdp).map_err(|error| invalid(&error))?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(|error| invalid(&error))
    }

    /// Takes a candidate of the client. One that `str0m` does not understand is ignored, such as
    /// the `.local` names of a browser without a microphone permission: the address comes from the
    /// client's connectivity check.
    pub(super) fn candidate(&mut self, line: &str) {
        match Candidate::from_sdp_string(line) {
            Ok(candidate) => self.rtc.add_remote_candidate(candidate),
            Err(error) => tracing::debug!(line, %error, "candidate ignored"),
        }
    }

    /// Takes a datagram. One that is not part of the connection is ignored.
    ///
    /// # Errors
    /// The connection cannot go on.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), RtcError> {
        match Receive::new(Protocol::Udp, source, self.address, datagram) {
            Ok(received) => self.rtc.handle_input(Input::Receive(now, received)),
            Err(_) => Ok(()),
        }
    }

    /// Advances the time.
    ///
    /// # Errors
    /// The connection cannot go on.
    pub(super) fn timeout(&mut self, now: Instant) -> Result<(), RtcError> {
        self.rtc.handle_input(Input::Timeout(now))
    }

    /// Asks the client for a key frame, once it sends video.
    pub(super) fn request_key_frame(&mut self) {
        if let Some(mut writer) = self.rtc.writer(self.video) {
            let _ = writer.request_keyframe(None, KeyframeRequestKind::Pli);
        }
    }

    /// Sends a frame, if the connection is established.
    ///
    /// # Errors
    /// The connection cannot go on.
    pub(super) fn forward(&mut self, frame: &MasterFrame) -> Result<(), RtcError> {
        let mid = match frame.kind {
            MediaKind::Audio => self.audio,
            MediaKind::Video => self.video,
        };
        let Some(writer) = self.rtc.writer(mid) else { return Ok(()) };
        let Some(payload) = writer.payload_params().next().map(PayloadParams::pt) else {
            return Ok(());
        };
        writer.write(payload, frame.received, frame.time, Arc::clone(&frame.data))
    }

    /// Begins to close the connection.
    pub(super) fn close(&mut self) {
        let _ = self.rtc.close();
    }

    /// Returns whether the connection can go on.
    pub(super) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    /// Returns the next output; the last one of a round is a timeout.
    ///
    /// # Errors
    /// The connection cannot go on.
    pub(super) fn poll(&mut self) -> Result<PeerOutput, RtcError> {
        loop {
            let output = match self.rtc.poll_output() {
                // Of the packet's frame; the connection is unharmed.
                Err(RtcError::Packet(mid, _, error)) => {
                    tracing::debug!(%mid, %error, "packet ignored");
                    continue;
                }
                output => output?,
            };
            return Ok(match output {
                Output::Timeout(at) => PeerOutput::Timeout(at),
                Output::Transmit(datagram) => {
                    PeerOutput::Datagram(datagram.destination, datagram.contents.to_vec())
                }
                Output::Event(Event::Connected) => PeerOutput::Connected,
                Output::Event(Event::Closed) => PeerOutput::Closed,
                Output::Event(Event::MediaData(data)) if data.mid == self.audio => {
                    PeerOutput::Audio(data)
                }
                Output::Event(Event::MediaData(data)) if data.mid == self.video => {
                    PeerOutput::Video(data)
                }
                Output::Event(_) => continue,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_recognised_by_the_payload_type_of_the_offer() {
        let (_, offer, _) =
            Peer::new(&Client::Master, ([127, 0, 0, 1], 9).into(), Instant::now()).unwrap();
        assert!(offer.contains(&format!("a=rtpmap:{OPUS} opus/48000/2")), "{offer}");
        let packet = |first: u8, second: u8| [&[first, second][..], &[0; 10]].concat();
        assert!(is_audio(&packet(0x80, OPUS)) && is_audio(&packet(0x90, 0x80 | OPUS)));
        assert!(!is_audio(&packet(0x80, 108)) && !is_audio(&packet(0x80, 200)));
        assert!(!is_audio(&packet(0, OPUS)) && !is_audio(&[0x80, OPUS]));
    }
}
