//! A client of a storage session, on a UDP socket of 127.0.0.1: what a browser is to the service.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::{Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;

/// How long an event may take, on a very busy machine.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

/// The payload type of Opus in the service's offer.
const OPUS: u8 = 111;

pub(super) struct Browser {
    rtc: Rtc,
    socket: UdpSocket,
    audio: Option<Mid>,
    video: Option<Mid>,
    is_connected: bool,
    /// Audio datagrams that the network loses, by number.
    lost: BTreeSet<usize>,
    audio_sent: usize,
    /// Key frame requests received.
    pub(super) key_requests: usize,
    /// Packets and pictures received.
    pub(super) audio_received: Vec<Vec<u8>>,
    pub(super) video_received: Vec<Vec<u8>>,
    next: Instant,
}

impl Browser {
    /// Answers an offer. Returns the browser and its answer.
    pub(super) async fn answer(
        offer: &str,
        lost: impl IntoIterator<Item = usize>,
    ) -> (Self, String) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let now = Instant::now();
        let mut rtc = Rtc::builder().build(now);
        let address = socket.local_addr().unwrap();
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let offer = SdpOffer::from_sdp_string(offer).unwrap();
        let answer = rtc.sdp_api().accept_offer(offer).unwrap();
        let lost = lost.into_iter().collect();
        let mut browser = Self {
            rtc,
            socket,
            audio: None,
            video: None,
            is_connected: false,
            lost,
            audio_sent: 0,
            key_requests: 0,
            audio_received: Vec::new(),
            video_received: Vec::new(),
            next: now,
        };
        browser.drain().await;
        (browser, answer.to_sdp_string())
    }

    /// Runs until the connection is established.
    pub(super) async fn connected(&mut self) {
        let limit = Instant::now() + EVENT_TIMEOUT;
        while !self.is_connected {
            assert!(Instant::now() < limit, "not connected");
            self.step(Instant::now() + Duration::from_millis(50)).await;
        }
    }

    /// Runs until `at`.
    pub(super) async fn run_until(&mut self, at: Instant) {
        while Instant::now() < at && self.rtc.is_alive() {
            self.step(at).await;
        }
    }

    /// Runs until the service has closed the connection.
    pub(super) async fn closed(&mut self) {
        let limit = Instant::now() + EVENT_TIMEOUT;
        while self.rtc.is_alive() {
            assert!(Instant::now() < limit, "not closed");
            self.step(Instant::now() + Duration::from_millis(50)).await;
        }
    }

    /// Closes the connection.
    pub(super) async fn close(&mut self) {
        self.rtc.close().unwrap();
        self.drain().await;
    }

    /// Sends an Opus packet whose first sample has this RTP time at `at`.
    pub(super) async fn send_audio(&mut self, rtp: u64, at: Instant, packet: &[u8]) {
        let time = MediaTime::new(rtp, Frequency::FORTY_EIGHT_KHZ);
        self.send(self.audio.unwrap(), time, at, packet).await;
    }

    /// Sends a picture.
    pub(super) async fn send_video(&mut self, rtp: u64, at: Instant, annex_b: &[u8]) {
        let time = MediaTime::new(rtp, Frequency::NINETY_KHZ);
        self.send(self.video.unwrap(), time, at, annex_b).await;
    }

    async fn send(&mut self, mid: Mid, time: MediaTime, at: Instant, data: &[u8]) {
        let writer = self.rtc.writer(mid).unwrap();
        let payload = writer.payload_params().next().unwrap().pt();
        writer.write(payload, at, time, data.to_vec()).unwrap();
        self.drain().await;
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain().await;
    }

    /// Waits for a datagram or a timeout, at most until `at`.
    async fn step(&mut self, at: Instant) {
        let mut buffer = vec![0; 2048];
        let received = tokio::select! {
            received = self.socket.recv_from(&mut buffer) => received.ok(),
            () = tokio::time::sleep_until(self.next.min(at).into()) => None,
        };
        let now = Instant::now();
        let address = self.socket.local_addr().unwrap();
        let input = match &received {
            Some((len, source)) => {
                match Receive::new(Protocol::Udp, *source, address, &buffer[..*len]) {
                    Ok(received) => Input::Receive(now, received),
                    Err(_) => return,
                }
            }
            None => Input::Timeout(now),
        };
        self.rtc.handle_input(input).unwrap();
        self.drain().await;
    }

    async fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.next = at;
                    return;
                }
                Output::Transmit(datagram) => {
                    let is_audio = datagram.contents.len() > 12
                        && datagram.contents[0] >> 6 == 2
                        && datagram.contents[1] & 0x7F == OPUS;
                    self.audio_sent += usize::from(is_audio);
                    if !(is_audio && self.lost.contains(&(self.audio_sent - 1))) {
                        let _ = self.socket.send_to(&datagram.contents, datagram.destination).await;
                    }
                }
                Output::Event(Event::Connected) => self.is_connected = true,
                Output::Event(Event::KeyframeRequest(_)) => self.key_requests += 1,
                Output::Event(Event::MediaAdded(added)) => match added.kind {
                    MediaKind::Audio => self.audio = Some(added.mid),
                    MediaKind::Video => self.video = Some(added.mid),
                },
                Output::Event(Event::MediaData(media)) if Some(media.mid) == self.audio => {
                    self.audio_received.push(media.data.to_vec());
                }
                Output::Event(Event::MediaData(media)) => {
                    self.video_received.push(media.data.to_vec())
                }
                Output::Event(_) => {}
            }
        }
    }
}
