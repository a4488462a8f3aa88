//! Invoking functions: the processor with each payload, ourselves as the next link.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use lambda_shell::aws::TraceHeader;
use relay::StoreError;
use relay::answer::Reply;
use relay::ports::{Continuation, Links, Processor};
use serde_json::json;
use session::SessionId;
use session::audio::AudioPayload;

use crate::config::{Config, Invocation};

/// The audio processor.
#[derive(Debug)]
pub(crate) struct ProcessorFunction {
    client: Client,
    function: String,
    invocation: Invocation,
}

impl ProcessorFunction {
    pub(crate) fn new(sdk: &aws_config::SdkConfig, config: &Config) -> Self {
        // Order and retries are the deliverer's: an SDK retry of a slow attempt would put the same
        // samples on the way twice at once.
        let timeout =
            TimeoutConfig::builder().operation_attempt_timeout(config.relay.attempt_timeout);
        let client = Builder::from(sdk)
            .interceptor(TraceHeader)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeout.build())
            .build();
        Self {
            client: Client::from_conf(client),
            function: config.processor.clone(),
            invocation: config.invocation,
        }
    }
}

impl Processor for ProcessorFunction {
    async fn invoke(&self, payload: &AudioPayload) -> Reply {
        let body = match serde_json::to_vec(payload) {
            Ok(body) => body,
            Err(error) => return Reply::Invalid(error.to_string()),
        };
        let kind = match self.invocation {
            Invocation::RequestResponse => InvocationType::RequestResponse,
            Invocation::Event => InvocationType::Event,
        };
        let call = self.client.invoke().function_name(&self.function).invocation_type(kind);
        match call.payload(Blob::new(body)).send().await {
            Ok(output) => {
                let body = output.payload.map(Blob::into_inner).unwrap_or_default();
                Reply::from_invoke(output.function_error.as_deref(), &body)
            }
            Err(error) => refused(error),
        }
    }
}

/// Lambda itself did not run the function.
fn refused<R: std::fmt::Debug>(error: SdkError<InvokeError, R>) -> Reply {
    match error.code().unwrap_or_default() {
        // The payload will be as it is next time.
        code @ ("RequestTooLargeException"
        | "InvalidRequestContentException"
        | "UnsupportedMediaTypeException") => Reply::Invalid(code.to_owned()),
        // Throttles, 5xx, networks, but also a function or permission that an operator can mend:
        // KVS keeps the audio meanwhile.
        _ => Reply::Failed(DisplayErrorContext(error).to_string()),
    }
}

/// This function, invoked by itself.
#[derive(Debug)]
pub(crate) struct NextLink {
    client: Client,
    /// Without the SDK's retries: the hand-off has a timetable and tries again by itself.
    once: Client,
    function: String,
}

impl NextLink {
    pub(crate) fn new(sdk: &aws_config::SdkConfig, function: String) -> Self {
        let client = Builder::from(sdk).interceptor(TraceHeader);
        let once = client.clone().retry_config(RetryConfig::disabled());
        Self {
            client: Client::from_conf(client.build()),
            once: Client::from_conf(once.build()),
            function,
        }
    }

    /// Invokes this function asynchronously with a direct event.
    pub(crate) async fn direct(&self, session: &SessionId, action: &str) -> Result<(), StoreError> {
        self.send(&self.client, &json!({"sessionId": session, "action": action})).await
    }

    async fn send(&self, client: &Client, payload: &serde_json::Value) -> Result<(), StoreError> {
        let call = client.invoke().function_name(&self.function);
        let call = call.invocation_type(InvocationType::Event);
        match call.payload(Blob::new(payload.to_string())).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(StoreError { message: DisplayErrorContext(error).to_string(), retryable: true })
            }
        }
    }
}

impl Links for NextLink {
    async fn invoke_next(&self, continuation: &Continuation) -> Result<(), StoreError> {
        let payload = json!({
            "sessionId": continuation.session_id,
            "action": "continue",
            "epoch": continuation.epoch,
            "version": relay::checkpoint::VERSION,
            "traceId": lambda_shell::trace::current(),
        });
        self.send(&self.once, &payload).await
    }
}
