//! The errors of Kinesis Video Streams, with the codes and statuses of its API model (botocore
//! `kinesisvideo` and `kinesis-video-media`), one constructor for each.

use http::StatusCode;

use crate::aws_error::AwsError;

/// 400: a member of the request is missing, malformed or out of its range.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgumentException", message)
}

/// 404: there is no such stream or channel (any more).
pub(super) fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::not_found(message)
}

/// 400: the name is taken, the resource is not ACTIVE, or it is mapped elsewhere.
pub(super) fn in_use(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ResourceInUseException", message)
}

/// 400: a mapped channel or stream cannot be deleted. The text is AWS's, as in its clean-up script
/// (aws-samples/amazon-kinesis-video-streams-demos, kvs_cleanup.py).
pub(super) fn mapped(kind: &str) -> AwsError {
    in_use(format!("Disable MediaStorageConfiguration to delete the {}", kind))
}

/// 400: media storage was requested on a stream without retention.
pub(super) fn no_retention(stream: &str) -> AwsError {
    AwsError::bad_request(
        "NoDataRetentionException",
        format!("The stream {stream} has a data retention of 0 hours: set it to 1 or more"),
    )
}

/// 400: the caller's CurrentVersion is not the resource's.
pub(super) fn version_mismatch(resource: &str) -> AwsError {
    AwsError::bad_request(
        "VersionMismatchException",
        format!("The version specified is not the latest version of {resource}"),
    )
}

/// 400: more than fifty tags on one resource.
pub(super) fn too_many_tags() -> AwsError {
    AwsError::bad_request(
        "TagsPerResourceExceededLimitException",
        "A resource can have at most 50 tags",
    )
}

/// 400: the account has the maximum number of streams.
pub(super) fn too_many_streams() -> AwsError {
    AwsError::bad_request(
        "AccountStreamLimitExceededException",
        "The number of streams created for the account is too high",
    )
}

/// 400: the account has the maximum number of channels.
pub(super) fn too_many_channels() -> AwsError {
    AwsError::bad_request(
        "AccountChannelLimitExceededException",
        "The number of signaling channels created for the account is too high",
    )
}

/// 400: more calls per second than the API allows.
pub(super) fn too_many_calls(operation: &str) -> AwsError {
    AwsError::bad_request(
        "ClientLimitExceededException",
        format!("{operation} was called more often than the limit of calls allows"),
    )
}

/// 400: the account has the maximum number of channels with media storage. No other error in the
/// model of the call fits.
pub(super) fn too_many_mappings(most: usize) -> AwsError {
    AwsError::bad_request(
        "ClientLimitExceededException",
        format!("{most} channels have storage enabled, as many as an account may have"),
    )
}

/// 400: more concurrent connections than a stream allows.
pub(super) fn too_many_connections(operation: &str, most: usize) -> AwsError {
    AwsError::bad_request(
        "ConnectionLimitExceededException",
        format!("The stream has {most} {operation} connections, as many as it may have"),
    )
}

/// 404: the path is not an operation of the service.
pub(super) fn unknown_operation(path: &str) -> AwsError {
    AwsError::new(
        StatusCode::NOT_FOUND,
        "UnknownOperationException",
        format!("{path} is no operation of Kinesis Video Streams"),
    )
}
