//! The segments that Lambda itself records of sampled invocations: `AWS::Lambda`, what the service
//! does with a request, and `AWS::Lambda::Function`, one run of the function
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html>).
//!
//! An asynchronous invocation ends its first segment when it is accepted; the time in the queue
//! (`Dwell Time`) and each attempt are its subsegments. A run has the subsegments `Initialization`,
//! if it needed a new process, and `Invocation`, to which the function's own belong. `Overhead` is
//! not recorded.

use std::sync::Arc;

use serde_json::{Value, json};

use super::invocation::{Invocation, Invoked};
use super::trace;
use crate::aws_error::AwsError;
use crate::clock::real_now_us;
use crate::xray::{XRay, new_id};
use sam_template::Function;

/// The segments of one function.
#[derive(Debug, Clone)]
pub(super) struct Segments {
    xray: Arc<XRay>,
    name: String,
    arn: String,
    is_active: bool,
}

/// What an invocation returned.
type Outcome = Result<Invoked, AwsError>;

impl Segments {
    pub(super) fn new(xray: Arc<XRay>, function: &Function) -> Self {
        let (name, arn) = (function.name.clone(), function.arn.clone());
        Self { xray, name, arn, is_active: function.tracing_active }
    }

    /// Begins the segment of a request, and completes the invocation's header: the decision whether
    /// it is sampled, unless the caller has decided, and the segment as its parent.
    pub(super) fn request(&self, invocation: &mut Invocation) -> Segment {
        let sampled = trace::sampled(&invocation.trace).unwrap_or(self.is_active);
        let mut segment = self.segment(invocation, sampled);
        segment.set("origin", "AWS::Lambda");
        segment.set("resource_arn", &*self.arn);
        segment.set("aws", json!({ "request_id": invocation.request_id }));
        invocation.trace = trace::with_parent(&invocation.trace, &segment.id, sampled);
        segment
    }

    /// Begins the segment of a run, and its subsegment `Invocation`, which becomes the parent in
    /// the invocation's header. `initialized` is when the start of its process began, if it needed
    /// one.
    pub(super) fn run(&self, invocation: &mut Invocation, initialized: Option<f64>) -> Run {
        let sampled = trace::sampled(&invocation.trace) == Some(true);
        let mut function = self.segment(invocation, sampled);
        function.set("origin", "AWS::Lambda::Function");
        let account = self.arn.split(':').nth(4);
        let names = json!([self.name]);
        function.set(
            "aws",
            json!({ "account_id": account, "function_arn": self.arn, "resource_names": names }),
        );
        function.send_in_progress();
        if let Some(start) = initialized {
            function.child("Initialization", start).end(&[]);
        }
        let call = function.child("Invocation", now());
        call.send_in_progress();
        invocation.trace = trace::with_parent(&invocation.trace, &call.id, sampled);
        Run { function, call }
    }

    fn segment(&self, invocation: &Invocation, sampled: bool) -> Segment {
        let id = new_id();
        let mut document = json!({
            "name": self.name, "id": id, "trace_id": trace::root(&invocation.trace), "start_time": now(),
        });
        if let Some(parent) = trace::parent(&invocation.trace) {
            document["parent_id"] = parent.into();
        }
        Segment { xray: sampled.then(|| Arc::clone(&self.xray)), id, document }
    }
}

/// A segment or subsegment that has begun. Not sent if the trace is not sampled.
#[derive(Debug)]
pub(super) struct Segment {
    xray: Option<Arc<XRay>>,
    id: String,
    document: Value,
}

impl Segment {
    /// Ends the segment of a request, or of an attempt.
    pub(super) fn end_with(self, outcome: &Outcome) {
        self.end(&failure(outcome));
    }

    /// Ends the segment of a request that was refused. Returns why.
    pub(super) fn refused(self, error: AwsError) -> AwsError {
        self.end(&refusal(&error));
        error
    }

