//! Which events a rule matches.
//!
//! The matcher is `quamina`; it takes some patterns that EventBridge refuses (regexp, shellstyle,
//! empty lists) and refuses some that EventBridge takes (`$or`, `anything-but` with an operator).
//! The check before it refuses the first kind in EventBridge's words; the second kind is an error
//! too, never a silent difference.

use std::fmt;

use quamina::Quamina;
use serde_json::Value;

/// Operators of EventBridge that the matcher knows.
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

/// The part of an event at a path such as `$.detail.sessionId`.
pub(super) fn at_path<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.strip_prefix('$')?;
    let mut names = path.split('.').skip(1);
    names.try_fold(event, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_specification_s_pattern_matches_its_samples_and_nothing_else() {
        let pattern = include_str!("../../../../events/rule-pattern.json");
        let pattern = Pattern::new(&serde_json::from_str(pattern).unwrap()).unwrap();
        let samples = [
            include_str!("../../../../events/kvs-stream-consumer.session-active.json"),
            include_str!("../../../../events/kvs-stream-consumer.session-ended.json"),
            include_str!("../../../../events/test-event.json"),
        ];
        for sample in samples {
            assert!(pattern.matches(sample.as_bytes()), "{sample}");
        }
        let mut other: Value = serde_json::from_str(samples[0]).unwrap();
        for (path, value) in [
            ("/detail/status", "PAUSED"),
            ("/source", "x"),
            ("/detail-type", "session status change"),
        ] {
            let before = other.pointer(path).cloned().unwrap();
            *other.pointer_mut(path).unwrap() = value.into();
            assert!(!pattern.matches(other.to_string().as_bytes()), "{path}");
            *other.pointer_mut(path).unwrap() = before;
        }
        assert!(!pattern.matches(b"not json"));
    }

    #[test]
    fn what_eventbridge_refuses_is_refused_here() {
        for (pattern, reason) in [
            (json!({}), "Empty objects"),
            (json!([]), "not an object"),
            (json!({"source": []}), "Empty arrays"),
            (json!({"source": "x"}), "\"source\" must be an object or an array"),
            (json!({"source": [["x"]]}), "array in an array"),
            (json!({"source": [{"regexp": "x"}]}), "Unrecognized match type regexp"),
            (json!({"source": [{"shellstyle": "x"}]}), "Unrecognized match type shellstyle"),
            (json!({"source": [{"prefix": "x", "suffix": "y"}]}), "Only one key"),
            (json!({"detail": {}}), "Empty objects"),
            (json!({"$or": [{"source": ["x"]}]}), "$or"),
        ] {
            let error = Pattern::new(&pattern).unwrap_err();
            assert!(error.contains(reason), "{pattern}: {error}");
        }
    }

    #[test]
    fn operators_match_as_documented() {
        let check = |pattern: Value, yes: Value, no: Value| {
            let pattern = Pattern::new(&json!({"detail": {"x": [pattern]}})).unwrap();
            let event = |x: Value| json!({"detail": {"x": x}}).to_string();
            assert!(pattern.matches(event(yes).as_bytes()));
            assert!(!pattern.matches(event(no).as_bytes()));
        };
        check(json!({"prefix": "se"}), json!("session"), json!("mission"));
        check(json!({"suffix": "on"}), json!("session"), json!("sessions"));
        check(json!({"anything-but": ["a", "b"]}), json!("c"), json!("a"));
        check(json!({"numeric": [">", 1, "<=", 3]}), json!(3), json!(1));
        check(json!({"equals-ignore-case": "AbC"}), json!("aBc"), json!("ab"));
        check(json!({"wildcard": "a*c"}), json!("abbc"), json!("ab"));
        check(json!(null), json!(null), json!(0));
    }

    #[test]
    fn a_path_leads_into_the_event() {
        let event = json!({"detail": {"sessionId": "a-b-1"}});
        assert_eq!(at_path(&event, "$.detail.sessionId"), Some(&json!("a-b-1")));
        assert_eq!(at_path(&event, "$"), Some(&event));
        assert_eq!(at_path(&event, "$.nothing"), None);
    }
}
