//! Traces, as BatchGetTraces of X-Ray returns them.

use std::fmt::{self, Display};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::{Cloud, Error};

/// Maximum wait for a part of a trace.
const TIMEOUT: Duration = Duration::from_secs(90);

/// A trace: its segments and subsegments as a tree.
#[derive(Debug)]
pub struct Trace {
    /// Its id.
    pub id: String,
    /// Its documents, one after the other.
    pub text: String,
    /// The segments without a parent: one if the trace is joined.
    pub roots: Vec<Node>,
}

/// A segment or subsegment, with what belongs to it.
#[derive(Debug)]
pub struct Node {
    /// Its document, without the nodes below it.
    pub body: Map<String, Value>,
    /// The nodes below it, in the order of their beginning.
    pub below: Vec<Self>,
}

impl Cloud {
    /// Makes a call of X-Ray's REST protocol, for example `Traces`.
    ///
    /// # Errors
    /// [`Error::Answer`] unless the status is 200.
    pub async fn xray(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.rest("xray", path, body).await
    }

    /// Returns the traces of a session, the newest first.
    ///
    /// # Errors
    /// As [`Cloud::xray`].
    pub async fn traces_of(&self, session_id: &str) -> Result<Vec<Trace>, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let query = json!({
            "StartTime": now - 3600.0, "EndTime": now + 60.0,
            "FilterExpression": format!("annotation.sessionId = {session_id:?}"),
        });
        let found = self.xray("TraceSummaries", &query).await?;
        let mut traces = Vec::new();
        for id in found["TraceSummaries"].as_array().into_iter().flatten().map(|it| &it["Id"]) {
            let answer = self.xray("Traces", &json!({ "TraceIds": [id] })).await?;
            traces.push(Trace::of(&answer["Traces"][0]));
        }
        Ok(traces)
    }

    /// Waits until one trace of the session has all of these paths ([`Trace::find`]).
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the traces.
    pub async fn trace_with(&self, session_id: &str, paths: &[&[&str]]) -> Result<Trace, Error> {
        let start = Instant::now();
        loop {
            let mut traces = self.traces_of(session_id).await?;
            let has_all = |trace: &Trace| paths.iter().all(|path| trace.find(path).is_some());
            if let Some(found) = traces.iter().position(has_all) {
                return Ok(traces.swap_remove(found));
            }
            if start.elapsed() > TIMEOUT {
                let (what, seconds) = (format!("a trace with {paths:?}"), TIMEOUT.as_secs());
                let last = traces.iter().map(Trace::to_string).collect();
                return Err(Error::TimedOut { what, seconds, last });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Trace {
    fn of(trace: &Value) -> Self {
        let documents = trace["Segments"].as_array().into_iter().flatten();
        let documents = documents.filter_map(|segment| segment["Document"].as_str());
        let (mut text, mut nodes) = (String::new(), Vec::new());
        for document in documents {
            text.push_str(document);
            let body = serde_json::from_str(document).unwrap_or_default();
            nodes.push(Node::of(body));
        }
        // A segment belongs to the node, in whichever segment, whose id is its parent's.
        let mut roots = Vec::<Node>::new();
        while let Some(node) = nodes.pop() {
            let parent = node.text("parent_id").to_owned();
            let place = nodes.iter_mut().chain(&mut roots).find_map(|it| it.with_id(&parent));
            match place {
                Some(place) => place.below.push(node),
                None => roots.push(node),
            }
        }
        roots.iter_mut().for_each(Node::sort);
        Self { id: trace["Id"].as_str().unwrap_or_default().to_owned(), text, roots }
    }

    /// Returns the node at the end of a path. Each step is the name of a node, or its origin, and
    /// is found at any depth below the step before it.
    pub fn find(&self, path: &[&str]) -> Option<&Node> {
        self.roots.iter().find_map(|root| root.find(path))
    }

    /// Returns all nodes with this name.
    pub fn all(&self, name: &str) -> Vec<&Node> {
        let mut found = Vec::new();
        self.roots.iter().for_each(|root| root.collect(name, &mut found));
        found
    }
}

impl Node {
    fn of(mut body: Map<String, Value>) -> Self {
        let nested = match body.remove("subsegments") {
            Some(Value::Array(nested)) => nested,
            _ => Vec::new(),
        };
        let nested = nested.into_iter().filter_map(|it| match it {
            Value::Object(body) => Some(Self::of(body)),
            _ => None,
        });
        Self { body, below: nested.collect() }
    }

    /// Returns a text of the document, or an empty one.
    pub fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns whether the document has this flag, for example `fault`.
    pub fn is(&self, flag: &str) -> bool {
        self.body.get(flag) == Some(&Value::Bool(true))
    }

    /// Returns a value of the document by its path, for example `aws/operation`.
    pub fn at(&self, path: &str) -> &Value {
        let mut steps = path.split('/');
        let first = steps.next().and_then(|field| self.body.get(field));
        steps.fold(first.unwrap_or(&Value::Null), |value, field| &value[field])
    }

    fn find(&self, path: &[&str]) -> Option<&Self> {
        let [step, rest @ ..] = path else { return None };
        let rest = match self.text("name") == *step || self.text("origin") == *step {
            true if rest.is_empty() => return Some(self),
            true => rest,
            false => path,
        };
        self.below.iter().find_map(|below| below.find(rest))
    }

    fn collect<'a>(&'a self, name: &str, found: &mut Vec<&'a Self>) {
        found.extend((self.text("name") == name).then_some(self));
        self.below.iter().for_each(|below| below.collect(name, found));
    }

    fn with_id(&mut self, id: &str) -> Option<&mut Self> {
        if self.text("id") == id {
            return Some(self);
        }
        self.below.iter_mut().find_map(|below| below.with_id(id))
    }

    fn sort(&mut self) {
        let start = |node: &Self| node.at("start_time").as_f64().unwrap_or_default();
        self.below.sort_by(|one, other| start(one).total_cmp(&start(other)));
        self.below.iter_mut().for_each(Self::sort);
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:1$}{2}", "", 2 * depth, self.text("name"))?;
        let message = self.at("cause/exceptions").get(0).map(|it| &it["message"]);
        for (field, value) in [
            ("", self.at("origin")),
            ("", self.at("aws/operation")),
            ("session ", self.at("annotations/sessionId")),
            ("epoch ", self.at("annotations/epoch")),
            ("", message.unwrap_or(&Value::Null)),
        ] {
            match value {
                Value::Null => {}
                Value::String(text) => write!(f, "  {field}{text}")?,
                other => write!(f, "  {field}{other}")?,
            }
        }
        let start = self.at("start_time").as_f64().unwrap_or_default();
        if let Some(end) = self.at("end_time").as_f64() {
            write!(f, "  {:.0} ms", (end - start) * 1000.0)?;
        }
        for flag in ["fault", "error", "throttle", "in_progress"] {
            if self.is(flag) {
                write!(f, "  {}", flag.to_uppercase())?;
            }
        }
        writeln!(f)?;
        self.below.iter().try_for_each(|below| below.write(f, depth + 1))
    }
}

impl Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "trace {}", self.id)?;
        self.roots.iter().try_for_each(|root| root.write(f, 1))
    }
}
