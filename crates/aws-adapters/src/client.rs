//! Settings shared by all AWS clients of a process: one TLS stack (rustls on ring), a pinned
//! behaviour version, bounded error bodies, and the invocation's trace header on every call.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{Builder, tls};

use crate::error_body::BoundedErrors;
pub(crate) use crate::trace_header::TraceHeader;

/// Region, credentials, endpoint and HTTP client of every AWS client in this process.
#[derive(Clone, Debug)]
pub struct Sdk(SdkConfig);

impl Sdk {
    /// Loads the settings from the environment. `AWS_ENDPOINT_URL` redirects all services, for
    /// example to the local cloud.
    pub async fn load() -> Self {
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let http = BoundedErrors(Builder::new().tls_provider(ring).build_https());
        Self(aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await)
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
