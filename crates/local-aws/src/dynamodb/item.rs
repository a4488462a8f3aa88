//! DynamoDB's items as plain JSON.

use serde_json::{Map, Number, Value};

/// Converts an item: `{"epoch": {"N": "1"}}` to `{"epoch": 1}`.
pub fn plain(item: &Value) -> Value {
    attributes(item).into()
}

fn attributes(map: &Value) -> Map<String, Value> {
    let members = map.as_object().into_iter().flatten();
    members.map(|(name, attribute)| (name.clone(), value(attribute))).collect()
}

fn value(attribute: &Value) -> Value {
    let typed = attribute.as_object().and_then(|typed| typed.iter().next());
    let Some((kind, value)) = typed else { return Value::Null };
    match kind.as_str() {
        "N" => number(value),
        "L" => list(value, self::value),
        "NS" => list(value, number),
        "M" => attributes(value).into(),
        "NULL" => Value::Null,
        // S, BOOL, B, SS and BS are JSON already.
        _ => value.clone(),
    }
}

fn list(values: &Value, each: fn(&Value) -> Value) -> Value {
    values.as_array().into_iter().flatten().map(each).collect()
}

fn number(text: &Value) -> Value {
    let number = text.as_str().and_then(|text| text.parse::<Number>().ok());
    number.map_or_else(|| text.clone(), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_type_of_attribute_becomes_json() {
        let item = json!({
            "sessionId": {"S": "a-b-1"}, "epoch": {"N": "12"}, "rate": {"N": "-0.5"},
            "sessions": {"SS": ["a"]}, "numbers": {"NS": ["1", "2"]}, "absent": {"NULL": true},
            "settings": {"M": {"targetLanguages": {"L": [{"S": "de"}]}, "on": {"BOOL": true}}},
        });
        let expected = json!({
            "sessionId": "a-b-1", "epoch": 12, "rate": -0.5, "sessions": ["a"], "numbers": [1, 2],
            "absent": null, "settings": {"targetLanguages": ["de"], "on": true},
        });
        assert_eq!(plain(&item), expected);
        assert_eq!(plain(&Value::Null), json!({}));
    }
}
