//! PutMedia, which the SDK does not have: one signed request, whose body is sent in real time while
//! its acknowledgements arrive (KVS developer guide, API_dataplane_PutMedia).

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_kinesisvideo::types::ApiName;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http_body_util::StreamBody;
use serde_json::Value;
use session::{ErrorKind, PortError};

use crate::client::{Sdk, tls_provider};
use crate::error_body;
use crate::kinesis_video::KinesisVideo;
use crate::sdk_error::{bounded, kind_of, port_error, with_sources};

const PUT_MEDIA: &str = "PutMedia";

/// Sends media to the streams of one endpoint.
#[derive(Debug)]
pub struct PutMedia {
    sdk: Sdk,
    connector: Connector,
    url: String,
}

impl PutMedia {
    /// Creates a client of `endpoint`, a URL without a path: that of GetDataEndpoint for PutMedia,
    /// or of a local cloud.
    pub fn at(sdk: &Sdk, endpoint: &str) -> Self {
        let connector = Connector::builder().tls_provider(tls_provider()).build();
        let url = format!("{}/putMedia", endpoint.trim_end_matches('/'));
        Self { sdk: sdk.clone(), connector, url }
    }

    /// Creates a client of the endpoint that KVS assigned to a stream.
    ///
    /// # Errors
    /// GetDataEndpoint failed.
    pub async fn of_stream(sdk: &Sdk, stream: &str) -> Result<Self, PortError> {
        let operation = "GetDataEndpoint";
        let kinesis_video = KinesisVideo::new(sdk, String::new());
        let call = kinesis_video.client.get_data_endpoint().stream_name(stream);
        let output = call.api_name(ApiName::PutMedia).send().await;
        let output = output.map_err(|error| port_error(operation, &error))?;
        let missing = || PortError::new(operation, ErrorKind::Unavailable, "no endpoint");
        Ok(Self::at(sdk, &output.data_endpoint.ok_or_else(missing)?))
    }

    /// Starts to send `media`, a Matroska document with relative timecodes, to a stream. Returns
    /// when KVS accepts the request, which is before the end of the media. `start_ms` is the
    /// producer's clock at timecode 0, in ms since the epoch.
    ///
    /// # Errors
    /// KVS refused the request, or the connection failed.
    pub async fn open(
        &self,
        stream: &str,
        start_ms: i64,
        media: impl Stream<Item = Bytes> + Send + Sync + 'static,
    ) -> Result<Acks, PortError> {
        let frames = media.map(|bytes| Ok::<_, BoxError>(http_body::Frame::data(bytes)));
        let mut request = HttpRequest::new(SdkBody::from_body_1_x(StreamBody::new(frames)));
        self.address(&mut request, stream, start_ms).map_err(invalid)?;
        self.sign(&mut request).await?;
        let answer = self.connector.call(request).await.map_err(|error| broken(&error))?;
        if answer.status().is_success() {
            return Ok(Acks(ByteStream::new(answer.into_body())));
        }
        Err(refused(error_body::bounded(answer)).await)
    }

    /// Sets method, URL and headers.
    fn address(
        &self,
        request: &mut HttpRequest,
        stream: &str,
        start_ms: i64,
    ) -> Result<(), BoxError> {
        request.set_method("POST")?;
        request.set_uri(self.url.as_str())?;
        let headers = request.headers_mut();
        headers.try_insert("x-amzn-stream-name", stream.to_owned())?;
        headers.try_insert("x-amzn-fragment-timecode-type", "RELATIVE")?;
        headers.try_insert("x-amzn-fragment-acknowledgment-required", "1")?;
        headers.try_insert("x-amzn-producer-start-timestamp", seconds(start_ms))?;
        if let Some(trace) = lambda_support::trace::current() {
            // An invalid header value is omitted, because tracing must not fail a call.
            let _ = headers.try_insert("x-amzn-trace-id", trace);
        }
        Ok(())
    }

    /// Signs the request with the process's credentials. The body is signed as empty, as AWS's
    /// producers do, because it does not exist yet.
    async fn sign(&self, request: &mut HttpRequest) -> Result<(), PortError> {
        let config = self.sdk.config();
        let (Some(provider), Some(region)) = (config.credentials_provider(), config.region())
        else {
            return Err(invalid("neither credentials nor a region are configured"));
        };
        let credentials = provider.provide_credentials().await.map_err(|error| {
            PortError::new(PUT_MEDIA, ErrorKind::Denied, bounded(with_sources(&error)))
        })?;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region.as_ref())
            .name("kinesisvideo")
            .time(SystemTime::now())
            .settings(SigningSettings::default());
        let params = params.build().map_err(invalid)?.into();
        let headers = request.headers().iter();
        let signable = SignableRequest::new("POST", &self.url, headers, SignableBody::Bytes(&[]));
        let signed = sign(signable.map_err(invalid)?, &params).map_err(invalid)?;
        for header in signed.into_parts().0.into_parts().0 {
            let (name, value) = (header.name(), header.value().to_owned());
            request.headers_mut().try_insert(name, value).map_err(invalid)?;
        }
        Ok(())
    }
}

/// The acknowledgements of one request, as they arrive.
#[derive(Debug)]
pub struct Acks(ByteStream);

impl Acks {
    /// Returns the next bytes, or `None` at the end of the response.
    pub async fn next(&mut self) -> Option<Result<Bytes, PortError>> {
        let next = self.0.next().await?;
        Some(next.map_err(|error| broken(&error)))
    }
}

/// Formats milliseconds as seconds for the header.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Reads an error response. The code is that of the header, or of the body.
async fn refused(answer: HttpResponse) -> PortError {
    let status = answer.status().as_u16();
    let header = answer.headers().get("x-amzn-errortype").map(ToOwned::to_owned);
    let body = ByteStream::new(answer.into_body()).collect().await;
    let body = body.map(aws_smithy_types::byte_stream::AggregatedBytes::into_bytes);
    let body: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    let text = |names: [&str; 2]| names.iter().find_map(|name| body[name].as_str());
    let code = header.as_deref().or_else(|| text(["__type", "code"]));
    // Some services append a URL to the code, or put a namespace before it.
    let code = code.and_then(|code| code.split(':').next()?.rsplit('#').next());
    let message = text(["Message", "message"]).unwrap_or("no message");
    let message = format!("{}: {message}", code.unwrap_or("unknown error"));
    PortError::new(PUT_MEDIA, kind_of(code, status), bounded(format!("{status} {message}")))
}

fn broken(error: &(dyn std::error::Error + 'static)) -> PortError {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    PortError::new(PUT_MEDIA, ErrorKind::Unavailable, bounded(reason))
}

fn invalid(reason: impl ToString) -> PortError {
    PortError::new(PUT_MEDIA, ErrorKind::Invalid, bounded(reason.to_string()))
}
