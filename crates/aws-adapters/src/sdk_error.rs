//! Classification of the errors of the AWS SDKs.

use std::error::Error;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use session::{ErrorKind, PortError};

/// Maximum length of a message, in bytes. AWS's messages are shorter.
const MAX_MESSAGE: usize = 500;

/// Converts an SDK error of `operation`.
pub(crate) fn port_error<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let kind = match error {
        SdkError::ConstructionFailure(_) => ErrorKind::Invalid,
        SdkError::TimeoutError(_) => ErrorKind::TimedOut,
        SdkError::ServiceError(service) => {
            kind_of(service.err().code(), service.raw().status().as_u16())
        }
        _ => ErrorKind::Unavailable,
    };
    let message = match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("unknown error");
            format!("{code}: {}", service.err().message().unwrap_or("no message"))
        }
        _ => with_sources(error),
    };
    PortError::new(operation, kind, bounded(message))
}

/// [`port_error`] for DynamoDB, where "not found" refers to the table or its index and so means a
/// wrong configuration.
#[cfg(any(feature = "sessions", feature = "watermarks"))]
pub(crate) fn table_error<E>(
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let error = port_error(operation, error);
    match error.kind {
        ErrorKind::NotFound => PortError { kind: ErrorKind::Invalid, ..error },
        _ => error,
    }
}

/// Returns the kind of an AWS error code, or of the HTTP status if the code is not listed.
pub(crate) fn kind_of(code: Option<&str>, status: u16) -> ErrorKind {
    match code.unwrap_or_default() {
        "ResourceNotFoundException" => ErrorKind::NotFound,
        "ResourceInUseException" | "VersionMismatchException" => ErrorKind::InUse,
        "AccountChannelLimitExceededException"
        | "AccountStreamLimitExceededException"
        | "DeviceStreamLimitExceededException" => ErrorKind::LimitExceeded,
        "ClientLimitExceededException"
        | "ConnectionLimitExceededException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "TransactionConflictException"
        | "TransactionInProgressException" => ErrorKind::Throttled,
        "AccessDeniedException"
        | "NotAuthorizedException"
        | "NotAuthorizedForSourceException"
        | "NotAuthorizedForDetailTypeException"
        | "UnrecognizedClientException" => ErrorKind::Denied,
        // The credentials provider renews an expired token before the next call.
        "ExpiredTokenException"
        | "InternalFailure"
        | "InternalException"
        | "InternalServerError"
        | "ServiceUnavailable" => ErrorKind::Unavailable,
        _ => match status {
            429 => ErrorKind::Throttled,
            401 | 403 => ErrorKind::Denied,
            400..=499 => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        },
    }
}

/// Returns an error's message and those of its sources. The SDK's `DisplayErrorContext` adds the
/// Debug form, which contains the header and the body of a response.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        message = format!("{message}: {error}");
        source = error.source();
    }
    message
}

/// Truncates a message to at most [`MAX_MESSAGE`] bytes, at a character boundary.
pub(crate) fn bounded(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let cut = message.floor_char_boundary(MAX_MESSAGE);
        message.truncate(cut);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_win_over_the_status() {
        for (code, status, kind) in [
            (Some("ClientLimitExceededException"), 400, ErrorKind::Throttled),
            (Some("AccountChannelLimitExceededException"), 400, ErrorKind::LimitExceeded),
            (Some("ResourceInUseException"), 400, ErrorKind::InUse),
            (Some("NoDataRetentionException"), 400, ErrorKind::Invalid),
            (Some("NotAuthorizedException"), 401, ErrorKind::Denied),
            (Some("AccessDeniedException"), 400, ErrorKind::Denied),
            (Some("ExpiredTokenException"), 400, ErrorKind::Unavailable),
            (Some("ResourceNotFoundException"), 404, ErrorKind::NotFound),
            (Some("SomethingNew"), 400, ErrorKind::Invalid),
            (Some("SomethingNew"), 500, ErrorKind::Unavailable),
            (None, 503, ErrorKind::Unavailable),
            (None, 429, ErrorKind::Throttled),
            (None, 200, ErrorKind::Unavailable),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code:?} {status}");
        }
    }

    #[test]
    fn an_error_without_a_code_is_named_without_its_response() {
        let body = aws_smithy_types::body::SdkBody::from("secret");
        let raw = HttpResponse::new(200.try_into().unwrap(), body);
        let malformed: Box<dyn Error + Send + Sync> = "malformed".into();
        let error: SdkError<aws_sdk_lambda::operation::invoke::InvokeError, _> =
            SdkError::response_error(malformed, raw);
        assert_eq!(port_error("Invoke", &error).to_string(), "Invoke: response error: malformed");
    }

    #[test]
    fn a_message_is_cut_at_a_character() {
        let long = "ä".repeat(MAX_MESSAGE);
        assert!(bounded(long).len() <= MAX_MESSAGE);
        assert_eq!(bounded("short".to_owned()), "short");
    }
}
