//! Joins the documents of a trace: subsegments that were sent separately become part of their
//! segment, as BatchGetTraces returns them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::traces::Trace;

/// Depth of subsegments below their segment. Deeper ones are left out.
const MAX_DEPTH: usize = 64;

/// Returns the segments of a trace, each with its subsegments, in the order of their beginning. A
/// subsegment whose parent has not arrived is left out.
pub(super) fn segments(trace: &Trace) -> Vec<Map<String, Value>> {
    let documents = trace.documents().filter_map(|text| serde_json::from_str(text).ok());
    let (sent, segments): (Vec<Map<_, _>>, Vec<_>) =
        documents.partition(|body: &Map<String, Value>| body.contains_key("type"));
    let mut by_parent = BTreeMap::<&str, Vec<&Map<String, Value>>>::new();
    for body in &sent {
        let parent = body.get("parent_id").and_then(Value::as_str).unwrap_or_default();
        by_parent.entry(parent).or_default().push(body);
    }
    let mut segments: Vec<_> = segments.iter().map(|body| joined(body, &by_parent, 0)).collect();
    segments.sort_by(|one, other| start(one).total_cmp(&start(other)));
    segments
}

/// Returns a document with the subsegments that belong to it.
fn joined(
    body: &Map<String, Value>,
    by_parent: &BTreeMap<&str, Vec<&Map<String, Value>>>,
    depth: usize,
) -> Map<String, Value> {
    let mut whole = body.clone();
    let nested = whole.remove("subsegments");
    if depth >= MAX_DEPTH {
        return whole;
    }
    let nested = nested.as_ref().and_then(Value::as_array).into_iter().flatten();
    let nested = nested.filter_map(Value::as_object);
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
    let sent = by_parent.get(id).into_iter().flatten().copied();
    let mut all: Vec<_> =
        nested.chain(sent).map(|below| joined(below, by_parent, depth + 1)).collect();
    all.sort_by(|one, other| start(one).total_cmp(&start(other)));
    for subsegment in &mut all {
        for field in ["type", "trace_id", "parent_id"] {
            subsegment.remove(field);
        }
    }
    if !all.is_empty() {
        whole.insert("subsegments".to_owned(), all.into_iter().map(Value::Object).collect());
    }
    whole
}

/// Returns when a segment or subsegment began, in seconds since the Unix epoch.
pub(super) fn start(body: &Map<String, Value>) -> f64 {
    body.get("start_time").and_then(Value::as_f64).unwrap_or_default()
}

/// Returns when a segment or subsegment ended; for one in progress, when it began.
pub(super) fn end(body: &Map<String, Value>) -> f64 {
    body.get("end_time").and_then(Value::as_f64).unwrap_or_else(|| start(body))
}

/// Calls `visit` for a segment and each of its subsegments.
pub(super) fn each<'a>(
    body: &'a Map<String, Value>,
    visit: &mut impl FnMut(&'a Map<String, Value>),
) {
    visit(body);
    let nested = body.get("subsegments").and_then(Value::as_array).into_iter().flatten();
    nested.filter_map(Value::as_object).for_each(|nested| each(nested, visit));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::document::read;
    use super::super::traces::Traces;
    use super::*;
    use crate::clock::real_now_ms;

    #[test]
    fn subsegments_that_were_sent_separately_join_their_segment() {
        let id = format!("1-{:08x}-bd862e3fe1be46a994272793", real_now_ms() / 1000);
        let mut traces = Traces::default();
        let mut put = |mut body: Value| {
            (body["trace_id"], body["end_time"]) = (json!(id), json!(9.0));
            traces.put(read(&body.to_string()).unwrap());
        };
        let segment = json!({
            "name": "f", "id": "0000000000000001", "start_time": 1.0, "origin": "AWS::Lambda",
            "subsegments": [{
                "name": "Invocation", "id": "0000000000000002", "start_time": 1.5, "end_time": 8.0,
            }],
        });
        let sent = |name: &str, id: u32, parent: u32| {
            json!({
                "name": name, "id": format!("{id:016x}"), "type": "subsegment",
                "parent_id": format!("{parent:016x}"), "start_time": 2.0 + f64::from(id),
            })
        };
        // A subsegment may arrive before its parent, and one has no parent at all.
        for body in [sent("call", 4, 3), sent("orphan", 5, 99), segment, sent("piece", 3, 2)] {
            put(body);
        }
        let segments = segments(traces.get(&id).unwrap());
        let [whole] = &segments[..] else { panic!("{segments:?}") };
        let invocation = &whole["subsegments"][0];
        let piece = &invocation["subsegments"][0];
        assert_eq!((&invocation["name"], &piece["name"]), (&json!("Invocation"), &json!("piece")));
        assert_eq!(piece["subsegments"][0]["name"], "call");
        assert_eq!(piece.get("parent_id"), None);
    }
}
