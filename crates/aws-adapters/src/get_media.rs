//! GetMedia, with one client per endpoint.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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

/// Maximum number of cached clients. KVS assigns endpoints per stream.
const MAX_CLIENTS: usize = 1_000;

/// Opens media connections.
#[derive(Debug)]
pub struct GetMedia {
    sdk: Sdk,
    kinesis_video: KinesisVideo,
    clients: Mutex<HashMap<StreamArn, Arc<Client>>>,
}

impl GetMedia {
    /// Creates a source that looks up endpoints through `kinesis_video`.
    pub fn new(sdk: &Sdk, kinesis_video: KinesisVideo) -> Self {
        Self { sdk: sdk.clone(), kinesis_video, clients: Mutex::default() }
    }

    /// Returns the client for a stream's endpoint, which is cached until a call fails.
    async fn client(&self, stream: &StreamArn) -> Result<Arc<Client>, PortError> {
        if let Some(client) = self.clients().get(stream) {
            return Ok(Arc::clone(client));
        }
        let endpoint = self.endpoint(stream).await?;
        let config = Builder::from(self.sdk.config())
            .endpoint_url(endpoint)
            .interceptor(TraceHeader)
            // An idle live stream delivers no bytes for seconds; the reader has its own idle timer.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // The reader limits its rate of calls itself; KVS allows 5 per second and stream.
            .retry_config(RetryConfig::disabled())
            .build();
        let client = Arc::new(Client::from_conf(config));
        let mut clients = self.clients();
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.insert(stream.clone(), Arc::clone(&client));
        Ok(client)
    }

    /// Returns the GetMedia endpoint of a stream.
    async fn endpoint(&self, stream: &StreamArn) -> Result<String, PortError> {
        let operation = "GetDataEndpoint";
        let call = self.kinesis_video.client.get_data_endpoint().stream_arn(stream.as_str());
        let output = call.api_name(ApiName::GetMedia).send().await;
        let output = output.map_err(|error| port_error(operation, &error))?;
        let missing = || PortError::new(operation, ErrorKind::Unavailable, "no endpoint");
        output.data_endpoint.ok_or_else(missing)
    }

    fn clients(&self) -> std::sync::MutexGuard<'_, HashMap<StreamArn, Arc<Client>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MediaSource for GetMedia {
    type Body = Body;

    async fn open(
        &self,
        stream: &StreamArn,
        after: Option<&FragmentNumber>,
    ) -> Result<Body, PortError> {
        let client = self.client(stream).await?;
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
        let call = client.get_media().stream_arn(stream.as_str()).start_selector(selector).send();
        match call.await {
            Ok(output) => Ok(Body(output.payload)),
            Err(error) => {
                // The endpoint may have changed, so the next call looks it up again.
                self.clients().remove(stream);
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
