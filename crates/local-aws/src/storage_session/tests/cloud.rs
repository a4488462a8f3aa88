//! A channel whose media is stored, with its master's end of the signaling connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt as _;
use http::Request;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::{DatagramCounts, FragmentOptions, StorageSessions};
use super::browser::Browser;
use crate::clock::Clock;
use crate::faults::{Faults, network};
use crate::kvs::{Kvs, MediaWriter};
use crate::signaling::{FromClient, ServiceSide, ToClient};
use sam_template::Account;

pub(super) const STREAM: &str = "talk";

pub(super) struct Cloud {
    kvs: Arc<Kvs>,
    pub(super) sessions: StorageSessions,
    pub(super) channel_arn: String,
    pub(super) faults: Faults,
    waiting: Arc<Mutex<VecDeque<ServiceSide>>>,
}

/// The master's end of its signaling connection.
pub(super) struct Master {
    pub(super) from_service: mpsc::Receiver<ToClient>,
    pub(super) to_service: mpsc::Sender<FromClient>,
}

/// What GetMedia returns of a stream, decoded.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// 16 kHz samples from the origin on; gaps that are not filled are silent.
    pub(super) pcm: Vec<i16>,
    /// Producer's time of the first sample.
    pub(super) origin_ms: i64,
    /// CodecID of the track.
    pub(super) codec: Option<String>,
    /// The server and the producer timestamp of each fragment, ms.
    pub(super) times: Vec<(i64, i64)>,
    /// Number of fragments.
    pub(super) fragments: usize,
    /// Positions and lengths of gaps.
    pub(super) gaps: Vec<(u64, u64)>,
}

impl Cloud {
    /// Creates a channel and a stream that stores it in fragments of two seconds.
    pub(super) async fn new(time_scale: f64) -> Self {
        Self::storing(time_scale, FragmentOptions { length_ms: 2000, progressive: false }).await
    }

    /// Creates a channel and a stream that stores it in these fragments.
    pub(super) async fn storing(time_scale: f64, fragments: FragmentOptions) -> Self {
        let clock = Clock::new(time_scale);
        let faults = Faults::default().with_operations("kinesisvideo", network::OPERATIONS);
        let kvs = Kvs::new(clock, faults.clone(), Account::default(), String::new());
        kvs.change_within(0);
        let waiting = Arc::new(Mutex::new(VecDeque::<ServiceSide>::new()));
        let taken = Arc::clone(&waiting);
        let sessions = StorageSessions::new(
            Arc::clone(&kvs),
            faults.clone(),
            Box::new(move |_, _| taken.lock().unwrap().pop_front()),
            fragments,
            CancellationToken::new(),
        );
        let channel_arn = String::new();
        let mut cloud = Self { kvs, sessions, channel_arn, faults, waiting };
        cloud.channel_arn = cloud.create_channel("talk").await;
        let stream = json!({ "StreamName": STREAM, "DataRetentionInHours": 24 });
        let stream_arn = cloud.control("/createStream", &stream).await["StreamARN"].clone();
        let configuration = json!({ "Status": "ENABLED", "StreamARN": stream_arn });
        let mapping = json!({
            "ChannelARN": cloud.channel_arn,
            "MediaStorageConfiguration": configuration,
        });
        cloud.control("/updateMediaStorageConfiguration", &mapping).await;
        cloud
    }

    /// Creates a channel, and returns its ARN.
    pub(super) async fn create_channel(&self, name: &str) -> String {
        let channel = json!({ "ChannelName": name });
        let created = self.control("/createSignalingChannel", &channel).await;
        created["ChannelARN"].as_str().unwrap().to_owned()
    }

    /// Deletes the channel, after the end of its mapping to the stream.
    pub(super) async fn delete_channel(&self) {
        let disabled = json!({ "Status": "DISABLED" });
        let mapping = json!({
            "ChannelARN": self.channel_arn,
            "MediaStorageConfiguration": disabled,
        });
        self.control("/updateMediaStorageConfiguration", &mapping).await;
        let channel = json!({ "ChannelARN": self.channel_arn });
        self.control("/deleteSignalingChannel", &channel).await;
    }