    /// Ends the segment of an asynchronous request, which was accepted. Returns the queue, whose
    /// attempts belong to it.
    pub(super) fn accepted(self) -> Queued {
        let (xray, id) = (self.xray.clone(), self.id.clone());
        let begun = Self { xray, id, document: self.document.clone() };
        self.end(&[status(202)]);
        Queued { request: begun, since: Some(now()), attempts: 0 }
    }

    /// Begins a subsegment at `start`.
    fn child(&self, name: &str, start: f64) -> Self {
        let id = new_id();
        let document = json!({
            "name": name, "id": id, "type": "subsegment", "trace_id": self.document["trace_id"],
            "parent_id": self.id, "start_time": start,
        });
        Self { xray: self.xray.clone(), id, document }
    }

    fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.document[field] = value.into();
    }

    fn send_in_progress(&self) {
        if let Some(xray) = &self.xray {
            let mut document = self.document.clone();
            document["in_progress"] = true.into();
            xray.put_own(&document);
        }
    }

    fn end(mut self, fields: &[(&str, Value)]) {
        let Some(xray) = self.xray.take() else { return };
        for (field, value) in fields {
            self.set(field, value.clone());
        }
        self.set("end_time", now());
        xray.put_own(&self.document);
    }
}

/// An asynchronous request in the queue.
#[derive(Debug)]
pub(super) struct Queued {
    request: Segment,
    /// When it was accepted; `None` after its first attempt.
    since: Option<f64>,
    attempts: u32,
}

impl Queued {
    /// Begins an attempt. Returns its subsegment, and the invocation with it as its parent.
    pub(super) fn attempt(&mut self, invocation: &Invocation) -> (Segment, Invocation) {
        if let Some(since) = self.since.take() {
            self.request.child("Dwell Time", since).end(&[]);
        }
        self.attempts += 1;
        let attempt = self.request.child(&format!("Attempt #{}", self.attempts), now());
        attempt.send_in_progress();
        let mut invocation = invocation.clone();
        let sampled = attempt.xray.is_some();
        invocation.trace = trace::with_parent(&invocation.trace, &attempt.id, sampled);
        (attempt, invocation)
    }
}

/// One run of a function.
#[derive(Debug)]
pub(super) struct Run {
    function: Segment,
    call: Segment,
}

impl Run {
    /// Ends the run.
    pub(super) fn end(self, invoked: &Invoked) {
        let fields = cause(invoked);
        self.call.end(&fields);
        self.function.end(&fields);
    }
}

/// Returns the fields of a segment for the result of an invocation.
fn failure(outcome: &Outcome) -> Vec<(&'static str, Value)> {
    match outcome {
        Ok(invoked) => {
            let fault = invoked.function_error.is_some().then_some(("fault", json!(true)));
            [status(200)].into_iter().chain(fault).collect()
        }
        Err(error) => refusal(error),
    }
}

fn refusal(error: &AwsError) -> Vec<(&'static str, Value)> {
    let flags: &[&str] = match error.status.as_u16() {
        429 => &["error", "throttle"],
        400..=499 => &["error"],
        _ => &["fault"],
    };
    let flags = flags.iter().map(|flag| (*flag, json!(true)));
    flags.chain([status(error.status.as_u16())]).collect()
}

fn status(status: u16) -> (&'static str, Value) {
    ("http", json!({ "response": { "status": status } }))
}

/// Returns the fields of a run that failed: the function's report, without its stack.
fn cause(invoked: &Invoked) -> Vec<(&'static str, Value)> {
    if invoked.function_error.is_none() {
        return Vec::new();
    }
    let report: Value = serde_json::from_slice(&invoked.payload).unwrap_or_default();
    let text = |field: &str| report[field].as_str().map(|text| text.chars().take(500).collect());
    let exception = json!({
        "id": new_id(),
        "message": text("errorMessage").unwrap_or_else(String::new),
        "type": text("errorType").unwrap_or_else(String::new),
    });
    vec![("fault", json!(true)), ("cause", json!({ "exceptions": [exception] }))]
}

/// Returns the time in seconds since the Unix epoch.
pub(super) fn now() -> f64 {
    real_now_us() as f64 / 1e6
}
