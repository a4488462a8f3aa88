//! The summary of a trace, as GetTraceSummaries returns it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::compiled::{each, end, segments, start};
use super::document::is_open;
use super::traces::Trace;

/// What is known of a trace without reading its documents.
#[derive(Debug)]
pub(super) struct Summary {
    id: String,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) fault: bool,
    pub(super) error: bool,
    pub(super) throttle: bool,
    pub(super) partial: bool,
    /// The values of each annotation, with the service that it belongs to.
    pub(super) annotations: BTreeMap<String, Vec<(Value, Value)>>,
    /// The services of the trace, by name.
    pub(super) services: BTreeMap<String, Vec<Value>>,
    entry: Option<(Value, f64)>,
    status: Value,
    arns: Vec<Value>,
    revision: u64,
}

impl Summary {
    /// Summarizes a trace of this account.
    pub(super) fn of(id: &str, trace: &Trace, account: &str) -> Self {
        let segments = segments(trace);
        let mut summary = Self {
            id: id.to_owned(),
            start: segments.first().map_or(0.0, start),
            end: 0.0,
            fault: false,
            error: false,
            throttle: false,
            partial: false,
            annotations: BTreeMap::new(),
            services: BTreeMap::new(),
            entry: None,
            status: Value::Null,
            arns: Vec::new(),
            revision: trace.revision,
        };
        for segment in &segments {
            summary.add(segment, account);
        }
        summary
    }

    fn add(&mut self, segment: &Map<String, Value>, account: &str) {
        let name = segment.get("name").and_then(Value::as_str).unwrap_or_default();
        let kind = segment.get("origin").cloned().unwrap_or_default();
        let service = json!({ "Name": name, "Names": [name], "AccountId": account, "Type": kind });
        if self.entry.is_none() {
            self.entry = Some((service.clone(), end(segment) - start(segment)));
            self.status =
                segment.get("http").map_or(Value::Null, |it| it["response"]["status"].clone());
        }
        let known = self.services.entry(name.to_owned()).or_default();
        if !known.contains(&service) {
            known.push(service.clone());
        }
        let arn = segment.get("resource_arn").map(|arn| json!({ "ARN": arn }));
        self.arns.extend(arn.filter(|arn| !self.arns.contains(arn)));
        each(segment, &mut |body| {
            let is = |field: &str| body.get(field) == Some(&Value::Bool(true));
            self.fault |= is("fault");
            self.error |= is("error");
            self.throttle |= is("throttle");
            self.partial |= is_open(body);
            self.end = self.end.max(end(body));
            let annotations = body.get("annotations").and_then(Value::as_object);
            for (key, value) in annotations.into_iter().flatten() {
                let values = self.annotations.entry(key.clone()).or_default();
                let found = (value.clone(), service.clone());
                if !values.contains(&found) {
                    values.push(found);
                }
            }
        });
    }

    /// Returns the member of `TraceSummaries`.
    pub(super) fn to_json(&self) -> Value {
        let annotations: Map<String, Value> = self.annotations.iter().map(annotation).collect();
        let (entry, response) = self.entry.clone().unwrap_or_default();
        let services: Vec<_> = self.services.values().flatten().collect();
        json!({
            "Id": self.id,
            "StartTime": self.start,
            "MatchedEventTime": self.start,
            "Duration": (self.end - self.start).max(0.0),
            "ResponseTime": response,
            "HasFault": self.fault,
            "HasError": self.error,
            "HasThrottle": self.throttle,
            "IsPartial": self.partial,
            "Http": match &self.status {
                Value::Null => json!({}),
                status => json!({ "HttpStatus": status }),
            },
            "Annotations": annotations,
            "Users": [],
            "ServiceIds": services,
            "EntryPoint": entry,
            "ResourceARNs": self.arns,
            "Revision": self.revision,
        })
    }
}

/// Returns the values of one annotation, each with the services that have it.
fn annotation((key, values): (&String, &Vec<(Value, Value)>)) -> (String, Value) {
    let mut merged = Vec::<(&Value, Vec<&Value>)>::new();
    for (value, service) in values {
        match merged.iter_mut().find(|(known, _)| *known == value) {
            Some((_, services)) => services.push(service),
            None => merged.push((value, vec![service])),
        }
    }
    let entry = |(value, services): (&Value, Vec<&Value>)| {
        let kind = match value {
            Value::Number(_) => "NumberValue",
            Value::Bool(_) => "BooleanValue",
            _ => "StringValue",
        };
        json!({ "AnnotationValue": { kind: value }, "ServiceIds": services })
    };
    (key.clone(), merged.into_iter().map(entry).collect())
}
