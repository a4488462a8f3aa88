//! The tree of a trace, from the documents of its segments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The segments and subsegments of a trace.
#[derive(Debug)]
pub(super) struct Tree {
    /// By their ids. Of one that was sent several times, the last that has ended.
    nodes: BTreeMap<String, Value>,
    /// The ids below each id, in the order of their start; those without a known parent are below
    /// the empty id.
    below: BTreeMap<String, Vec<String>>,
}

impl Tree {
    /// Joins documents. Subsegments stand within their segment, or are documents of their own.
    pub(super) fn of(documents: Vec<Value>) -> Self {
        let mut nodes = BTreeMap::new();
        for document in documents {
            add(&mut nodes, document, None);
        }
        let mut ids: Vec<&String> = nodes.keys().collect();
        ids.sort_by(|one, other| start(&nodes[*one]).total_cmp(&start(&nodes[*other])));
        let mut below: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for id in ids {
            let parent = nodes[id]["parent_id"].as_str().filter(|it| nodes.contains_key(*it));
            below.entry(parent.unwrap_or_default().to_owned()).or_default().push(id.clone());
        }
        Self { nodes, below }
    }

    /// Returns a line for each node: offset from the trace's start, duration, and what it is.
    pub(super) fn lines(&self) -> Vec<String> {
        let first = self.nodes.values().map(start).fold(f64::INFINITY, f64::min);
        let mut lines = Vec::new();
        self.walk(&mut |depth, node| {
            let offset = (start(node) - first) * 1_000.0;
            lines.push(format!(
                "{offset:9.0} ms {} {}{}",
                took(node),
                "  ".repeat(depth),
                text(node)
            ));
        });
        lines
    }

    /// Returns the trace as an object, its nodes in the order of the lines.
    pub(super) fn object(&self, id: &str) -> Value {
        let mut segments = Vec::new();
        self.walk(&mut |depth, node| {
            let mut node = node.clone();
            node["depth"] = json!(depth);
            segments.push(node);
        });
        json!({ "traceId": id, "segments": segments })
    }

    /// Visits each node before those below it. A node that is below itself is not visited.
    fn walk(&self, visit: &mut impl FnMut(usize, &Value)) {
        let mut open: Vec<(usize, &String)> = Vec::new();
        let children = |id: &str| self.below.get(id).into_iter().flatten().rev();
        open.extend(children("").map(|id| (0, id)));
        let mut seen = BTreeSet::new();
        while let Some((depth, id)) = open.pop() {
            if seen.insert(id) {
                visit(depth, &self.nodes[id]);
                open.extend(children(id).map(|id| (depth + 1, id)));
            }
        }
    }
}

/// Adds a document and the subsegments within it.
fn add(nodes: &mut BTreeMap<String, Value>, mut document: Value, parent: Option<&str>) {
    let Some(id) = document["id"].as_str().map(str::to_owned) else { return };
    if let Some(parent) = parent {
        document["parent_id"] = json!(parent);
    }
    let inner = document.as_object_mut().and_then(|it| it.remove("subsegments"));
    if let Some(Value::Array(inner)) = inner {
        for subsegment in inner {
            add(nodes, subsegment, Some(&id));
        }
    }
    let has_ended = |node: &Value| node["end_time"].is_number();
    if !nodes.get(&id).is_some_and(|known| has_ended(known) && !has_ended(&document)) {
        nodes.insert(id, document);
    }
}

fn start(node: &Value) -> f64 {
    node["start_time"].as_f64().unwrap_or(f64::INFINITY)
}

/// Returns the duration in ten characters.
fn took(node: &Value) -> String {
    match node["end_time"].as_f64() {
        Some(end) => format!("{:7.0} ms", (end - start(node)) * 1_000.0),
        None => format!("{:>10}", "open"),
    }
}

/// Returns name, origin or operation, annotations, and the error with its message.
fn text(node: &Value) -> String {
    let mut words = vec![node["name"].as_str().unwrap_or("?").to_owned()];
    let known = [&node["origin"], &node["aws"]["operation"]];
    words.extend(known.into_iter().filter_map(Value::as_str).map(str::to_owned));
    for (name, value) in node["annotations"].as_object().into_iter().flatten() {
        words.push(match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        });
    }
    let flaws = ["fault", "error", "throttle"];
    words.extend(flaws.into_iter().filter(|flaw| node[*flaw] == true).map(str::to_uppercase));
    let message = node["cause"]["exceptions"][0]["message"].as_str();
    words.extend(message.map(|message| format!("({message})")));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_joined_by_their_ids() {
        let tree = Tree::of(vec![
            json!({ "id": "c", "parent_id": "b", "name": "DynamoDB", "start_time": 1.25,
                "end_time": 1.5, "aws": { "operation": "PutItem" }, "error": true,
                "cause": { "exceptions": [{ "message": "refused" }] } }),
            json!({ "id": "a", "name": "f-dev", "origin": "AWS::Lambda", "start_time": 1.0,
                "end_time": 3.0, "subsegments": [{ "id": "b", "name": "work", "start_time": 1.2,
                "annotations": { "sessionId": "s", "epoch": 2 } }] }),
        ]);
        let expected = [
            "        0 ms    2000 ms f-dev AWS::Lambda",
            "      200 ms       open   work epoch=2 sessionId=s",
            "      250 ms     250 ms     DynamoDB PutItem ERROR (refused)",
        ];
        assert_eq!(tree.lines(), expected);
        assert_eq!(tree.object("1-2")["segments"][2]["depth"], 2);
    }

    #[test]
    fn a_document_in_progress_does_not_replace_the_ended_one() {
        let ended = json!({ "id": "a", "name": "n", "start_time": 1.0, "end_time": 2.0 });
        let open = json!({ "id": "a", "name": "n", "start_time": 1.0, "in_progress": true });
        for documents in [vec![ended.clone(), open.clone()], vec![open, ended]] {
            assert_eq!(Tree::of(documents).lines(), ["        0 ms    1000 ms n"]);
        }
    }

    #[test]
    fn a_circle_and_a_missing_parent_do_not_hang() {
        let circle = |id: &str, parent: &str| json!({ "id": id, "parent_id": parent, "name": id });
        let tree = Tree::of(vec![circle("a", "b"), circle("b", "a"), circle("c", "lost")]);
        assert_eq!(tree.lines().len(), 1);
    }
}
