//! The errors of signaling, with the codes and statuses of its API pages. The same errors refuse a
//! request and, as STATUS_RESPONSE, a message.

use crate::aws_error::AwsError;

/// 400: a parameter is missing, malformed or does not fit the channel.
pub(crate) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgumentException", message)
}

/// 400: a quota is exceeded.
pub(crate) fn too_many(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ClientLimitExceededException", message)
}
