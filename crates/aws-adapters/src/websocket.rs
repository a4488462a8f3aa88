//! The management endpoint of the WebSocket API (`POST /@connections/{connectionId}`).

use aws_config::retry::RetryConfig;
use aws_sdk_apigatewaymanagement::{Client, config::Builder, primitives::Blob};
use lambda_support::{
    Env,
    env::{ConfigError, Optional, Variable},
};
use session::{PortError, ports::PostOutcome};

use crate::client::{Sdk, TraceHeader};
use crate::sdk_error::port_error;

/// Endpoint of the connections: `https://API-ID.execute-api.REGION.amazonaws.com/STAGE`, or a
/// custom domain with its base path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Reads an endpoint from a variable; `None` if it is absent or empty.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`] if it is not an HTTPS URL. An endpoint on this machine may use
    /// HTTP.
    pub fn from_env(env: &Env, variable: &Variable<Optional>) -> Result<Option<Self>, ConfigError> {
        let Some(value) = env.optional(variable) else { return Ok(None) };
        let local = ["http://127.0.0.1:", "http://localhost:"];
        let host = value.strip_prefix("https://");
        let is_url = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
            || local.iter().any(|start| value.starts_with(start));
        // The SDK appends the path of the call.
        let is_base = !value.contains(['?', '#', '@']) && !value.contains(char::is_whitespace);
        if is_url && is_base {
            return Ok(Some(Self(value.trim_end_matches('/').to_owned())));
        }
        let wanted = "the https:// URL of a WebSocket API's stage, without /@connections";
        Err(ConfigError::malformed(variable.name, value, wanted))
    }
}

/// A client of one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Management {
    client: Client,
}

impl Management {
    pub(crate) fn new(sdk: &Sdk, endpoint: &Endpoint) -> Self {
        let config = Builder::from(sdk.config())
            .endpoint_url(&endpoint.0)
            // The use case retries within its own budget.
            .retry_config(RetryConfig::disabled())
            .interceptor(TraceHeader)
            .build();
        Self { client: Client::from_conf(config) }
    }

    pub(crate) async fn post(
        &self,
        connection_id: &str,
        message: &str,
    ) -> Result<PostOutcome, PortError> {
        let data = Blob::new(message.as_bytes());
        let post = self.client.post_to_connection().connection_id(connection_id).data(data);
        match post.send().await {
            Ok(_) => Ok(PostOutcome::Sent),
            // Checks the status, because the header may lack GoneException.
            Err(error) if error.raw_response().is_some_and(|it| it.status().as_u16() == 410) => {
                Ok(PostOutcome::Gone)
            }
            Err(error) => Err(port_error("PostToConnection", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLE: Variable<Optional> =
        Variable { name: "WEBSOCKET_API_ENDPOINT", meaning: "", kind: Optional };

    fn read(value: &str) -> Result<Option<Endpoint>, ConfigError> {
        Endpoint::from_env(&Env::from_pairs([(VARIABLE.name, value)]), &VARIABLE)
    }

    #[test]
    fn a_stage_a_domain_and_this_machine_are_endpoints() {
        for url in [
            "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod",
            "https://ws.example.com",
            "http://127.0.0.1:7878",
        ] {
            assert_eq!(read(url), Ok(Some(Endpoint(url.to_owned()))));
            assert_eq!(read(&format!("{url}/")), Ok(Some(Endpoint(url.to_owned()))));
        }
        assert_eq!(read(""), Ok(None));
        assert_eq!(Endpoint::from_env(&Env::from_pairs([]), &VARIABLE), Ok(None));
    }

    #[test]
    fn another_value_is_rejected_and_the_variable_named() {
        for text in [
            "wss://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod",
            "http://ws.example.com",
            "https://",
            "https:///prod",
            "https://ws.example.com/@connections",
            "https://ws.example.com/prod?x=1",
            "ws.example.com",
            "https://ws.example.com /",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(VARIABLE.name) && error.contains("https://"), "{error}");
        }
    }
}
