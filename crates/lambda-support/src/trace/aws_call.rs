//! Calls of AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::Scope;
use super::header::with_parent;
use super::piece::Within;
use super::subsegment::{Flaw, Subsegment};

/// How many calls of one operation, and how many of them that fail, a piece of work records.
pub const FIRST: u32 = 3;

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
            count.begun <= FIRST
        })
    }

    /// Counts the end of a call that is recorded only if it failed. Returns whether it is.
    fn end(&self, operation: &str, failed: bool) -> bool {
        self.count(operation, |count| {
            let recorded = failed && count.late_failures < FIRST;
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
    pub failure: Option<(Flaw, String)>,
}

/// A call of AWS, as a subsegment of the current piece of work. A call that is dropped before its
/// end is marked as cancelled.
#[derive(Debug)]
pub struct AwsCall {
    within: Arc<Within>,
    header: String,
    operation: String,
    is_early: bool,
    subsegment: Option<Subsegment>,
}

impl AwsCall {
    /// Begins a call. `None`: the trace is not recorded.
    pub fn begin(service: &str, operation: &str) -> Option<Self> {
        let Scope { header, within } = Scope::current();
        let (header, within) = (header?, within?);
        let mut subsegment = within.begin(service);
        subsegment.set("namespace", "aws");
        subsegment.add("aws", "operation", operation);
        let operation = format!("{service} {operation}");
        let is_early = within.calls.begin(&operation);
        let header = with_parent(&header, subsegment.id(), is_early);
        Some(Self { within, header, operation, is_early, subsegment: Some(subsegment) })
    }

    /// Returns the trace header of the request.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Ends the call.
    pub fn end(&mut self, end: CallEnd<'_>) {
        let Some(mut subsegment) = self.subsegment.take() else { return };
        if !self.is_early && !self.within.calls.end(&self.operation, end.failure.is_some()) {
            return;
        }
        if let Some(status) = end.status {
            subsegment.set("http", json!({ "response": { "status": status } }));
        }
        if let Some(id) = end.request_id {
            subsegment.add("aws", "request_id", id);
        }
        subsegment.add("aws", "retries", end.retries);
        if let Some((flaw, message)) = end.failure {
            subsegment.fail(flaw, &message);
        }
        subsegment.send();
    }
}

impl Drop for AwsCall {
    fn drop(&mut self) {
        if let Some(mut subsegment) = self.subsegment.take()
            && (self.is_early || self.within.calls.end(&self.operation, false))
        {
            subsegment.add_metadata("outcome", "cancelled");
            subsegment.send();
        }
    }
}
