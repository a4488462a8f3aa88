//! The answer to a client, from the answer of a function (payload format 2.0).

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use http::{StatusCode, header};
use serde_json::Value;

/// Returns the answer, or `None` when the function's answer is malformed (then API Gateway returns
/// 500).
///
/// An answer with a `statusCode` has headers, cookies and a body that may be base64. Any other JSON
/// is the body itself, with status 200 and application/json.
pub(super) fn from_function(payload: &[u8]) -> Option<Response> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    if value.get("statusCode").is_none() {
        let body = match value {
            Value::String(text) => text.into_bytes(),
            _ => payload.to_vec(),
        };
        return Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .ok();
    }
    let status = &value["statusCode"];
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let mut builder = Response::builder().status(status);
    let mut has_type = false;
    for (name, value) in value.get("headers").and_then(Value::as_object).into_iter().flatten() {
        has_type |= name.eq_ignore_ascii_case("content-type");
        builder = builder.header(name, text(value)?);
    }
    for cookie in value.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        builder = builder.header(header::SET_COOKIE, cookie.as_str()?);
    }
    let body = match value.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(body) => {
            let body = text(body)?;
            match value.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or_default() {
                true => base64::engine::general_purpose::STANDARD.decode(body).ok()?,
                false => body.into_bytes(),
            }
        }
    };
    if !has_type && !body.is_empty() {
        builder = builder.header(header::CONTENT_TYPE, "text/plain;charset=UTF-8");
    }
    builder.body(Body::from(body)).ok()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn check(payload: Value) -> (StatusCode, String, String) {
        let response = from_function(payload.to_string().as_bytes()).unwrap();
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn shaped_and_bare_answers_are_told_apart() {
        let shaped = json!({
            "statusCode": 201, "headers": {"Content-Type": "application/json"},
            "body": "eyJhIjoxfQ==", "isBase64Encoded": true,
        });
        let expected = (StatusCode::CREATED, "application/json".to_owned(), "{\"a\":1}".to_owned());
        assert_eq!(check(shaped).await, expected);

        let bare = check(json!({"ok": true})).await;
        assert_eq!(bare, (StatusCode::OK, "application/json".into(), "{\"ok\":true}".into()));
        let bare = check(json!("hello")).await;
        assert_eq!(bare, (StatusCode::OK, "application/json".into(), "hello".into()));
    }

    #[test]
    fn a_malformed_answer_is_none() {
        for payload in [r#"{"statusCode":"x"}"#, r#"{"statusCode":99999}"#, "not json"] {
            assert!(from_function(payload.as_bytes()).is_none());
        }
    }
}
