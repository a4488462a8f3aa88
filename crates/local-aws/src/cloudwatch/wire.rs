//! The two protocols of current SDKs: Smithy RPC v2 with CBOR, which botocore 1.44 and the AWS CLI
//! on it send, and JSON 1.0. Both become JSON, in which a time is seconds since the epoch.
//!
//! CBOR marks times with tag 1. In answers these are the members whose names end with `Timestamp`
//! or `Timestamps`.

use axum::response::{IntoResponse, Response};
use ciborium::Value as Cbor;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::aws_error::AwsError;

/// The name of the service in paths and targets.
const SERVICE: &str = "GraniteServiceVersion20100801";
/// CBOR's tag of seconds since the epoch (RFC 8949, section 3.4.2).
const TIME: u64 = 1;

/// The protocol of a request, and of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Cbor,
    Json,
}

/// Returns protocol and operation of a request; `None` for the older query protocol.
pub(super) fn operation(path: &str, headers: &HeaderMap) -> Option<(Protocol, String)> {
    let prefix = format!("/service/{SERVICE}/operation/");
    if let Some(operation) = path.strip_prefix(&prefix) {
        let is_cbor = headers.get("smithy-protocol")? == "rpc-v2-cbor";
        return is_cbor.then(|| (Protocol::Cbor, operation.to_owned()));
    }
    headers.get("x-amz-target").map(|_| (Protocol::Json, crate::wire::operation(headers)))
}

impl Protocol {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// `SerializationException`.
    pub(super) fn read(self, body: &[u8]) -> Result<Value, AwsError> {
        let wrong = |error: String| AwsError::bad_request("SerializationException", error);
        match self {
            _ if body.is_empty() => Ok(Value::Object(Map::new())),
            Self::Json => serde_json::from_slice(body).map_err(|it| wrong(it.to_string())),
            Self::Cbor => {
                let read: Cbor =
                    ciborium::from_reader(body).map_err(|it| wrong(format!("not CBOR: {it}")))?;
                json(read).ok_or_else(|| wrong("a type that the service does not use".to_owned()))
            }
        }
    }

    /// Writes an answer.
    pub(super) fn answer(self, result: Result<Value, AwsError>) -> Response {
        let (status, body, error) = match result {
            Ok(body) => (StatusCode::OK, body, None),
            Err(error) => {
                let side = if error.status.is_server_error() { "Receiver" } else { "Sender" };
                let query = format!("{};{side}", error.code);
                (error.status, error_body(&error), Some(query))
            }
        };
        let (content_type, bytes) = match self {
            Self::Json => ("application/x-amz-json-1.0", body.to_string().into_bytes()),
            Self::Cbor => ("application/cbor", bytes(&cbor(&body, false))),
        };
        let mut response = (status, [(header::CONTENT_TYPE, content_type)], bytes).into_response();
        let headers = response.headers_mut();
        if self == Self::Cbor {
            headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        }
        if let Some(Ok(query)) = error.as_deref().map(HeaderValue::from_str) {
            headers.insert("x-amzn-query-error", query);
        }
        response
    }
}

/// The codes of errors are those of the query protocol, which SDKs show; the shapes have others.
fn error_body(error: &AwsError) -> Value {
    let shape = match &*error.code {
        "InvalidParameterValue" => "InvalidParameterValueException",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "MissingParameter" => "MissingRequiredParameterException",
        "InvalidFormat" => "InvalidFormatFault",
        "ValidationError" => "ValidationException",
        other => other,
    };
    let mut body = error.extra.clone();
    body.insert("__type".to_owned(), format!("com.amazonaws.cloudwatch#{shape}").into());
    body.insert("message".to_owned(), error.message.clone().into());
    Value::Object(body)
}

fn json(value: Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => value.into(),
        Cbor::Text(text) => text.into(),
        Cbor::Float(number) => number.into(),
        Cbor::Integer(number) => i64::try_from(number).ok()?.into(),
        Cbor::Tag(TIME, seconds) => json(*seconds)?,
        Cbor::Array(items) => items.into_iter().map(json).collect::<Option<_>>()?,
        Cbor::Map(entries) => {
            let entry = |(key, value): (Cbor, Cbor)| Some((key.into_text().ok()?, json(value)?));
            Value::Object(entries.into_iter().map(entry).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn cbor(value: &Value, is_time: bool) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(*value),
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Number(number) => {
            let number = match number.as_i64().filter(|_| !is_time) {
                Some(whole) => Cbor::Integer(whole.into()),
                None => Cbor::Float(number.as_f64().unwrap_or_default()),
            };
            if is_time { Cbor::Tag(TIME, Box::new(number)) } else { number }
        }
        Value::Array(items) => Cbor::Array(items.iter().map(|it| cbor(it, is_time)).collect()),
        Value::Object(members) => {
            let entry = |(name, value): (&String, &Value)| {
                let is_time = name.ends_with("Timestamp") || name.ends_with("Timestamps");
                (Cbor::Text(name.clone()), cbor(value, is_time))
            };
            Cbor::Map(members.iter().map(entry).collect())
        }
    }
}

fn bytes(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(value, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_tagged_in_cbor_and_plain_in_json() {
        let body = json!({"Timestamps": [1.5], "Values": [2.0], "Period": 60, "Label": "a"});
        let written = cbor(&body, false);
        let Cbor::Map(entries) = &written else { unreachable!() };
        let of = |name: &str| {
            entries.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, it)| it.clone())
        };
        let time = Cbor::Tag(TIME, Box::new(Cbor::Float(1.5)));
        assert_eq!(of("Timestamps"), Some(Cbor::Array(vec![time])));
        assert_eq!(of("Values"), Some(Cbor::Array(vec![Cbor::Float(2.0)])));
        assert_eq!(of("Period"), Some(Cbor::Integer(60.into())));
        assert_eq!(Protocol::Cbor.read(&bytes(&written)).unwrap(), body);
        assert_eq!(Protocol::Json.read(body.to_string().as_bytes()).unwrap(), body);
    }

    #[test]
    fn other_bodies_are_refused() {
        for body in [&b"\xff"[..], b"\xa1\x01\x02", b"\x41a", &[0x81; 5000]] {
            let refused = Protocol::Cbor.read(body).unwrap_err();
            assert_eq!(refused.code, "SerializationException", "{body:?}");
        }
    }
}
