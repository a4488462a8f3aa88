//! SQS errors, and how they are written on the wire.

use axum::response::Response;
use http::HeaderValue;

use crate::aws_error::AwsError;

/// The content type of requests and answers.
pub(super) const JSON: &str = "application/x-amz-json-1.0";

pub(super) fn no_such_queue() -> AwsError {
    AwsError::bad_request("QueueDoesNotExist", "The specified queue does not exist.")
}

/// SQS names its errors with a namespace, and their names of the older query protocol in a header.
pub(crate) fn error_response(error: AwsError) -> Response {
    let older = match &*error.code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "MessageNotInflight" => "AWS.SimpleQueueService.MessageNotInflight".to_owned(),
        "EmptyBatchRequest"
        | "TooManyEntriesInBatchRequest"
        | "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong" => format!("AWS.SimpleQueueService.{}", error.code),
        other => other.to_owned(),
    };
    let side = if error.status.is_server_error() { "Receiver" } else { "Sender" };
    let named = AwsError { code: format!("com.amazonaws.sqs#{}", error.code).into(), ..error };
    let mut response = named.json(JSON);
    if let Ok(value) = HeaderValue::from_str(&format!("{older};{side}")) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}
