//! Which events a rule matches.
//!
//! The matcher is `quamina`. It accepts some patterns that EventBridge rejects (regexp, shellstyle,
//! empty lists) and rejects some that EventBridge accepts (`$or`, `anything-but` with an operator).
//! A check before it rejects the first kind with EventBridge's messages; the second kind is an
//! error too.

use std::fmt;

use quamina::Quamina;
use serde_json::Value;

/// The operators of EventBridge that the matcher supports.
const OPERATORS: [&str; 8] = [
    "prefix",
    "suffix",
    "wildcard",
    "cidr",
    "numeric",
    "exists",
    "anything-but",
    "equals-ignore-case",
];

/// A checked pattern.
pub(super) struct Pattern {
    matcher: Quamina<u8>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

impl Pattern {
    /// Checks a pattern.
    pub(super) fn new(pattern: &Value) -> Result<Self, String> {
        check_fields(pattern, "")?;
        let mut matcher = Quamina::new();
        let added = matcher.add_pattern(0, &pattern.to_string());
        added.map_err(|error| format!("Event pattern is not valid here. Reason: {error}"))?;
        Ok(Self { matcher })
    }

    /// Whether an event matches.
    pub(super) fn matches(&self, event: &[u8]) -> bool {
        self.matcher.has_matches(event).unwrap_or(false)
    }
}

fn invalid(reason: impl fmt::Display) -> String {
    format!("Event pattern is not valid. Reason: {reason}")
}

fn check_fields(pattern: &Value, name: &str) -> Result<(), String> {
    let Some(fields) = pattern.as_object() else {
        return Err(invalid(match name {
            "" => "Filter is not an object".to_owned(),
            name => format!("\"{name}\" must be an object or an array"),
        }));
    };
    if fields.is_empty() {
        return Err(invalid("Empty objects are not allowed"));
    }
    fields.iter().try_for_each(|(name, value)| match value {
        Value::Array(leaves) if leaves.is_empty() => Err(invalid("Empty arrays are not allowed")),
        Value::Array(_) if name == "$or" => {
            Err(invalid("local-cloud does not match $or; write one rule for each alternative"))
        }
        Value::Array(leaves) => leaves.iter().try_for_each(|leaf| check_leaf(leaf, name)),
        nested => check_fields(nested, name),
    })
}

fn check_leaf(leaf: &Value, name: &str) -> Result<(), String> {
    let operators = match leaf {
        Value::Object(operators) => operators,
        Value::Array(_) => return Err(invalid(format!("\"{name}\" holds an array in an array"))),
        _ => return Ok(()),
    };
    let mut names = operators.keys();
    match (names.next(), names.next()) {
        (Some(operator), None) if OPERATORS.contains(&operator.as_str()) => Ok(()),
        (Some(operator), None) => Err(invalid(format!("Unrecognized match type {operator}"))),
        _ => Err(invalid(format!("Only one key allowed in match expression at \"{name}\""))),
    }
}

/// Returns the part of an event at a path such as `$.detail.sessionId`.
pub(super) fn at_path<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.strip_prefix('$')?;
    let mut names = path.split('.').skip(1);
    names.try_fold(event, |value, name| value.get(name))
}

#[cfg(test)]
mod tests;
