//! The document of one subsegment.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::daemon::Daemon;

/// Maximum length of an error message in a document, in bytes.
const MAX_MESSAGE: usize = 500;

/// How a piece of work failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The callee failed (5xx), or the work itself.
    Fault,
    /// The caller's request was refused (4xx).
    Error,
    /// The request was throttled (429).
    Throttle,
}

/// A subsegment that has begun.
#[derive(Debug)]
pub(super) struct Document {
    daemon: Arc<Daemon>,
    fields: Map<String, Value>,
}

impl Document {
    /// Begins a subsegment now. `name` contains only letters, digits, white space and
    /// `_.:/%&#=+\-@`; X-Ray refuses others.
    pub(super) fn begin(daemon: &Arc<Daemon>, trace_id: &str, parent_id: &str, name: &str) -> Self {
        let fields: [(&str, Value); 6] = [
            ("type", "subsegment".into()),
            ("name", name.into()),
            ("id", new_id().into()),
            ("trace_id", trace_id.into()),
            ("parent_id", parent_id.into()),
            ("start_time", now().into()),
        ];
        let fields = fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        Self { daemon: Arc::clone(daemon), fields }
    }

    pub(super) fn id(&self) -> &str {
        self.fields.get("id").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// Adds an entry to an object of the document, for example `annotations`.
    pub(super) fn add(&mut self, object: &str, key: &str, value: impl Into<Value>) {
        insert(self.fields.entry(object).or_insert_with(|| json!({})), key, value.into());
    }

    /// Adds an entry to the metadata, which X-Ray does not index.
    pub(super) fn add_metadata(&mut self, key: &str, value: impl Into<Value>) {
        let metadata = self.fields.entry("metadata").or_insert_with(|| json!({ "default": {} }));
        insert(&mut metadata["default"], key, value.into());
    }

    /// Records a failure. The document contains its message and no stack.
    pub(super) fn fail(&mut self, failure: Failure, message: &str) {
        let cut = message.floor_char_boundary(message.len().min(MAX_MESSAGE));
        self.set(
            "cause",
            json!({ "exceptions": [{ "id": new_id(), "message": &message[..cut] }] }),
        );
        self.mark(failure);
    }

    /// Records a failure without a message.
    pub(super) fn mark(&mut self, failure: Failure) {
        self.set(if failure == Failure::Fault { "fault" } else { "error" }, true);
        if failure == Failure::Throttle {
            self.set("throttle", true);
        }
    }

    /// Sends the document as one in progress. It is sent again when it ends.
    pub(super) fn send_in_progress(&self) {
        let mut fields = self.fields.clone();
        fields.insert("in_progress".to_owned(), true.into());
        self.daemon.send(&Value::Object(fields));
    }

    /// Ends the subsegment now, and sends it.
    pub(super) fn send(mut self) {
        self.set("end_time", now());
        self.daemon.send(&Value::Object(self.fields));
    }
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(key.to_owned(), value);
    }
}

/// Returns 16 random hexadecimal digits.
fn new_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Returns the time in seconds since the Unix epoch, with milliseconds.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as f64 / 1000.0
}
