//! Settings shared by all AWS clients of a process: one TLS stack (rustls on ring), a pinned
//! behaviour version, bounded error bodies, and the invocation's trace header on every call.

#[cfg(feature = "producer")]
use aws_config::Region;
use aws_config::{BehaviorVersion, SdkConfig};
#[cfg(feature = "producer")]
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::error_body::BoundedErrors;

/// Region, credentials, endpoint and HTTP client of every AWS client in this process.
#[derive(Clone, Debug)]
pub struct Sdk(SdkConfig);

impl Sdk {
    /// Loads the settings from the environment. `AWS_ENDPOINT_URL` redirects all services, for
    /// example to the local cloud.
    pub async fn load() -> Self {
        let http = BoundedErrors(Builder::new().tls_provider(tls_provider()).build_https());
        Self(aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await)
    }

    /// Uses the local cloud at `url` with the key that has all permissions there, and nothing of
    /// the environment.
    #[cfg(feature = "producer")]
    pub fn local(url: &str) -> Self {
        let key = aws_credential_types::Credentials::new("test", "test", None, None, "local");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(key))
            .endpoint_url(url)
            .region(Region::from_static("us-east-1"));
        Self(config.build())
    }

    /// Uses this configuration, for example that of an endpoint in a test.
    #[must_use]
    pub const fn from_config(config: SdkConfig) -> Self {
        Self(config)
    }

    pub(crate) const fn config(&self) -> &SdkConfig {
        &self.0
    }
}

/// Returns the one TLS stack of all clients.
pub(crate) fn tls_provider() -> tls::Provider {
    tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)
}

/// Sets `X-Amzn-Trace-Id` from [`lambda_support::trace::current`] before signing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TraceHeader;

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
        if let Some(trace) = lambda_support::trace::current() {
            // An invalid header value is omitted, because tracing must not fail a call.
            let _ = context.request_mut().headers_mut().try_insert("x-amzn-trace-id", trace);
        }
        Ok(())
    }
}
