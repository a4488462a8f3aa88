//! What an error of an AWS SDK means for us, decided in one place.

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};
use session::{Fault, FaultKind};

/// Longest message kept, in bytes: enough for AWS's own, and a bound for a log line.
const MAX_MESSAGE: usize = 500;

/// The fault that `error` of `operation` is.
pub fn fault<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let kind = match error {
        SdkError::ConstructionFailure(_) => FaultKind::Invalid,
        SdkError::TimeoutError(_) => FaultKind::TimedOut,
        SdkError::ServiceError(service) => {
            kind_of(service.err().code(), service.raw().status().as_u16())
        }
        _ => FaultKind::Unavailable,
    };
    let message = match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("unknown error");
            format!("{code}: {}", service.err().message().unwrap_or("no message"))
        }
        // No answer, so no header or body that could get into the message.
        _ => DisplayErrorContext(error).to_string(),
    };
    Fault::new(operation, kind, bounded(message))
}

/// The fault that `error` of DynamoDB is. There "not found" speaks of the table or its index, which is our mistake.
pub fn table_fault<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let fault = fault(operation, error);
    match fault.kind {
        FaultKind::NotFound => Fault { kind: FaultKind::Invalid, ..fault },
        _ => fault,
    }
}

/// Whether the condition of a write to DynamoDB held.
///
/// # Errors
/// What else it failed with.
pub fn held<T, E>(
    operation: &'static str,
    output: Result<T, SdkError<E, HttpResponse>>,
) -> Result<bool, Fault>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match output {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(table_fault(operation, &error)),
    }
}

/// The kind of an AWS error code; of the HTTP status, when the code is not one we know.
pub fn kind_of(code: Option<&str>, status: u16) -> FaultKind {
    match code.unwrap_or_default() {
        "ResourceNotFoundException" => FaultKind::NotFound,
        "ResourceInUseException" | "VersionMismatchException" => FaultKind::InUse,
        "AccountChannelLimitExceededException"
        | "AccountStreamLimitExceededException"
        | "DeviceStreamLimitExceededException" => FaultKind::LimitExceeded,
        "ClientLimitExceededException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "TransactionConflictException"
        | "TransactionInProgressException" => FaultKind::Throttled,
        "AccessDeniedException"
        | "NotAuthorizedException"
        | "NotAuthorizedForSourceException"
        | "NotAuthorizedForDetailTypeException"
        | "UnrecognizedClientException"
        | "ExpiredTokenException" => FaultKind::Denied,
        "InternalFailure" | "InternalException" | "InternalServerError" | "ServiceUnavailable" => {
            FaultKind::Unavailable
        }
        _ => match status {
            429 => FaultKind::Throttled,
            401 | 403 => FaultKind::Denied,
            400..=499 => FaultKind::Invalid,
            _ => FaultKind::Unavailable,
        },
    }
}

/// `message`, cut at a character when it is too long.
pub fn bounded(mut message: String) -> String {
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
            (Some("ClientLimitExceededException"), 400, FaultKind::Throttled),
            (Some("AccountChannelLimitExceededException"), 400, FaultKind::LimitExceeded),
            (Some("ResourceInUseException"), 400, FaultKind::InUse),
            (Some("NoDataRetentionException"), 400, FaultKind::Invalid),
            (Some("NotAuthorizedException"), 401, FaultKind::Denied),
            (Some("AccessDeniedException"), 400, FaultKind::Denied),
            (Some("ResourceNotFoundException"), 404, FaultKind::NotFound),
            (Some("SomethingNew"), 400, FaultKind::Invalid),
            (Some("SomethingNew"), 500, FaultKind::Unavailable),
            (None, 503, FaultKind::Unavailable),
            (None, 429, FaultKind::Throttled),
            (None, 200, FaultKind::Unavailable),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code:?} {status}");
        }
    }

    #[test]
    fn a_message_is_cut_at_a_character() {
        let long = "ä".repeat(MAX_MESSAGE);
        assert!(bounded(long).len() <= MAX_MESSAGE);
        assert_eq!(bounded("short".to_owned()), "short");
    }
}
