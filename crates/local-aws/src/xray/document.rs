//! The documents that X-Ray accepts
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>).

use serde_json::{Map, Value};

use crate::clock::real_now_ms;

/// Maximum length of a document in bytes.
pub(super) const MAX_DOCUMENT: usize = 64_000;
/// Maximum length of a name and of an annotation's text, in characters.
const MAX_NAME: usize = 200;
const MAX_ANNOTATION: usize = 1_000;
/// Age of the oldest trace that documents may belong to, in seconds (30 days).
const MAX_AGE: i64 = 30 * 24 * 3600;
/// Depth of subsegments inside of a document.
const MAX_DEPTH: usize = 64;

/// A valid document.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) trace_id: String,
    pub(super) id: String,
    /// Whether it is in progress.
    pub(super) is_open: bool,
    /// The whole document as JSON, without annotations that X-Ray drops.
    pub(super) text: String,
}

/// An entry of `UnprocessedTraceSegments`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unprocessed segment {id:?}: {message}")]
pub(super) struct Unprocessed {
    /// The id of the segment, if it could be read.
    pub(super) id: Option<String>,
    /// For example `MissingId`.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Unprocessed {
    pub(super) fn new(body: Option<&Map<String, Value>>, code: &'static str) -> Self {
        let text = |field: &str| body?.get(field)?.as_str();
        let kind = text("type").filter(|kind| *kind == "subsegment").unwrap_or("segment");
        let message = format!("Invalid {kind}. ErrorCode: {code}");
        Self { id: text("id").map(str::to_owned), code, message }
    }
}

/// Reads a document.
///
/// # Errors
/// X-Ray would not process it.
pub(super) fn read(text: &str) -> Result<Document, Unprocessed> {
    let Ok(Value::Object(mut body)) = serde_json::from_str(text) else {
        return Err(Unprocessed::new(None, "ParseError"));
    };
    if text.len() > MAX_DOCUMENT {
        return Err(Unprocessed::new(Some(&body), "SegmentTooLarge"));
    }
    match check(&body).and_then(|()| check_subsegments(&mut body, 0)) {
        Ok(()) => {
            let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
            let (trace_id, id) = (text("trace_id").to_owned(), text("id").to_owned());
            let is_open = is_open(&body);
            Ok(Document { trace_id, id, is_open, text: Value::Object(body).to_string() })
        }
        Err(code) => Err(Unprocessed::new(Some(&body), code)),
    }
}

/// Checks what a whole document has and a nested subsegment does not need.
fn check(body: &Map<String, Value>) -> Result<(), &'static str> {
    let now = real_now_ms() / 1000;
    let started = trace_id(body.get("trace_id").ok_or("MissingTraceId")?);
    if started.is_none_or(|seconds| !(now - MAX_AGE..now + 3600).contains(&seconds)) {
        return Err("InvalidTraceId");
    }
    match (body.get("type"), body.get("parent_id")) {
        (None, None) => Ok(()),
        (Some(kind), None) if kind == "subsegment" => Err("MissingParentId"),
        (Some(kind), _) if kind != "subsegment" => Err("InvalidType"),
        (_, Some(parent)) if !is_id(parent) => Err("InvalidParentId"),
        _ => Ok(()),
    }
}

/// Checks a segment or subsegment, and those inside of it. Removes annotations that X-Ray drops.
fn check_subsegments(body: &mut Map<String, Value>, depth: usize) -> Result<(), &'static str> {
    if depth > MAX_DEPTH {
        return Err("ParseError");
    }
    if !is_id(body.get("id").ok_or("MissingId")?) {
        return Err("InvalidId");
    }
    if !is_name(body.get("name").ok_or("MissingName")?) {
        return Err("InvalidName");
    }
    let start = body.get("start_time").ok_or("MissingStartTime")?;
    let start = start.as_f64().filter(|start| *start > 0.0).ok_or("InvalidStartTime")?;
    let is_open = is_open(body);
    match body.get("end_time") {
        None if is_open => {}
        None => return Err("MissingEndTime"),
        Some(_) if is_open => return Err("InvalidEndTime"),
        Some(end) if end.as_f64().is_none_or(|end| end < start) => return Err("InvalidEndTime"),
        Some(_) => {}
    }
    if let Some(Value::Object(annotations)) = body.get_mut("annotations") {
        annotations.retain(|key, value| is_annotation(key, value));
    }
    match body.get_mut("subsegments") {
        None => Ok(()),
        Some(Value::Array(nested)) => nested.iter_mut().try_for_each(|nested| match nested {
            Value::Object(nested) => check_subsegments(nested, depth + 1),
            _ => Err("InvalidSubsegments"),
        }),
        Some(_) => Err("InvalidSubsegments"),
    }
}

