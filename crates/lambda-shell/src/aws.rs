//! AWS clients: one TLS stack (rustls on ring, no legacy stack beside it), one pinned behaviour
//! version, bounded error bodies, and the invocation's own trace on every call.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::error_body::BoundedErrors;

/// Loads region, credentials and endpoint from the environment, as Lambda provides them
/// (`AWS_ENDPOINT_URL` redirects every service, which is how the local cloud is reached).
///
/// Give each service client the trace of its invocation:
/// `Builder::from(&config).interceptor(TraceHeader)`.
pub async fn sdk_config() -> SdkConfig {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let http = BoundedErrors(Builder::new().tls_provider(ring).build_https());
    aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await
}

/// Sets `X-Amzn-Trace-Id` from [`trace::current`](crate::trace::current) before signing.
#[derive(Debug, Clone, Copy, Default)]
pub struct TraceHeader;

#[dyn_dispatch_hint]
impl Intercept for TraceHeader {
    fn name(&self) -> &'static str {
        "TraceHeader"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(trace) = crate::trace::current() {
            // A header that is no valid HTTP value is left out: tracing never fails a call.
            let _ = context.request_mut().headers_mut().try_insert("x-amzn-trace-id", trace);
        }
        Ok(())
    }
}
