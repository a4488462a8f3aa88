//! Settings shared by all AWS clients of a process: one TLS stack (rustls on ring), a pinned
//! behaviour version, bounded error bodies, and the invocation's trace header on every call.

#[cfg(feature = "producer")]
use aws_config::Region;
use aws_config::{BehaviorVersion, SdkConfig};
#[cfg(feature = "producer")]
use aws_credential_types::provider::SharedCredentialsProvider;
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
        let http = BoundedErrors(Builder::new().tls_provider(tls_provider()).build_https());
        Self(aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await)
    }

    /// Returns whether a region is configured, without which no call can be made.
    #[cfg(feature = "producer")]
    #[must_use]
    pub fn has_region(&self) -> bool {
        self.0.region().is_some()
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
