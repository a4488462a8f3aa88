//! GetMedia, at the endpoint of each stream.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::media::FragmentNumber;
use aws_sdk_kinesisvideo::types::ApiName;
use aws_sdk_kinesisvideomedia::Client;
use aws_sdk_kinesisvideomedia::config::retry::RetryConfig;
use aws_sdk_kinesisvideomedia::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_kinesisvideomedia::primitives::ByteStream;
use aws_sdk_kinesisvideomedia::types::{StartSelector, StartSelectorType};
use bytes::Bytes;
use relay::ports::{BodyError, MediaBody, MediaSource};
use session::reconcile::Inventory as _;
use session::{ErrorKind, Ownership, PortError, StreamArn};

use crate::client::{Sdk, TraceHeader};
use crate::kinesis_video::KinesisVideo;
use crate::sdk_error::{bounded, port_error, with_sources};

const GET_MEDIA: &str = "GetMedia";

/// Maximum number of cached endpoints. KVS assigns endpoints per stream.
const MAX_ENDPOINTS: usize = 1_000;

/// Opens media connections.
#[derive(Debug)]
pub struct GetMedia {
    kinesis_video: KinesisVideo,
    client: Client,
    endpoints: Mutex<HashMap<StreamArn, String>>,
}

impl GetMedia {
    /// Creates a source that looks up endpoints through `kinesis_video`.
    pub fn new(sdk: &Sdk, kinesis_video: KinesisVideo) -> Self {
        let config = Builder::from(sdk.config())
            .interceptor(TraceHeader)
            // An idle live stream delivers no bytes for seconds; the reader has its own idle timer.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // The reader limits its rate of calls itself; KVS allows 5 per second and stream.
            .retry_config(RetryConfig::disabled())
            .build();
        Self { kinesis_video, client: Client::from_conf(config), endpoints: Mutex::default() }
    }

    /// Returns the GetMedia endpoint of a stream, which is cached until a call fails.
    async fn endpoint(&self, stream: &StreamArn) -> Result<String, PortError> {
        if let Some(endpoint) = self.endpoints().get(stream) {
            return Ok(endpoint.clone());
        }
        let operation = "GetDataEndpoint";
        let call = self.kinesis_video.client.get_data_endpoint().stream_arn(stream.as_str());
        let output = call.api_name(ApiName::GetMedia).send().await;
        let output = output.map_err(|error| port_error(operation, &error))?;
        let missing = || PortError::new(operation, ErrorKind::Unavailable, "no endpoint");
        let endpoint = output.data_endpoint.ok_or_else(missing)?;
        let mut endpoints = self.endpoints();
        if endpoints.len() >= MAX_ENDPOINTS {
            endpoints.clear();
        }
        endpoints.insert(stream.clone(), endpoint.clone());
        Ok(endpoint)
    }

    fn endpoints(&self) -> MutexGuard<'_, HashMap<StreamArn, String>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MediaSource for GetMedia {
    type Body = Body;

    async fn open(
        &self,
        stream: &StreamArn,
        after: Option<&FragmentNumber>,
    ) -> Result<Body, PortError> {
        let endpoint = self.endpoint(stream).await?;
        let selector = StartSelector::builder();
        let selector = match after {
            Some(number) => selector
                .start_selector_type(StartSelectorType::FragmentNumber)
                .after_fragment_number(number.as_str()),
            None => selector.start_selector_type(StartSelectorType::Earliest),
        };
        let selector = selector.build();
        let selector = selector
            .map_err(|error| PortError::new(GET_MEDIA, ErrorKind::Invalid, error.to_string()))?;
        let call = self.client.get_media().stream_arn(stream.as_str()).start_selector(selector);
        // A client of each stream would take its memory for as long as the process runs.
        let call = call.customize().config_override(Builder::new().endpoint_url(endpoint));
        match call.send().await {
            Ok(output) => Ok(Body(output.payload)),
            Err(error) => {
                // The endpoint may have changed, so the next call looks it up again.
                self.endpoints().remove(stream);
                Err(port_error(GET_MEDIA, &error))
            }
        }
    }

    async fn is_gone(&self, stream: &StreamArn) -> bool {
        matches!(self.kinesis_video.stream_owner(stream).await, Ok(Ownership::NotFound))
    }
}

/// The bytes of one connection.
#[derive(Debug)]
pub struct Body(ByteStream);

impl MediaBody for Body {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        // ByteStream::next keeps its state outside the future: dropping it loses no bytes.
        let next = self.0.next().await?;
        Some(next.map_err(|error| BodyError(bounded(with_sources(&error)))))
    }
}
