//! Named pieces of work.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::aws_call::Calls;
use super::daemon::Daemon;
use super::document::{Document, Failure};
use super::header::{Sampled, with_parent};
use super::{SCOPE, Scope};

/// Maximum number of subsegments of one invocation. The calls of further ones belong to the
/// subsegment around them.
const MAX_SUBSEGMENTS: u32 = 100;

/// Maximum length of an annotation in bytes (X-Ray: 1,000 characters).
const MAX_ANNOTATION: usize = 1_000;

/// The segment or subsegment that further subsegments belong to.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) invocation: Arc<Invocation>,
    pub(super) id: String,
    pub(super) calls: Calls,
    annotations: Mutex<BTreeMap<&'static str, Value>>,
}

/// One invocation of a sampled trace.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) daemon: Arc<Daemon>,
    pub(super) trace_id: String,
    subsegments: AtomicU32,
}

impl Parent {
    /// The segment of the function, which Lambda records.
    pub(super) fn invocation(daemon: Arc<Daemon>, ids: Sampled) -> Self {
        let Sampled { trace_id, parent_id } = ids;
        let invocation = Invocation { daemon, trace_id, subsegments: AtomicU32::new(0) };
        Self::new(Arc::new(invocation), parent_id)
    }

    fn new(invocation: Arc<Invocation>, id: String) -> Self {
        let (calls, annotations) = (Calls::default(), Mutex::default());
        Self { invocation, id, calls, annotations }
    }

    pub(super) fn begin(&self, name: &str) -> Document {
        let Invocation { daemon, trace_id, .. } = &*self.invocation;
        Document::begin(daemon, trace_id, &self.id, name)
    }
}

/// A named piece of work, as a subsegment of the current trace. It is sent when it is dropped; if
/// its work has not ended by then, it is marked as cancelled. Does nothing if the trace is not
/// recorded.
#[derive(Debug)]
pub struct Subsegment(Option<Open>);

#[derive(Debug)]
struct Open {
    document: Option<Document>,
    scope: Scope,
    parent: Arc<Parent>,
    has_ended: bool,
}

impl Subsegment {
    /// Begins a piece of work.
    pub fn begin(name: &str) -> Self {
        let Scope { header, parent } = Scope::current();
        let (Some(header), Some(outer)) = (header, parent) else { return Self(None) };
        if outer.invocation.subsegments.fetch_add(1, Ordering::Relaxed) >= MAX_SUBSEGMENTS {
            return Self(None);
        }
        let document = outer.begin(name);
        let id = document.id().to_owned();
        let header = with_parent(&header, &id, true).into();
        let parent = Arc::new(Parent::new(Arc::clone(&outer.invocation), id));
        let scope = Scope { header: Some(header), parent: Some(Arc::clone(&parent)) };
        Self(Some(Open { document: Some(document), scope, parent, has_ended: false }))
    }

    /// Adds an annotation, which X-Ray indexes: a number, a boolean, or a text of at most 1,000
    /// bytes. Any other value is left out.
    #[must_use]
    pub fn annotated(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if let Some(document) = self.document().filter(|_| is_annotation(&value)) {
            document.add("annotations", key, value);
        }
        self
    }

    /// Runs the work. Calls and subsegments within it belong to this one, which is sent at once as
    /// one in progress, so that they have a place in the trace even if the process is killed.
    pub fn run<F: Future>(&mut self, work: F) -> impl Future<Output = F::Output> {
        // On the heap, before it is part of another future: each `async fn` that it passes through
        // by value doubles its size, which overflows the stack.
        let work = Box::pin(work);
        async {
            let Some(open) = &mut self.0 else { return work.await };
            if let Some(document) = &open.document {
                document.send_in_progress();
            }
            let output = SCOPE.scope(open.scope.clone(), work).await;
            open.has_ended = true;
            output
        }
    }

    /// Runs the work, and records its error as a fault.
    ///
    /// # Errors
    /// That of the work.
    pub fn run_result<T, E: Display>(
        mut self,
        work: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        let work = Box::pin(work);
        async move {
            let result = self.run(work).await;
            if let (Err(error), Some(document)) = (&result, self.document()) {
                document.fail(Failure::Fault, &error.to_string());
            }
            result
        }
    }

    /// Records that the work failed.
    pub fn fail(&mut self, failure: Failure) {
        if let Some(document) = self.document() {
            document.mark(failure);
        }
    }

    fn document(&mut self) -> Option<&mut Document> {
        self.0.as_mut()?.document.as_mut()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(mut document) = self.document.take() else { return };
        let annotations = self.parent.annotations.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in annotations.iter() {
            document.add("annotations", key, value.clone());
        }
        let counted: Map<String, Value> = self.parent.calls.not_recorded();
        if !counted.is_empty() {
            document.add_metadata("callsNotRecorded", counted);
        }
        if !self.has_ended {
            document.add_metadata("outcome", "cancelled");
        }
        document.send();
    }
}

/// Adds an annotation to the enclosing [`Subsegment`], as [`Subsegment::annotated`].
pub fn annotate(key: &'static str, value: impl Into<Value>) {
    let value = value.into();
    if let Some(parent) = Scope::current().parent.filter(|_| is_annotation(&value)) {
        let mut annotations = parent.annotations.lock().unwrap_or_else(PoisonError::into_inner);
        annotations.insert(key, value);
    }
}

fn is_annotation(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= MAX_ANNOTATION,
        Value::Number(_) | Value::Bool(_) => true,
        _ => false,
    }
}
