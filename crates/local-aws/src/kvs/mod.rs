//! Kinesis Video Streams: channels, streams, mappings, PutMedia and GetMedia.
//!
//! The data path: `put_media` → `fragmenter` (one fragment for each Cluster) → `store` (the
//! fragments of a stream) → `get_media` → `document` (one EBML document for each fragment). The
//! fragments of a storage session enter it by `media_writer`. The control plane is `registry`, with
//! one file each for streams, channels and the mapping between them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::aws_error::AwsError;
use crate::clock::Clock;
use crate::cloudwatch::Metrics;
use crate::faults::{FaultKind, Faults};
use crate::server::ListenerUrl;
use sam_template::Account;

mod arn;
mod body_fault;
mod channels;
pub(crate) mod cors;
mod document;
mod errors;
mod fragment;
mod fragment_store;
mod fragmenter;
mod get_media;
pub(crate) mod ingest_error;
mod input;
mod lifecycle;
mod media_writer;
mod put_media;
mod reader;
mod registry;
mod selector;
mod sent_log;
mod storage;
mod streams;
mod traffic;

pub(crate) use channels::ActiveChannel;
use fragment_store::FragmentStore;
pub(crate) use input::Input;
pub use lifecycle::CHANGE_MS;
use lifecycle::Status;
pub(crate) use media_writer::MediaWriter;
use registry::Registry;
pub use sent_log::SentPart;
pub use storage::STORAGE_CHANNELS;

/// The operations by their path (botocore's models; PutMedia from its API page).
const OPERATIONS: [(&str, &str); 28] = [
    ("/createStream", "CreateStream"),
    ("/describeStream", "DescribeStream"),
    ("/listStreams", "ListStreams"),
    ("/updateStream", "UpdateStream"),
    ("/deleteStream", "DeleteStream"),
    ("/updateDataRetention", "UpdateDataRetention"),
    ("/describeStreamStorageConfiguration", "DescribeStreamStorageConfiguration"),
    ("/updateStreamStorageConfiguration", "UpdateStreamStorageConfiguration"),
    ("/getDataEndpoint", "GetDataEndpoint"),
    ("/tagStream", "TagStream"),
    ("/untagStream", "UntagStream"),
    ("/listTagsForStream", "ListTagsForStream"),
    ("/createSignalingChannel", "CreateSignalingChannel"),
    ("/describeSignalingChannel", "DescribeSignalingChannel"),
    ("/listSignalingChannels", "ListSignalingChannels"),
    ("/updateSignalingChannel", "UpdateSignalingChannel"),
    ("/deleteSignalingChannel", "DeleteSignalingChannel"),
    ("/getSignalingChannelEndpoint", "GetSignalingChannelEndpoint"),
    ("/TagResource", "TagResource"),
    ("/UntagResource", "UntagResource"),
    ("/ListTagsForResource", "ListTagsForResource"),
    ("/updateMediaStorageConfiguration", "UpdateMediaStorageConfiguration"),
    ("/describeMediaStorageConfiguration", "DescribeMediaStorageConfiguration"),
    ("/describeMappedResourceConfiguration", "DescribeMappedResourceConfiguration"),
    ("/getMedia", "GetMedia"),
    ("/putMedia", "PutMedia"),
    ("/joinStorageSession", "JoinStorageSession"),
    ("/joinStorageSessionAsViewer", "JoinStorageSessionAsViewer"),
];

/// The service.
#[derive(Debug)]
pub struct Kvs {
    clock: Clock,
    faults: Faults,
    registry: Mutex<Registry>,
    traffic: traffic::Traffic,
}

impl Kvs {
    /// Creates a service without channels or streams. `base_url` is the URL of its endpoints, for
    /// example `http://127.0.0.1:7878`.
    pub fn new(clock: Clock, faults: Faults, account: Account, base_url: String) -> Arc<Self> {
        Arc::new(Self {
            clock,
            faults,
            registry: Mutex::new(Registry::new(account, base_url)),
            traffic: traffic::Traffic::default(),
        })
    }

