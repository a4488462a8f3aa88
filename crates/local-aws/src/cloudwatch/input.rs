//! The parameters of requests: times, lists of limited length, and pages of results.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::aws_error::AwsError;

/// Reads the parameters of an operation.
///
/// # Errors
/// `ValidationError`: one is missing, unknown or of another type.
pub(super) fn read<T: DeserializeOwned>(input: &Value) -> Result<T, AwsError> {
    T::deserialize(input).map_err(|error| invalid(error.to_string()))
}

/// 400 `ValidationError`.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationError", message)
}

/// 400 `InvalidParameterValue`.
pub(super) fn wrong_value(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterValue", message)
}

/// 400 `InvalidParameterCombination`.
pub(super) fn wrong_combination(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterCombination", message)
}

/// A time in a request: seconds since the epoch.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Time(f64);

impl Time {
    /// Returns ms since the epoch. Times beyond any clock are cut.
    pub(super) fn ms(self) -> i64 {
        (self.0 * 1000.0).clamp(0.0, 1e15) as i64
    }
}

/// Returns ms since the epoch as a time in an answer.
pub(super) fn seconds(ms: i64) -> Value {
    (ms as f64 / 1000.0).into()
}

/// Returns a page of at most `size` results, and the token of the next page.
///
/// # Errors
/// `InvalidNextToken`.
pub(super) fn page<T>(
    all: impl Iterator<Item = T>,
    size: usize,
    token: Option<&str>,
) -> Result<(Vec<T>, Option<String>), AwsError> {
    let wrong = || AwsError::bad_request("InvalidNextToken", "The next token is not valid.");
    let from: usize = token.map_or(Ok(0), str::parse).map_err(|_| wrong())?;
    let mut page: Vec<T> = all.skip(from).take(size.saturating_add(1)).collect();
    let has_more = page.len() > size;
    page.truncate(size);
    Ok((page, has_more.then(|| (from + size).to_string())))
}

/// Returns MaxRecords within its range 1 to 100; 50 if it is absent.
///
/// # Errors
/// `ValidationError`.
pub(super) fn records(wanted: Option<usize>) -> Result<usize, AwsError> {
    match wanted.unwrap_or(50) {
        0 | 101.. => Err(invalid("MaxRecords must be between 1 and 100")),
        wanted => Ok(wanted),
    }
}