/// Whether a segment or subsegment is in progress.
pub(super) fn is_open(body: &Map<String, Value>) -> bool {
    body.get("in_progress") == Some(&Value::Bool(true))
}

/// Returns the time in a trace id, in seconds since the Unix epoch.
fn trace_id(value: &Value) -> Option<i64> {
    let (time, random) = value.as_str()?.strip_prefix("1-")?.split_once('-')?;
    let valid = is_hex(time, 8) && is_hex(random, 24);
    valid.then(|| i64::from_str_radix(time, 16).ok()).flatten()
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(|id| is_hex(id, 16))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_name(value: &Value) -> bool {
    let known =
        |one: char| one.is_alphanumeric() || one.is_whitespace() || "_.:/%&#=+\\-@".contains(one);
    value.as_str().is_some_and(|name| {
        (1..=MAX_NAME).contains(&name.chars().count()) && name.chars().all(known)
    })
}

fn is_annotation(key: &str, value: &Value) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let valid = match value {
        Value::String(text) => text.chars().count() <= MAX_ANNOTATION,
        value => value.is_number() || value.is_boolean(),
    };
    valid && key.bytes().all(known)
}

/// Returns a new id of a segment.
pub(crate) fn new_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn valid() -> Value {
        let now = real_now_ms() / 1000;
        json!({
            "name": "Kinesis Video Media", "id": "00000000000000ff", "type": "subsegment",
            "trace_id": format!("1-{now:08x}-bd862e3fe1be46a994272793"),
            "parent_id": "53995c3f42cd8ad8", "start_time": 1.5, "end_time": 2.5,
        })
    }

    fn unprocessed(change: impl FnOnce(&mut Value)) -> Unprocessed {
        let mut document = valid();
        change(&mut document);
        read(&document.to_string()).unwrap_err()
    }

    #[test]
    fn a_document_that_lacks_something_is_refused_by_name() {
        assert_eq!(read(&valid().to_string()).unwrap().id, "00000000000000ff");
        for (field, value, code) in [
            ("id", Value::Null, "InvalidId"),
            ("id", json!("ff"), "InvalidId"),
            ("name", json!("POST /sessions/{id}"), "InvalidName"),
            ("name", json!(""), "InvalidName"),
            ("trace_id", json!("1-5759e988-bd862e3fe1be46a994272793"), "InvalidTraceId"),
            ("trace_id", json!("Root=1"), "InvalidTraceId"),
            ("parent_id", json!("x"), "InvalidParentId"),
            ("start_time", json!("now"), "InvalidStartTime"),
            ("end_time", json!(1.0), "InvalidEndTime"),
            ("in_progress", json!(true), "InvalidEndTime"),
            ("subsegments", json!([1]), "InvalidSubsegments"),
            ("subsegments", json!([{"name": "a"}]), "MissingId"),
        ] {
            let unprocessed = unprocessed(|document| document[field] = value.clone());
            assert_eq!(unprocessed.code, code, "{field} {value}");
        }
        for (field, code) in [
            ("id", "MissingId"),
            ("name", "MissingName"),
            ("trace_id", "MissingTraceId"),
            ("parent_id", "MissingParentId"),
            ("end_time", "MissingEndTime"),
        ] {
            let unprocessed =
                unprocessed(|document| drop(document.as_object_mut().unwrap().remove(field)));
            assert_eq!(unprocessed.code, code, "{field}");
            assert_eq!(unprocessed.message, format!("Invalid subsegment. ErrorCode: {code}"));
        }
        assert_eq!(read("[]").unwrap_err().code, "ParseError");
        let long = unprocessed(|document| document["metadata"] = "x".repeat(MAX_DOCUMENT).into());
        assert_eq!(long.code, "SegmentTooLarge");
    }

    #[test]
    fn annotations_that_cannot_be_indexed_are_dropped() {
        let mut document = valid();
        document["annotations"] =
            json!({"sessionId": "a-b-1", "epoch": 3, "a b": 1, "list": [], "ok": true});
        let kept: Value = serde_json::from_str(&read(&document.to_string()).unwrap().text).unwrap();
        assert_eq!(kept["annotations"], json!({"sessionId": "a-b-1", "epoch": 3, "ok": true}));
    }
}