    /// Sets how long streams and channels that are created from now on are CREATING and DELETING,
    /// in milliseconds of the scaled clock.
    pub fn change_within(&self, change_ms: u32) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).change_ms = change_ms;
    }

    /// Sets how many channels of the account may store their media.
    pub(crate) fn allow_storage_channels(&self, most: usize) {
        self.registry().storage_channels = most;
    }

    /// Sets the URL of signaling endpoints, for example `wss://127.0.0.1:7879`.
    pub(crate) fn signal_at(&self, url: String) {
        self.registry().signaling_url = url;
    }

    /// Returns the operation at a path, if there is one.
    pub(crate) fn operation(path: &str) -> Option<&'static str> {
        OPERATIONS.iter().find(|(known, _)| *known == path).map(|(_, operation)| *operation)
    }

    /// Returns the operations that a fault may name.
    pub fn operations() -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter().map(|(_, operation)| operation).chain([get_media::RUNNING])
    }

    /// Answers one request of the `kinesisvideo` scope.
    pub async fn handle(self: Arc<Self>, request: Request) -> Response {
        let mut response = self.answer(request).await.unwrap_or_else(|refused| refused.rest_json());
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            response.headers_mut().insert("x-amzn-requestid", id);
        }
        response
    }

    async fn answer(self: &Arc<Self>, request: Request) -> Result<Response, AwsError> {
        let path = request.uri().path();
        let Some(operation) = Self::operation(path) else {
            return Err(errors::unknown_operation(path));
        };
        if operation == "PutMedia" {
            return self.put_media(request).await;
        }
        let listener = request.extensions().get::<ListenerUrl>().cloned();
        let input = Input::read(request).await?;
        let fault = self.faults.gate("kinesisvideo", operation, input.target()).await?;
        if operation == "GetMedia" {
            return self.get_media(&input, fault);
        }
        if let Some(fault) = fault.as_ref().filter(|fault| fault.kind == FaultKind::Answer) {
            return Ok(json_answer(&fault.extra["answer"]));
        }
        let now_ms = self.clock.now_ms();
        let mut output = self.registry().run(operation, &input, now_ms)?;
        if let Some(ListenerUrl(url)) = listener {
            set_endpoints(&mut output, &url);
        }
        match fault {
            Some(fault) if fault.kind == FaultKind::AnswerLost => Err(fault.error()),
            _ => Ok(json_answer(&output)),
        }
    }

    /// Returns the clock of the service.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the store of an ACTIVE stream. Any other stream is not found by the media APIs.
    fn media_of(
        &self,
        name: Option<&str>,
        arn: Option<&str>,
        now_ms: i64,
    ) -> Result<Arc<FragmentStore>, AwsError> {
        let mut registry = self.registry();
        registry.sweep(now_ms);
        let name = registry.find_stream(name, arn)?;
        match registry.streams.get(&name) {
            Some(stream) if stream.life.status(now_ms) == Status::Active => {
                Ok(Arc::clone(&stream.store))
            }
            _ => Err(errors::not_found(format!(
                "The requested stream is not found or not active: {name}"
            ))),
        }
    }

    /// Returns an ACTIVE channel. `member` is the name of the ARN in the request.
    ///
    /// # Errors
    /// `InvalidArgumentException` if the ARN is malformed, `ResourceNotFoundException` if the
    /// channel does not exist or is not ACTIVE.
    pub(crate) fn active_channel(
        &self,
        arn: &str,
        member: &str,
    ) -> Result<ActiveChannel, AwsError> {
        self.registry().active_channel(arn, member, self.clock.now_ms())
    }

    /// Returns when each fragment of a stream, or each part of an open one, was first sent on a
    /// GetMedia connection, in stream order. The last deleted streams are known, too.
    pub fn sent(&self, stream: &str) -> Vec<SentPart> {
        let log = self.registry().sent_log(stream);
        log.map(|log| log.parts()).unwrap_or_default()
    }

    /// Returns the producer's time of the end of a stream's newest block, ms since the epoch.
    pub(crate) fn producer_end_ms(&self, stream: &str) -> Option<i64> {
        let store = self.registry().streams.get(stream).map(|stream| Arc::clone(&stream.store));
        store?.producer_end_ms()
    }

    /// Publishes the bytes that streams received and sent since the last call.
    pub(crate) fn publish_metrics(&self, metrics: &Metrics) {
        self.traffic.publish(metrics);
    }

    /// Returns whether a stream of this name exists, in any status.
    pub fn has_stream(&self, name: &str) -> bool {
        self.registry().streams.contains_key(name)
    }

    /// Returns the service's part of `/_local/state`.
    pub fn state(&self) -> Value {
        let now_ms = self.clock.now_ms();
        let mut registry = self.registry();
        registry.sweep(now_ms);
        let streams: Vec<Value> = registry
            .streams
            .iter()
            .map(|(name, stream)| {
                let mut state = stream.store.state(now_ms);
                state["name"] = json!(name);
                state["arn"] = json!(stream.arn);
                state["status"] = json!(stream.life.status(now_ms).word());
                state["retentionHours"] = json!(stream.retention_hours);
                state
            })
            .collect();
        let channels: Vec<Value> = registry
            .channels
            .iter()
            .map(|(name, channel)| {
                json!({
                    "name": name,
                    "arn": channel.arn,
                    "status": channel.life.status(now_ms).word(),
                    "storesIn": channel.stores_in,
                })
            })
            .collect();
        json!({ "streams": streams, "channels": channels })
    }
}

/// Sets the endpoints of an answer to the listener that was called: a client that came by TLS also
/// sends its media so. A WSS endpoint has its own URL.
fn set_endpoints(output: &mut Value, url: &str) {
    if let Some(endpoint) = output.get_mut("DataEndpoint") {
        *endpoint = url.into();
    }
    let endpoints = output.get_mut("ResourceEndpointList").and_then(Value::as_array_mut);
    for endpoint in endpoints.into_iter().flatten().filter(|it| it["Protocol"] != "WSS") {
        endpoint["ResourceEndpoint"] = url.into();
    }
}

fn json_answer(output: &Value) -> Response {
    let mut response = Response::new(Body::from(output.to_string()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
