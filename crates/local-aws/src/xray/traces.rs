//! The documents of the newest traces.

use std::collections::{BTreeMap, VecDeque};

use super::document::Document;

/// Maximum length of the documents of one trace, in bytes (X-Ray: "Trace document size"). More are
/// dropped.
const MAX_TRACE: usize = 500_000;
/// Maximum number of traces, and of the bytes of their documents. The oldest is dropped.
const MAX_TRACES: usize = 5_000;
const MAX_BYTES: usize = 32_000_000;

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
    documents: BTreeMap<String, Document>,
    /// Whether documents were dropped because the trace is too large.
    pub(super) limit_exceeded: bool,
    /// The number of documents received.
    pub(super) revision: u64,
    bytes: usize,
}

impl Trace {
    /// Returns the documents of the trace, as JSON.
    pub(super) fn documents(&self) -> impl Iterator<Item = &str> {
        self.documents.values().map(|document| &*document.text)
    }
}

impl Traces {
    /// Keeps a document. A complete one replaces the one in progress.
    pub(super) fn put(&mut self, document: Document) {
        let length = document.text.len();
        if !self.by_id.contains_key(&document.trace_id) {
            self.order.push_back(document.trace_id.clone());
        }
        let trace = self.by_id.entry(document.trace_id.clone()).or_default();
        trace.revision += 1;
        let known = trace.documents.get(&document.id);
        if document.is_open && known.is_some_and(|known| !known.is_open) {
            return;
        }
        if trace.bytes + length > MAX_TRACE {
            trace.limit_exceeded = true;
            return;
        }
        // The length of a replaced document is not subtracted: X-Ray received both.
        trace.bytes += length;
        self.bytes += length;
        trace.documents.insert(document.id.clone(), document);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn document(trace: usize, id: usize, is_open: bool, length: usize) -> Document {
        let (trace_id, id) = (format!("1-{trace:08x}"), format!("{id:016x}"));
        Document { trace_id, id, is_open, text: "x".repeat(length) }
    }

    #[test]
    fn a_complete_document_replaces_the_one_in_progress_in_any_order() {
        for order in [[true, false], [false, true]] {
            let mut traces = Traces::default();
            for is_open in order {
                traces.put(document(1, 7, is_open, 100));
            }
            let trace = traces.get("1-00000001").unwrap();
            assert_eq!(trace.documents().count(), 1);
            assert!(trace.documents.values().all(|document| !document.is_open));
            assert_eq!(trace.revision, 2);
        }
    }

    #[test]
    fn a_trace_and_their_number_are_bounded() {
        let mut traces = Traces::default();
        for id in 0..11 {
            traces.put(document(0, id, false, MAX_TRACE / 10));
        }
        let trace = traces.get("1-00000000").unwrap();
        assert_eq!((trace.documents().count(), trace.limit_exceeded), (10, true));
        for trace in 0..MAX_TRACES + 5 {
            traces.put(document(trace, 1, false, 10));
        }
        assert_eq!(traces.len(), MAX_TRACES);
        assert!(traces.get("1-00000000").is_none(), "the oldest was dropped");
        for trace in 0..MAX_BYTES / MAX_TRACE + 1 {
            traces.put(document(MAX_TRACES + 10 + trace, 1, false, MAX_TRACE));
        }
        assert!(traces.bytes() <= MAX_BYTES);
    }
}
