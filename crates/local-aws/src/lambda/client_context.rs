//! ClientContext: data about the caller of a synchronous Invoke, base64 in `X-Amz-Client-Context`.

use base64::Engine;
use serde_json::Value;

use crate::aws_error::AwsError;

/// Maximum length, in bytes of base64 (API reference of Invoke).
const MAX_ENCODED: usize = 3_583;

/// Returns the JSON object for the function, on one line; `None` without the header.
///
/// # Errors
/// `InvalidRequestContentException`, AWS's error for a value that is not base64 or not an object.
/// AWS's error for a value that is too long is not documented; here it is the same, with the limit.
pub(super) fn decoded(header: Option<&str>) -> Result<Option<String>, AwsError> {
    let Some(encoded) = header.filter(|encoded| !encoded.is_empty()) else { return Ok(None) };
    let refused = |message: String| {
        Err(AwsError::bad_request("InvalidRequestContentException", message).with("Type", "User"))
    };
    if encoded.len() > MAX_ENCODED {
        return refused(format!("Client context must be at most {MAX_ENCODED} bytes long."));
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok();
    match decoded.and_then(|json| serde_json::from_slice(&json).ok()) {
        // Serialized again, because a header must not contain line breaks.
        Some(Value::Object(context)) => Ok(Some(Value::Object(context).to_string())),
        _ => refused("Client context must be a valid Base64-encoded JSON object.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(context: &str) -> Option<Option<String>> {
        decoded(Some(&base64::engine::general_purpose::STANDARD.encode(context))).ok()
    }

    #[test]
    fn an_object_is_passed_on_in_one_line() {
        let context = Some(Some(r#"{"custom":{"a":"\n","b":1}}"#.to_owned()));
        assert_eq!(check("{\n \"custom\": {\"a\": \"\\n\", \"b\": 1}\n}"), context);
        assert_eq!(decoded(None).ok(), Some(None));
        assert_eq!(decoded(Some("")).ok(), Some(None));
    }

    #[test]
    fn anything_else_is_refused() {
        for context in ["", "[]", "1", "{", "null"] {
            assert!(context.is_empty() || check(context).is_none(), "{context}");
        }
        assert!(decoded(Some("{}")).is_err(), "not base64");
        // 2,685 bytes are 3,580 of base64, the maximum.
        let long = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(check(&long(2_685)).is_some());
        assert!(check(&long(2_688)).is_none());
    }
}
