//! Filter expressions
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html>): keywords, joined
//! by AND. Supported are `annotation.KEY` and `annotation[KEY]` with `=` or `!=`,
//! `service("NAME")`, and `ok`, `error`, `fault`, `throttle`, `partial`, alone or with `= true` or
//! `= false`.

use serde_json::Value;

use super::summary::Summary;

/// An expression. Without conditions, it matches every trace.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, PartialEq)]
enum Condition {
    Annotation { key: String, value: Value, is: bool },
    Flag { name: Flag, is: bool },
    Service(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    Ok,
    Error,
    Fault,
    Throttle,
    Partial,
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, or is not supported.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let mut conditions = Vec::new();
        while !rest.is_empty() {
            if !conditions.is_empty() {
                let next = keyword(rest).filter(|(word, _)| word.eq_ignore_ascii_case("and"));
                rest = next.ok_or_else(|| format!("AND expected before {rest:?}"))?.1;
            }
            let (condition, after) = condition(rest)?;
            conditions.push(condition);
            rest = after.trim_start();
        }
        Ok(Self(conditions))
    }

    pub(super) fn matches(&self, summary: &Summary) -> bool {
        self.0.iter().all(|condition| match condition {
            Condition::Annotation { key, value, is } => {
                let values = summary.annotations.get(key);
                let has = |it: &Vec<(Value, Value)>| it.iter().any(|(known, _)| known == value);
                values.is_some_and(|values| has(values) == *is)
            }
            Condition::Flag { name, is } => {
                *is == match name {
                    Flag::Ok => !(summary.error || summary.fault || summary.throttle),
                    Flag::Error => summary.error,
                    Flag::Fault => summary.fault,
                    Flag::Throttle => summary.throttle,
                    Flag::Partial => summary.partial,
                }
            }
            Condition::Service(name) => summary.services.contains_key(name),
        })
    }
}

/// Reads one condition; returns what follows it.
fn condition(text: &str) -> Result<(Condition, &str), String> {
    let (word, rest) = keyword(text).ok_or_else(|| format!("a keyword expected at {text:?}"))?;
    let name = match word {
        "annotation" => return annotation(rest),
        "service" => return service(rest),
        "ok" => Flag::Ok,
        "error" => Flag::Error,
        "fault" => Flag::Fault,
        "throttle" => Flag::Throttle,
        "partial" => Flag::Partial,
        other => return Err(format!("the keyword {other} is not supported by local-cloud")),
    };
    match comparison(rest) {
        None => Ok((Condition::Flag { name, is: true }, rest)),
        Some((equal, rest)) => match value(rest)? {
            (Value::Bool(flag), rest) => Ok((Condition::Flag { name, is: flag == equal }, rest)),
            (other, _) => Err(format!("{word} is true or false, not {other}")),
        },
    }
}

fn annotation(text: &str) -> Result<(Condition, &str), String> {
    let wrong = || format!("annotation.KEY or annotation[KEY] expected at {text:?}");
    let (key, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
        None => text.strip_prefix('.').and_then(keyword).ok_or_else(wrong)?,
    };
    let key = key.trim().trim_matches('"').to_owned();
    let (is, rest) = comparison(rest).ok_or_else(|| format!("= or != expected at {rest:?}"))?;
    let (value, rest) = value(rest)?;
    Ok((Condition::Annotation { key, value, is }, rest))
}

fn service(text: &str) -> Result<(Condition, &str), String> {
    let wrong = || format!("service(\"NAME\") expected at {text:?}");
    let (value, rest) = value(text.trim_start().strip_prefix('(').ok_or_else(wrong)?)?;
    let rest = rest.trim_start().strip_prefix(')').ok_or_else(wrong)?;
    match value {
        Value::String(name) => Ok((Condition::Service(name), rest)),
        _ => Err(wrong()),
    }
}

/// Returns a word of letters, digits and underscores, and what follows it.
fn keyword(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(|one: char| !(one.is_alphanumeric() || one == '_')).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Returns whether the operator is `=` and not `!=`, and what follows it.
fn comparison(text: &str) -> Option<(bool, &str)> {
    let text = text.trim_start();
    let equal = text.strip_prefix('=').map(|rest| (true, rest));
    equal.or_else(|| text.strip_prefix("!=").map(|rest| (false, rest)))
}

/// Returns a text in quotation marks, a number, `true` or `false`, and what follows it.
fn value(text: &str) -> Result<(Value, &str), String> {
    let wrong = || format!("a value expected at {text:?}");
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.next() {
        Some(Ok(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_)))) => {
            Ok((value, text.get(values.byte_offset()..).ok_or_else(wrong)?))
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn annotation(key: &str, value: Value, is: bool) -> Condition {
        Condition::Annotation { key: key.to_owned(), value, is }
    }

    #[test]
    fn both_forms_of_an_annotation_are_read() {
        let wanted = Filter(vec![annotation("sessionId", json!("a-b-1"), true)]);
        for text in [
            r#"annotation.sessionId = "a-b-1""#,
            r#"annotation[sessionId]="a-b-1""#,
            r#" annotation["sessionId"] = "a-b-1" "#,
        ] {
            assert_eq!(Filter::read(text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn conditions_are_joined_by_and() {
        let text = r#"annotation.epoch != 3 AND fault AND error = false and service("f-dev")"#;
        let wanted = Filter(vec![
            annotation("epoch", json!(3), false),
            Condition::Flag { name: Flag::Fault, is: true },
            Condition::Flag { name: Flag::Error, is: false },
            Condition::Service("f-dev".to_owned()),
        ]);
        assert_eq!(Filter::read(text).unwrap(), wanted);
        assert_eq!(Filter::read("").unwrap(), Filter::default());
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for text in [
            "responsetime > 5",
            "annotation.sessionId",
            r#"annotation.sessionId = "open"#,
            "annotation[sessionId = 1",
            "fault error",
            "fault OR error",
            "fault AND",
            "fault = 1",
            "service(1)",
        ] {
            assert!(Filter::read(text).is_err(), "{text}");
        }
    }
}
