//! Members of requests, and the errors of wrong ones.

use serde_json::{Value, json};

use crate::aws_error::AwsError;

/// The default and the largest limit of DescribeLogGroups and DescribeLogStreams.
const MAX_DESCRIBED: usize = 50;

/// Returns a page of groups or streams.
pub(super) fn described(request: &Value, name: &str, items: Vec<Value>) -> Result<Value, AwsError> {
    let limit = limit(request, MAX_DESCRIBED)?;
    let from = match text(request, "nextToken") {
        Some(token) => token.parse().map_err(|_| invalid("The specified nextToken is invalid."))?,
        None => 0_usize,
    };
    let more = items.len() > from.saturating_add(limit);
    let page: Vec<Value> = items.into_iter().skip(from).take(limit).collect();
    let mut answer = json!({});
    if more {
        answer["nextToken"] = (from + page.len()).to_string().into();
    }
    answer[name] = page.into();
    Ok(answer)
}

pub(super) fn text<'a>(request: &'a Value, name: &str) -> Option<&'a str> {
    request[name].as_str()
}

/// Reads `limit`, from 1 to `most`, which is its default.
pub(super) fn limit(request: &Value, most: usize) -> Result<usize, AwsError> {
    let Some(value) = request.get("limit").filter(|value| !value.is_null()) else {
        return Ok(most);
    };
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number.filter(|number| (1..=most).contains(number)).ok_or_else(|| {
        invalid(&format!(
            "1 validation error detected: Value '{value}' at 'limit' failed to satisfy constraint: \
             Member must have value between 1 and {most}"
        ))
    })
}

/// Reads a time, Unix ms.
pub(super) fn time(request: &Value, name: &str) -> Result<Option<i64>, AwsError> {
    match &request[name] {
        Value::Null => Ok(None),
        value => value.as_i64().filter(|time| *time >= 0).map(Some).ok_or_else(|| {
            invalid(&format!(
                "1 validation error detected: Value '{value}' at '{name}' failed to satisfy \
                 constraint: Member must have value greater than or equal to 0"
            ))
        }),
    }
}

pub(super) fn invalid(message: &str) -> AwsError {
    AwsError::bad_request("InvalidParameterException", message)
}

pub(super) fn not_found(what: &str) -> AwsError {
    let message = format!("The specified log {what} does not exist.");
    AwsError::bad_request("ResourceNotFoundException", message)
}
