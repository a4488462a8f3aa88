//! Members of SQS requests.

use std::time::Duration;

use serde_json::Value;

use crate::aws_error::AwsError;

/// Returns the name of the queue of a request: the last part of its URL, or its name.
pub(crate) fn queue_of(request: &Value) -> Option<&str> {
    let url = request["QueueUrl"].as_str().or_else(|| request["QueueName"].as_str())?;
    url.trim_end_matches('/').rsplit('/').next()
}

/// Reads a whole number of seconds from 0 to `most`.
pub(super) fn seconds(
    request: &Value,
    name: &str,
    most: u64,
) -> Result<Option<Duration>, AwsError> {
    number(request, name, 0, most).map(|seconds| seconds.map(Duration::from_secs))
}

pub(super) fn number(
    request: &Value,
    name: &str,
    least: u64,
    most: u64,
) -> Result<Option<u64>, AwsError> {
    let Some(value) = request.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    match value.as_u64() {
        Some(value) if (least..=most).contains(&value) => Ok(Some(value)),
        _ => Err(invalid(format!(
            "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."
        ))),
    }
}

fn invalid(message: String) -> AwsError {
    AwsError::bad_request("InvalidParameterValue", message)
}
