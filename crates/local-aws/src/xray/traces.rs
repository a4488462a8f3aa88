//! The documents of the newest traces.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};

use super::document::Document;

/// Maximum length of the documents of one trace, in bytes (X-Ray: "Trace document size"). More are
/// dropped.
const MAX_TRACE: usize = 500_000;
/// Maximum number of traces, and of the bytes of their documents. The oldest is dropped.
const MAX_TRACES: usize = 5_000;
const MAX_BYTES: usize = 64_000_000;

/// The traces, by id.
#[derive(Debug, Default)]
pub(super) struct Traces {
    by_id: BTreeMap<String, Trace>,
    order: VecDeque<String>,
    bytes: usize,
}

/// One trace.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// The documents as they were sent, by id.
    pub(super) documents: BTreeMap<String, Map<String, Value>>,
    /// Whether documents were dropped because the trace is too large.
    pub(super) limit_exceeded: bool,
    /// The number of documents received.
    pub(super) revision: u64,
    bytes: usize,
}

impl Traces {
    /// Keeps a document of `length` bytes. A complete one replaces the one in progress.
    pub(super) fn put(&mut self, document: Document, length: usize) {
        let Document { trace_id, id, body } = document;
        if !self.by_id.contains_key(&trace_id) {
            self.order.push_back(trace_id.clone());
        }
        let trace = self.by_id.entry(trace_id).or_default();
        trace.revision += 1;
        if is_open(&body) && trace.documents.get(&id).is_some_and(|known| !is_open(known)) {
            return;
        }
        if trace.bytes + length > MAX_TRACE {
            trace.limit_exceeded = true;
            return;
        }
        // The length of a replaced document is not subtracted: X-Ray received both.
        trace.bytes += length;
        self.bytes += length;
        trace.documents.insert(id, body);
        self.drop_oldest();
    }

    fn drop_oldest(&mut self) {
        while self.by_id.len() > MAX_TRACES || self.bytes > MAX_BYTES {
            let Some(trace) = self.order.pop_front().and_then(|id| self.by_id.remove(&id)) else {
                return;
            };
            self.bytes -= trace.bytes;
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Trace> {
        self.by_id.get(id)
    }

    /// Returns the traces, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = (&str, &Trace)> {
        let ids = self.order.iter().rev().map(String::as_str);
        ids.filter_map(|id| Some((id, self.by_id.get(id)?)))
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Whether a document is in progress.
pub(super) fn is_open(body: &Map<String, Value>) -> bool {
    body.get("in_progress") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(trace: usize, id: usize, fields: Value) -> Document {
        let Value::Object(body) = fields else { panic!("{fields}") };
        Document { trace_id: format!("1-{trace:08x}"), id: format!("{id:016x}"), body }
    }

    #[test]
    fn a_complete_document_replaces_the_one_in_progress_in_any_order() {
        for order in [[0, 1], [1, 0]] {
            let mut traces = Traces::default();
            for part in order {
                let body = [json!({"in_progress": true}), json!({"end_time": 2.0})];
                traces.put(document(1, 7, body[part].clone()), 100);
            }
            let trace = traces.get("1-00000001").unwrap();
            assert_eq!(trace.documents.len(), 1);
            assert!(trace.documents.values().all(|body| body.contains_key("end_time")));
            assert_eq!(trace.revision, 2);
        }
    }

    #[test]
    fn a_trace_and_their_number_are_bounded() {
        let mut traces = Traces::default();
        for id in 0..11 {
            traces.put(document(0, id, json!({})), MAX_TRACE / 10);
        }
        let trace = traces.get("1-00000000").unwrap();
        assert_eq!((trace.documents.len(), trace.limit_exceeded), (10, true));
        for trace in 0..MAX_TRACES + 5 {
            traces.put(document(trace, 1, json!({})), 10);
        }
        assert_eq!(traces.len(), MAX_TRACES);
        assert!(traces.get("1-00000000").is_none(), "the oldest was dropped");
        for trace in 0..200 {
            traces.put(document(MAX_TRACES + 10 + trace, 1, json!({})), MAX_TRACE);
        }
        assert!(traces.bytes() <= MAX_BYTES);
    }
}
