//! Bounds the bodies of failed AWS calls.
//!
//! The SDK reads the whole body of a response other than 2xx into memory before it parses it. A
//! body of 50 MB from a faulty endpoint or proxy would take most of a function's memory.

use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// Maximum length of an error body, in bytes. Those of AWS are below 4 KB.
const MAX_BODY: usize = 64 * 1024;

/// An HTTP client that limits the bodies of responses other than 2xx to [`MAX_BODY`] bytes.
#[derive(Debug)]
pub(crate) struct BoundedErrors(pub(crate) SharedHttpClient);

impl HttpClient for BoundedErrors {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(self.0.http_connector(settings, components)))
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector(SharedHttpConnector);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { answer.await.map(bounded) })
    }
}

/// Limits the body of a response other than 2xx to [`MAX_BODY`] bytes.
pub(crate) fn bounded(mut answer: HttpResponse) -> HttpResponse {
    if !answer.status().is_success() {
        let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
        *answer.body_mut() = SdkBody::from_body_1_x(Limited::new(body, MAX_BODY));
    }
    answer
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::byte_stream::ByteStream;

    use super::*;

    /// Returns the length of a body read through the connector, or `None` if reading failed.
    async fn read(status: u16, length: usize) -> Option<usize> {
        #[derive(Debug)]
        struct Answers(u16, usize);
        impl HttpConnector for Answers {
            fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
                let status = self.0.try_into().unwrap();
                let answer = HttpResponse::new(status, SdkBody::from(vec![b'x'; self.1]));
                HttpConnectorFuture::ready(Ok(answer))
            }
        }
        let connector = Connector(SharedHttpConnector::new(Answers(status, length)));
        let answer = connector.call(HttpRequest::new(SdkBody::empty())).await.unwrap();
        let body = ByteStream::new(answer.into_body()).collect().await.ok()?;
        Some(body.into_bytes().len())
    }

    #[tokio::test]
    async fn only_the_body_of_an_error_is_bounded() {
        for status in [400, 403, 404, 429, 500, 503] {
            assert_eq!(read(status, MAX_BODY).await, Some(MAX_BODY), "{status}");
            assert_eq!(read(status, MAX_BODY + 1).await, None, "{status}");
        }
        assert_eq!(read(200, 6 << 20).await, Some(6 << 20));
    }
}
