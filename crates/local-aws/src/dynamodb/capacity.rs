//! The capacity that calls consume, as the metrics of the namespace `AWS/DynamoDB` (DynamoDB guide,
//! "DynamoDB metrics and dimensions"). Those of indexes are not kept.

use bytes::Bytes;
use serde_json::Value;

use crate::cloudwatch::Metrics;

const READS: [&str; 5] = ["GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"];
const WRITES: [&str; 5] =
    ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"];
const REQUESTED: &str = "ReturnConsumedCapacity";
const CONSUMED: &str = "ConsumedCapacity";

/// A call whose consumed capacity is counted.
pub(super) struct Consumption {
    metric: &'static str,
    /// Whether the client requested the capacity too.
    is_shown: bool,
}

/// Requests the consumed capacity of a call; `None`: the operation consumes none, or the request
/// is not valid.
pub(super) fn request(operation: &str, body: &Bytes) -> Option<(Consumption, Bytes)> {
    let metric = match operation {
        it if READS.contains(&it) => "ConsumedReadCapacityUnits",
        it if WRITES.contains(&it) => "ConsumedWriteCapacityUnits",
        _ => return None,
    };
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let is_shown = match request.get(REQUESTED).and_then(Value::as_str) {
        None | Some("NONE") => false,
        Some("TOTAL" | "INDEXES") => true,
        Some(_) => return None,
    };
    if !is_shown {
        request.as_object_mut()?.insert(REQUESTED.to_owned(), "INDEXES".into());
    }
    Some((Consumption { metric, is_shown }, request.to_string().into()))
}

impl Consumption {
    /// Counts the capacity that an answer names. Returns the answer without it, unless the client
    /// requested it.
    pub(super) fn count(self, metrics: &Metrics, answer: &Bytes) -> Option<Bytes> {
        let mut value: Value = serde_json::from_slice(answer).ok()?;
        let consumed = value.as_object_mut()?.remove(CONSUMED)?;
        let tables = match &consumed {
            Value::Array(tables) => tables.as_slice(),
            table => std::slice::from_ref(table),
        };
        for table in tables {
            let units =
                table.pointer("/Table/CapacityUnits").or_else(|| table.get("CapacityUnits"));
            if let (Some(name), Some(units)) =
                (table["TableName"].as_str(), units.and_then(Value::as_f64))
            {
                let dimension = ("TableName", name);
                metrics.count("AWS/DynamoDB", self.metric, dimension, "Count", units);
            }
        }
        (!self.is_shown).then(|| value.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(operation: &str, body: &Value) -> Option<(bool, Value)> {
        let (consumption, body) = request(operation, &body.to_string().into())?;
        Some((consumption.is_shown, serde_json::from_slice(&body).unwrap()))
    }

    #[test]
    fn the_capacity_is_requested_where_the_client_does_not() {
        let (shown, body) = asked("GetItem", &json!({ "TableName": "t" })).unwrap();
        assert_eq!((shown, &body[REQUESTED]), (false, &json!("INDEXES")));
        let own = json!({ "TableName": "t", REQUESTED: "TOTAL" });
        assert_eq!(asked("PutItem", &own), Some((true, own)));
        assert_eq!(asked("PutItem", &json!({ REQUESTED: "OTHER" })), None);
        assert_eq!(asked("DescribeTable", &json!({})), None);
        assert!(request("GetItem", &Bytes::from_static(b"{")).is_none());
    }

    #[test]
    fn the_answer_is_the_one_that_the_client_requested() {
        let metrics = Metrics::new(crate::clock::Clock::new(1.0));
        let answer = json!({
            "Item": {}, CONSUMED: { "TableName": "t", "CapacityUnits": 3.0, "Table": { "CapacityUnits": 1.0 } }
        });
        let answer: Bytes = answer.to_string().into();
        let counted =
            |is_shown| Consumption { metric: READS[0], is_shown }.count(&metrics, &answer);
        assert_eq!(counted(true), None);
        assert_eq!(counted(false), Some(r#"{"Item":{}}"#.into()));
        let refused = Bytes::from_static(br#"{"__type":"x"}"#);
        assert_eq!(
            Consumption { metric: READS[0], is_shown: false }.count(&metrics, &refused),
            None
        );
    }
}
