//! Calls of AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::Scope;
use super::document::{Document, Failure};
use super::header::with_parent;
use super::subsegment::Parent;

/// How many calls of one operation, and how many of them that fail, a piece of work records.
pub const RECORDED_CALLS: u32 = 3;

/// The calls of one piece of work, by service and operation.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<BTreeMap<String, Count>>);

#[derive(Debug, Default)]
struct Count {
    begun: u32,
    late_failures: u32,
    not_recorded: u64,
}

impl Calls {
    /// Counts a call. Returns whether it is recorded whatever its result.
    fn begin(&self, operation: &str) -> bool {
        self.count(operation, |count| {
            count.begun = count.begun.saturating_add(1);
            count.begun <= RECORDED_CALLS
        })
    }

    /// Counts the end of a call that is recorded only if it failed. Returns whether it is.
    fn end(&self, operation: &str, failed: bool) -> bool {
        self.count(operation, |count| {
            let recorded = failed && count.late_failures < RECORDED_CALLS;
            match recorded {
                true => count.late_failures += 1,
                false => count.not_recorded += 1,
            }
            recorded
        })
    }

    fn count<T>(&self, operation: &str, change: impl FnOnce(&mut Count) -> T) -> T {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !counts.contains_key(operation) {
            counts.insert(operation.to_owned(), Count::default());
        }
        change(counts.entry(operation.to_owned()).or_default())
    }

    /// Returns the number of calls that were not recorded, by operation.
    pub(super) fn not_recorded(&self) -> Map<String, Value> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.iter().filter(|(_, count)| count.not_recorded > 0);
        counts.map(|(operation, count)| (operation.clone(), count.not_recorded.into())).collect()
    }
}

/// The result of a call of AWS.
#[derive(Debug, Default)]
pub struct CallEnd<'a> {
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The request id of the response.
    pub request_id: Option<&'a str>,
    /// The number of attempts after the first.
    pub retries: u32,
    /// How and why it failed.
    pub failure: Option<(Failure, String)>,
}

/// A call of AWS, as a subsegment of the current piece of work. A call that is dropped before its
/// end is marked as cancelled.
#[derive(Debug)]
pub struct AwsCall {
    parent: Arc<Parent>,
    header: String,
    operation: String,
    is_early: bool,
    document: Option<Document>,
}

impl AwsCall {
    /// Begins a call. `None`: the trace is not recorded. A call of Lambda is sent at once as one in
    /// progress, because the callee's segments belong to it even if this process is killed.
    pub fn begin(service: &str, operation: &str) -> Option<Self> {
        let Scope { header, parent } = Scope::current();
        let (header, parent) = (header?, parent?);
        let mut document = parent.begin(service);
        document.set("namespace", "aws");
        document.add("aws", "operation", operation);
        let operation = format!("{service} {operation}");
        let is_early = parent.calls.begin(&operation);
        let header = with_parent(&header, document.id(), is_early);
        if is_early && service == "Lambda" {
            document.send_in_progress();
        }
        Some(Self { parent, header, operation, is_early, document: Some(document) })
    }

    /// Returns the trace header of the request.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Ends the call.
    pub fn end(&mut self, end: CallEnd<'_>) {
        let Some(mut document) = self.document.take() else { return };
        if !self.is_early && !self.parent.calls.end(&self.operation, end.failure.is_some()) {
            return;
        }
        if let Some(status) = end.status {
            document.set("http", json!({ "response": { "status": status } }));
        }
        if let Some(id) = end.request_id {
            document.add("aws", "request_id", id);
        }
        document.add("aws", "retries", end.retries);
        if let Some((failure, message)) = end.failure {
            document.fail(failure, &message);
        }
        document.send();
    }
}

impl Drop for AwsCall {
    fn drop(&mut self) {
        if let Some(mut document) = self.document.take()
            && (self.is_early || self.parent.calls.end(&self.operation, false))
        {
            document.add_metadata("outcome", "cancelled");
            document.send();
        }
    }
}