    async fn control(&self, path: &str, body: &Value) -> Value {
        let response = self.kvs.clone().handle(request(path, body)).await;
        assert!(response.status().is_success(), "{path}: {response:?}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Connects a master.
    pub(super) fn connect(&self) -> Master {
        let (to_client, from_service) = mpsc::channel(16);
        let (to_service, from_client) = mpsc::channel(16);
        self.waiting.lock().unwrap().push_back(ServiceSide { to_client, from_client });
        Master { from_service, to_service }
    }

    /// Calls JoinStorageSession.
    pub(super) async fn join(&self, channel_arn: &str) -> Response {
        let body = json!({ "channelArn": channel_arn });
        self.sessions.handle(request("/joinStorageSession", &body)).await
    }

    /// Calls JoinStorageSessionAsViewer.
    pub(super) async fn join_as_viewer(&self, client_id: &str) -> Response {
        self.join_channel_as_viewer(&self.channel_arn, client_id).await
    }

    /// Calls JoinStorageSessionAsViewer for another channel.
    pub(super) async fn join_channel_as_viewer(&self, arn: &str, client_id: &str) -> Response {
        let body = json!({ "channelArn": arn, "clientId": client_id });
        self.sessions.handle(request("/joinStorageSessionAsViewer", &body)).await
    }

    pub(super) fn clock(&self) -> &Clock {
        self.kvs.clock()
    }

    /// Closes the master's connection, and waits until its media is stored. The session reads the
    /// end of the connection after all that was sent before.
    pub(super) async fn end(&self, browser: &mut Browser) {
        browser.close().await;
        self.ended().await;
    }

    /// Waits for the end of the channel's session.
    pub(super) async fn ended(&self) {
        let master = {
            let mut joined = self.sessions.joined();
            joined.channels.get_mut(&self.channel_arn).unwrap().master.take().unwrap()
        };
        within(master.ended).await.unwrap();
    }

    /// Connects another producer to the stream.
    pub(super) fn producer(&self) -> MediaWriter {
        let channel = self.kvs.active_channel(&self.channel_arn, "channelArn").unwrap();
        self.kvs.media_writer(&channel.stores_in.unwrap(), 0, false).unwrap()
    }

    /// Returns the datagrams of the channel's sessions.
    pub(super) fn datagrams(&self) -> DatagramCounts {
        self.sessions.datagrams(&self.channel_arn).unwrap()
    }

    /// Returns the state of the stream.
    pub(super) fn stream(&self) -> Value {
        self.kvs.state()["streams"][0].clone()
    }

    /// Reads the complete fragments of the stream with GetMedia, and decodes them.
    pub(super) async fn decoded(&self) -> Decoded {
        let stored = self.stream()["fragments"].as_u64().unwrap() as usize;
        self.decoded_until(|decoded| decoded.fragments >= stored).await
    }

    /// Reads the stream with GetMedia until this many samples are decoded.
    pub(super) async fn decoded_up_to(&self, samples: usize) -> Decoded {
        self.decoded_until(|decoded| decoded.pcm.len() >= samples).await
    }

    async fn decoded_until(&self, is_enough: impl Fn(&Decoded) -> bool) -> Decoded {
        let selector = json!({ "StartSelectorType": "EARLIEST" });
        let body = json!({ "StreamName": STREAM, "StartSelector": selector });
        let response = self.kvs.clone().handle(request("/getMedia", &body)).await;
        let mut pieces = response.into_body().into_data_stream();
        let options = media::StreamOptions { max_fill_ms: 0, ..Default::default() };
        let (mut stream, mut decoded) = (media::Stream::start(options), Decoded::default());
        while !is_enough(&decoded) {
            let piece = within(pieces.next()).await.unwrap().unwrap();
            let mut rest = &piece[..];
            while !rest.is_empty() {
                rest = stream.push(rest);
                decoded.take(&mut stream);
            }
        }
        stream.finish();
        stream.flush();
        decoded.take(&mut stream);
        decoded.codec = stream.codec_id().map(str::to_owned);
        decoded.origin_ms = stream.origin_ms().unwrap_or_default();
        decoded
    }

    /// Reads the stream with GetMedia, and returns its first piece: a small fragment, or its head.
    pub(super) async fn bytes(&self) -> Vec<u8> {
        let selector = json!({ "StartSelectorType": "EARLIEST" });
        let body = json!({ "StreamName": STREAM, "StartSelector": selector });
        let response = self.kvs.clone().handle(request("/getMedia", &body)).await;
        let mut pieces = response.into_body().into_data_stream();
        within(pieces.next()).await.unwrap().unwrap().to_vec()
    }
}

impl Decoded {
    fn take(&mut self, stream: &mut media::Stream) {
        while let Some(output) = stream.poll() {
            match output {
                media::Output::Pcm { start, samples, .. } => {
                    self.pcm.resize(start as usize, 0);
                    self.pcm.extend_from_slice(samples);
                }
                media::Output::Gap { start, samples } => self.gaps.push((start, samples)),
                media::Output::FragmentCompleted { .. } => self.fragments += 1,
                media::Output::FragmentStarted { server_ms, producer_ms, .. } => {
                    self.times.push((server_ms.unwrap(), producer_ms.unwrap()));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

impl Master {
    /// Returns the service's offer; its candidate follows.
    pub(super) async fn offer(&mut self) -> String {
        let message = within(self.from_service.recv()).await;
        let Some(ToClient::Offer(offer)) = message else { panic!("{message:?}") };
        let Some(ToClient::Candidate(line)) = self.from_service.recv().await else {
            panic!("no candidate")
        };
        assert!(line.contains("127.0.0.1"), "{line}");
        offer
    }

    pub(super) async fn send_answer(&self, sdp: String, correlation_id: Option<&str>) {
        let correlation_id = correlation_id.map(str::to_owned);
        self.to_service.send(FromClient::Answer { sdp, correlation_id }).await.unwrap();
    }
}

/// Waits for an event that comes at once, unless the machine is very busy.
pub(super) async fn within<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event).await.expect("an event within a minute")
}

fn request(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).body(Body::from(body.to_string())).unwrap()
}
