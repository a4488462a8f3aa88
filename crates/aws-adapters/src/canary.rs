//! Synchronous invocations of the session handler by the canary.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use serde_json::Value;
use session::{ErrorKind, PortError};

use crate::client::{Sdk, TraceHeader};
use crate::sdk_error::port_error;

const INVOKE: &str = "Invoke";

/// Longest invocation: the timeout of the session handler, and a second for the call.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A function that is invoked synchronously.
#[derive(Debug)]
pub struct Function {
    client: Client,
    name: String,
}

impl Function {
    /// Creates a client of the function with this name.
    pub fn new(sdk: &Sdk, name: String) -> Self {
        let timeout = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT);
        let client = Builder::from(sdk.config())
            .interceptor(TraceHeader)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeout.build())
            .build();
        Self { client: Client::from_conf(client), name }
    }

    /// Invokes the function once and returns its response.
    ///
    /// # Errors
    /// Lambda did not run the function, or the function failed.
    pub async fn call(&self, payload: &Value) -> Result<Value, PortError> {
        let call = self.client.invoke().function_name(&self.name);
        let output = call.payload(Blob::new(payload.to_string())).send().await;
        let output = output.map_err(|error| port_error(INVOKE, &error))?;
        let body = output.payload.map(Blob::into_inner).unwrap_or_default();
        let unavailable = |reason| PortError::new(INVOKE, ErrorKind::Unavailable, reason);
        if let Some(kind) = output.function_error {
            let body = String::from_utf8_lossy(&body).chars().take(200).collect::<String>();
            return Err(unavailable(format!("{} failed: {kind}: {body}", self.name)));
        }
        serde_json::from_slice(&body).map_err(|error| unavailable(error.to_string()))
    }
}
