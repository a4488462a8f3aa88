//! Items as JSON and back, so that records are read by the serde types of the `session` crate.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The JSON of an item. Binary attributes, which no table of ours has, are left out.
pub(crate) fn to_json(item: &Item) -> Value {
    let members = item.iter().map(|(name, value)| (name.clone(), value_to_json(value)));
    Value::Object(members.collect::<Map<_, _>>())
}

/// The attribute of a JSON value.
pub(crate) fn from_json(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(list) => AttributeValue::L(list.iter().map(from_json).collect()),
        Value::Object(map) => AttributeValue::M(
            map.iter().map(|(name, value)| (name.clone(), from_json(value))).collect(),
        ),
    }
}

fn value_to_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(number) => number.parse::<Number>().map_or(Value::Null, Value::Number),
        AttributeValue::Bool(flag) => Value::Bool(*flag),
        AttributeValue::L(list) => Value::Array(list.iter().map(value_to_json).collect()),
        AttributeValue::Ss(list) => list.iter().cloned().map(Value::String).collect(),
        AttributeValue::M(map) => to_json(map),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives_the_table() {
        let value = json!({
            "text": "a", "number": 1_732_540_620_000_u64, "flag": true, "none": null,
            "list": ["en", "de"], "map": {"wss": "wss://x", "deep": {"n": 1}}
        });
        let AttributeValue::M(item) = from_json(&value) else { panic!() };
        assert_eq!(to_json(&item), value);
    }
}
