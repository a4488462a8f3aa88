//! GetMedia: a client per endpoint, a body of bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::media::FragmentNumber;
use aws_sdk_kinesisvideomedia::Client;
use aws_sdk_kinesisvideomedia::config::retry::RetryConfig;
use aws_sdk_kinesisvideomedia::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_kinesisvideomedia::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesisvideomedia::operation::get_media::GetMediaError;
use aws_sdk_kinesisvideomedia::primitives::ByteStream;
use aws_sdk_kinesisvideomedia::types::{StartSelector, StartSelectorType};
use bytes::Bytes;
use lambda_shell::aws::TraceHeader;
use relay::ports::{BodyError, MediaBody, MediaSource, OpenError};
use session::StreamArn;

use crate::kinesis_video::{Belongs, KinesisVideo};

/// Endpoints remembered at most; KVS gives each stream its own, and a process serves few streams.
const MOST_ENDPOINTS: usize = 1_000;

/// Opens media connections.
#[derive(Debug)]
pub(crate) struct GetMedia {
    sdk: aws_config::SdkConfig,
    kinesis_video: KinesisVideo,
    clients: Mutex<HashMap<StreamArn, Arc<Client>>>,
}

impl GetMedia {
    pub(crate) fn new(sdk: &aws_config::SdkConfig, kinesis_video: KinesisVideo) -> Self {
        Self { sdk: sdk.clone(), kinesis_video, clients: Mutex::default() }
    }

    /// The client for a stream's endpoint; asked for once and kept until a call fails.
    async fn client(&self, stream: &StreamArn) -> Result<Arc<Client>, OpenError> {
        if let Some(client) = self.clients().get(stream) {
            return Ok(Arc::clone(client));
        }
        let endpoint = self.kinesis_video.media_endpoint(stream).await?;
        let config = Builder::from(&self.sdk)
            .endpoint_url(endpoint)
            .interceptor(TraceHeader)
            // A quiet live stream delivers nothing for seconds; the reader has its own idle timer.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // The reader paces its calls itself: 5 a second per stream are allowed.
            .retry_config(RetryConfig::disabled())
            .build();
        let client = Arc::new(Client::from_conf(config));
        let mut clients = self.clients();
        if clients.len() >= MOST_ENDPOINTS {
            clients.clear();
        }
        clients.insert(stream.clone(), Arc::clone(&client));
        Ok(client)
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
    ) -> Result<Body, OpenError> {
        let client = self.client(stream).await?;
        let selector = StartSelector::builder();
        let selector = match after {
            Some(number) => selector
                .start_selector_type(StartSelectorType::FragmentNumber)
                .after_fragment_number(number.as_str()),
            None => selector.start_selector_type(StartSelectorType::Earliest),
        };
        let selector = selector.build().map_err(|error| OpenError::Refused(error.to_string()))?;
        let call = client.get_media().stream_arn(stream.as_str()).start_selector(selector).send();
        match call.await {
            Ok(output) => Ok(Body(output.payload)),
            Err(error) => {
                // The endpoint may have moved: ask for it again before the next call.
                self.clients().remove(stream);
                Err(open_error(error))
            }
        }
    }

    async fn is_gone(&self, stream: &StreamArn) -> bool {
        matches!(self.kinesis_video.belongs(stream).await, Ok(Belongs::Nowhere))
    }
}

/// The bytes of one connection.
#[derive(Debug)]
pub(crate) struct Body(ByteStream);

impl MediaBody for Body {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        // ByteStream::next keeps its state outside the future: dropping it loses no bytes.
        let next = self.0.next().await?;
        Some(next.map_err(|error| BodyError(DisplayErrorContext(error).to_string())))
    }
}

fn open_error<R: std::fmt::Debug>(error: SdkError<GetMediaError, R>) -> OpenError {
    match error.code().unwrap_or_default() {
        "ResourceNotFoundException" => OpenError::NoStream,
        code @ ("ClientLimitExceededException" | "ConnectionLimitExceededException") => {
            OpenError::Throttled(code.to_owned())
        }
        _ => OpenError::Refused(DisplayErrorContext(error).to_string()),
    }
}
