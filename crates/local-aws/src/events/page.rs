//! Pagination of lists: at most Limit items, and a NextToken while there are more (botocore's
//! model: Limit 1..=100, NextToken 1..=2048 characters; its paginators continue until an answer has
//! no token).

use serde_json::{Value, json};

use crate::aws_error::AwsError;

/// The default and the largest Limit.
const MOST: u64 = 100;
/// The prefix of a pagination token, by which other text is rejected.
const TOKEN: &str = "after-";

/// Returns the requested page of `items`, as the member `name` of the answer.
///
/// # Errors
/// `ValidationException` for a Limit out of range or an invalid NextToken.
pub(super) fn page(request: &Value, name: &str, items: Vec<Value>) -> Result<Value, AwsError> {
    let (limit, from) = (limit(request)?, start(request)?);
    let left = items.len().saturating_sub(from);
    let page: Vec<Value> = items.into_iter().skip(from).take(limit).collect();
    let mut answer = json!({});
    if page.len() < left {
        answer["NextToken"] = format!("{TOKEN}{}", from + page.len()).into();
    }
    answer[name] = page.into();
    Ok(answer)
}

fn limit(request: &Value) -> Result<usize, AwsError> {
    let limit = match &request["Limit"] {
        Value::Null => Some(MOST),
        value => value.as_u64().filter(|limit| (1..=MOST).contains(limit)),
    };
    limit.and_then(|limit| usize::try_from(limit).ok()).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value '{}' at 'limit' failed to satisfy constraint: \
             Member must have value between 1 and {MOST}",
            request["Limit"]
        ))
    })
}

/// Returns the number of items on earlier pages.
fn start(request: &Value) -> Result<usize, AwsError> {
    match &request["NextToken"] {
        Value::Null => Ok(0),
        token => token
            .as_str()
            .and_then(|token| token.strip_prefix(TOKEN)?.parse().ok())
            .ok_or_else(|| invalid(format!("Parameter NextToken is not valid: {token}"))),
    }
}

fn invalid(message: String) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_each_item_once_and_no_more_than_the_limit() {
        let items: Vec<Value> = (0..250).map(Value::from).collect();
        for (limit, pages) in [(json!(1), 250), (json!(7), 36), (json!(100), 3), (Value::Null, 3)] {
            let (mut seen, mut count, mut token) = (Vec::new(), 0, Value::Null);
            loop {
                let request = json!({"Limit": limit, "NextToken": token});
                let answer = page(&request, "Rules", items.clone()).unwrap();
                let page = answer["Rules"].as_array().unwrap();
                assert!(page.len() as u64 <= limit.as_u64().unwrap_or(MOST));
                seen.extend(page.clone());
                count += 1;
                token = answer["NextToken"].clone();
                if token.is_null() {
                    break;
                }
            }
            assert_eq!((&seen, count), (&items, pages), "{limit}");
        }
    }

    #[test]
    fn a_wrong_limit_or_token_is_refused() {
        for request in [
            json!({"Limit": 0}),
            json!({"Limit": 101}),
            json!({"Limit": "1"}),
            json!({"NextToken": "x"}),
            json!({"NextToken": "after-x"}),
        ] {
            let error = page(&request, "Rules", vec![]).unwrap_err();
            assert_eq!(error.code, "ValidationException", "{request}");
        }
    }
}
