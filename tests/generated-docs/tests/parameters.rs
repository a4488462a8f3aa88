//! The template's parameters in `docs/configuration.md`.
#![allow(clippy::unwrap_used)]

use generated_docs::{check, table};
use serde_yaml_ng::Value;

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => serde_yaml_ng::to_string(other).unwrap().trim().to_owned(),
    }
}

/// Returns the values that a parameter may have: a list, a range, or its constraint in words.
fn allowed(parameter: &Value) -> String {
    if let Some(values) = parameter["AllowedValues"].as_sequence() {
        return values.iter().map(text).collect::<Vec<_>>().join(", ");
    }
    if !parameter["MinValue"].is_null() {
        return format!("{}–{}", text(&parameter["MinValue"]), text(&parameter["MaxValue"]));
    }
    text(&parameter["ConstraintDescription"])
}

#[test]
fn docs_list_the_parameters_of_the_template() {
    let template = include_str!("../../../infra/template.yaml");
    let template: Value = serde_yaml_ng::from_str(template).unwrap();
    let rows = template["Parameters"].as_mapping().unwrap().iter().map(|(name, parameter)| {
        let default = match &parameter["Default"] {
            Value::Null => "required".to_owned(),
            Value::String(default) if default.is_empty() => "empty".to_owned(),
            default => format!("`{}`", text(default)),
        };
        let name = format!("`{}`", text(name));
        let description = text(&parameter["Description"]);
        [name, text(&parameter["Type"]), default, allowed(parameter), description]
    });
    let columns = ["parameter", "type", "default", "allowed values", "meaning"];
    check("configuration.md", "parameters", &table(columns, rows));
}
