//! The trace of a call: its header, and its subsegment.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use lambda_support::trace::{self, AwsCall, CallEnd, Failure};
use session::ErrorKind;

use crate::sdk_error::{kind_of, with_sources};

/// Sets `X-Amzn-Trace-Id` before signing, and records the call as a subsegment of the current
/// trace. Calls outside of a recorded trace get the header of [`trace::current`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TraceHeader;

/// A call on its way through the client.
#[derive(Debug)]
struct Running {
    call: AwsCall,
    attempts: u32,
}

impl Storable for Running {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for TraceHeader {
    fn name(&self) -> &'static str {
        "TraceHeader"
    }

    // Not before the execution: the operation's name is not in the configuration by then.
    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let metadata = config.load::<Metadata>();
        let call = metadata.and_then(|it| AwsCall::begin(it.service(), it.name()));
        if let Some(call) = call {
            config.interceptor_state().store_put(Running { call, attempts: 0 });
        }
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let header = match config.get_mut_from_interceptor_state::<Running>() {
            Some(running) => {
                running.attempts += 1;
                Some(running.call.header().to_owned())
            }
            None => trace::current(),
        };
        if let Some(header) = header {
            // An invalid header value is omitted, because tracing must not fail a call.
            let _ = context.request_mut().headers_mut().try_insert("x-amzn-trace-id", header);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(running) = config.get_mut_from_interceptor_state::<Running>() else {
            return Ok(());
        };
        let response = context.response();
        let header = |name| response.and_then(|response| response.headers().get(name));
        let status = response.map(|response| response.status().as_u16());
        let error = context.output_or_error().and_then(Result::err);
        let failure = error.map(|error| match error.as_operation_error() {
            Some(error) => refused(error.to_string(), status),
            None => (Failure::Fault, with_sources(error)),
        });
        running.call.end(CallEnd {
            status,
            request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
            retries: running.attempts.saturating_sub(1),
            failure,
        });
        Ok(())
    }
}

/// Classifies the error of an operation by its text: `CODE: message`, or `unhandled error (CODE)`.
fn refused(text: String, status: Option<u16>) -> (Failure, String) {
    let unhandled = text.strip_prefix("unhandled error (").and_then(|rest| rest.strip_suffix(')'));
    let code = unhandled.or_else(|| text.split(':').next());
    let flaw = match (kind_of(code, status.unwrap_or(500)), status) {
        (ErrorKind::Throttled, _) => Failure::Throttle,
        (_, Some(400..=499)) => Failure::Error,
        _ => Failure::Fault,
    };
    (flaw, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_classified_by_its_code_and_its_status() {
        for (text, status, flaw) in [
            (
                "ConditionalCheckFailedException: The conditional request failed",
                400,
                Failure::Error,
            ),
            ("ProvisionedThroughputExceededException: slow", 400, Failure::Throttle),
            ("unhandled error (ThrottlingException)", 400, Failure::Throttle),
            ("unhandled error (AccessDeniedException)", 403, Failure::Error),
            ("unhandled error", 503, Failure::Fault),
            ("InternalServerError", 500, Failure::Fault),
        ] {
            assert_eq!(refused(text.to_owned(), Some(status)), (flaw, text.to_owned()));
        }
    }
}
