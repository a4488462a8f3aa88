//! Invocations of the functions.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Config;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;

use super::{Aws, failed, within};
use crate::error::Error;

const OPERATION: &str = "lambda invoke";
/// How long a function whose answer is awaited may take: Lambda's longest timeout, and a little.
const LONGEST_FUNCTION: Duration = Duration::from_secs(15 * 60 + 10);

/// The answer of a function.
#[derive(Debug)]
pub(crate) struct Invoked {
    /// The `X-Amz-Function-Error` header, if the function failed.
    pub(crate) function_error: Option<String>,
    /// Its answer, or its error.
    pub(crate) body: Vec<u8>,
}

impl Aws {
    /// Prints an invocation that waits for its answer, as it would be made.
    pub(crate) fn show_called(&self, function: &str, payload: &str) {
        self.show_invocation(function, &InvocationType::RequestResponse, payload);
    }

    fn show_invocation(&self, function: &str, kind: &InvocationType, payload: &str) {
        let arguments = [
            ("--function-name", function),
            ("--invocation-type", kind.as_str()),
            // Read as bytes by both versions of the AWS CLI.
            ("--payload", "fileb:///dev/stdin"),
            ("", "/dev/stdout"),
        ];
        self.show(OPERATION, &arguments, Some(payload));
    }

    /// Prints an asynchronous invocation as it would be made.
    pub(crate) fn show_queued(&self, function: &str, payload: &str) {
        self.show_invocation(function, &InvocationType::Event, payload);
    }

    /// Queues an asynchronous invocation. Lambda then retries the function by itself.
    pub(crate) async fn queue(&self, function: &str, payload: &str) -> Result<(), Error> {
        self.invoke(function, InvocationType::Event, payload).await.map(drop)
    }

    /// Invokes a function and waits for its answer.
    pub(crate) async fn call(&self, function: &str, payload: &str) -> Result<Invoked, Error> {
        self.invoke(function, InvocationType::RequestResponse, payload).await
    }

    async fn invoke(
        &self,
        function: &str,
        kind: InvocationType,
        payload: &str,
    ) -> Result<Invoked, Error> {
        self.show_invocation(function, &kind, payload);
        let call = Client::new(&self.config).invoke().function_name(function);
        let is_answered = kind == InvocationType::RequestResponse;
        let call = call.invocation_type(kind).payload(Blob::new(payload.as_bytes()));
        let slow = Config::builder().timeout_config(within(LONGEST_FUNCTION));
        let output = match is_answered {
            true => call.customize().config_override(slow).send().await,
            false => call.send().await,
        };
        let output = output.map_err(failed(OPERATION))?;
        let body = output.payload.map(Blob::into_inner).unwrap_or_default();
        Ok(Invoked { function_error: output.function_error, body })
    }
}
