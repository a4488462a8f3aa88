//! Converts YAML with CloudFormation's short tags to plain JSON values: `!Ref X` becomes
//! `{"Ref": "X"}`, `!GetAtt A.B` becomes `{"Fn::GetAtt": ["A", "B"]}`, `!Sub …` becomes
//! `{"Fn::Sub": …}`.

use serde_json::{Map, Value};
use serde_yaml_ng::Value as Yaml;

/// Reads the text of a template.
///
/// # Errors
/// The text is not YAML; the error has the line if the parser reports it.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    json(yaml)
}

/// Reads the text of an included file, in which only the long form is allowed.
///
/// # Errors
/// As [`read`], and a short tag.
pub(super) fn read_long_form(text: &str) -> Result<Value, String> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    match tagged(&yaml) {
        Some(tag) => Err(format!("{tag}: CloudFormation accepts the long form only in this file")),
        None => json(yaml),
    }
}

/// Returns the first short tag.
fn tagged(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::Tagged(tagged) => Some(tagged.tag.to_string()),
        Yaml::Sequence(items) => items.iter().find_map(tagged),
        Yaml::Mapping(entries) => entries.values().find_map(tagged),
        _ => None,
    }
}

fn json(yaml: Yaml) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => value.into(),
        Yaml::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), ..) => value.into(),
            (_, Some(value), _) => value.into(),
            (.., value) => value.into(),
        },
        Yaml::String(value) => value.into(),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(key_text(&key)?, json(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!').to_owned();
            let value = json(tagged.value)?;
            let (name, value) = match (name.as_str(), value) {
                ("Ref" | "Condition", value) => (name, value),
                ("GetAtt", Value::String(path)) => {
                    let (id, attribute) = path
                        .split_once('.')
                        .ok_or_else(|| format!("!GetAtt {path}: no attribute after a dot"))?;
                    ("Fn::GetAtt".to_owned(), Value::from(vec![id, attribute]))
                }
                (_, value) => (format!("Fn::{name}"), value),
            };
            Value::Object(Map::from_iter([(name, value)]))
        }
    })
}

fn key_text(key: &Yaml) -> Result<String, String> {
    match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(value) => Ok(value.to_string()),
        other => Err(format!("a key of a map is not text: {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_tags_become_the_long_form() {
        let read =
            read("a: !Ref X\nb: !GetAtt Queue.Arn\nc: !Sub '${X}-y'\nd: !If [C, 1, !Ref Y]\n");
        let expected = json!({
            "a": {"Ref": "X"},
            "b": {"Fn::GetAtt": ["Queue", "Arn"]},
            "c": {"Fn::Sub": "${X}-y"},
            "d": {"Fn::If": ["C", 1, {"Ref": "Y"}]},
        });
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn a_key_said_twice_is_an_error() {
        assert!(read("a: 1\na: 2\n").is_err());
    }
}
