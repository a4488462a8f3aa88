//! Invocations of Lambda functions: the processor with each payload, the consumer itself for the
//! next run of a session.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use relay::answer::Reply;
use relay::ports::Processor;
use serde_json::Value;
use session::PortError;
use session::audio::AudioPayload;

use crate::client::{Sdk, TraceHeader};
use crate::sdk_error::port_error;

/// The audio processor's function.
#[derive(Debug)]
pub struct ProcessorFunction {
    client: Client,
    function: String,
}

impl ProcessorFunction {
    /// Creates a client of the function with this name or ARN. An attempt takes at most
    /// `attempt_timeout`.
    pub fn new(sdk: &Sdk, function: String, attempt_timeout: Duration) -> Self {
        // The deliverer retries in order. A retry of a slow attempt by the SDK would send the same
        // samples concurrently.
        let timeout = TimeoutConfig::builder().operation_attempt_timeout(attempt_timeout);
        let client = Builder::from(sdk.config())
            .interceptor(TraceHeader)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeout.build())
            .build();
        Self { client: Client::from_conf(client), function }
    }
}

impl Processor for ProcessorFunction {
    async fn invoke(&self, payload: &AudioPayload) -> Reply {
        let body = match serde_json::to_vec(payload) {
            Ok(body) => body,
            Err(error) => return Reply::Invalid(error.to_string()),
        };
        let call = self.client.invoke().function_name(&self.function).payload(Blob::new(body));
        match call.send().await {
            Ok(output) => {
                let body = output.payload.map(Blob::into_inner).unwrap_or_default();
                Reply::from_invoke(output.function_error.as_deref(), &body)
            }
            Err(error) => refused(&error),
        }
    }
}

/// Classifies an error of Lambda, which did not run the function.
fn refused(error: &SdkError<InvokeError, HttpResponse>) -> Reply {
    match error.code().unwrap_or_default() {
        // The same payload would fail again.
        code @ ("RequestTooLargeException"
        | "InvalidRequestContentException"
        | "UnsupportedMediaTypeException") => Reply::Invalid(code.to_owned()),
        // Throttling, 5xx and network errors, and a missing function or permission, which an
        // operator can correct while KVS keeps the audio.
        _ => Reply::Failed(port_error("Invoke", error).to_string()),
    }
}

/// A function of the consumer: this one, or the one to which it forwards its events.
#[derive(Debug)]
pub struct ConsumerFunction {
    client: Client,
    /// A client without the SDK's retries, because the hand-off retries itself.
    once: Client,
    function: String,
}

impl ConsumerFunction {
    /// Creates a client of the function with this name or ARN.
    pub fn new(sdk: &Sdk, function: String) -> Self {
        let client = Builder::from(sdk.config()).interceptor(TraceHeader);
        let once = client.clone().retry_config(RetryConfig::disabled());
        Self {
            client: Client::from_conf(client.build()),
            once: Client::from_conf(once.build()),
            function,
        }
    }

    /// Invokes the function asynchronously.
    ///
    /// # Errors
    /// The call failed.
    pub(crate) async fn invoke(&self, event: &Value) -> Result<(), PortError> {
        self.send(&self.client, event).await
    }

    /// As [`Self::invoke`], without the SDK's retries.
    ///
    /// # Errors
    /// The call failed.
    pub(crate) async fn invoke_once(&self, event: &Value) -> Result<(), PortError> {
        self.send(&self.once, event).await
    }

    async fn send(&self, client: &Client, payload: &Value) -> Result<(), PortError> {
        let call = client.invoke().function_name(&self.function);
        let call = call.invocation_type(InvocationType::Event);
        let output = call.payload(Blob::new(payload.to_string())).send().await;
        output.map(drop).map_err(|error| port_error("Invoke", &error))
    }
}
