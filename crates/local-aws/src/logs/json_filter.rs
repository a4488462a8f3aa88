//! Filter patterns of JSON events: `{ $.sessionId = "a-b-1" && $.latency > 100 }`.
//!
//! Supported: selectors of members and elements (`$.a.b[0]`); `=`, `!=` with strings (`*` stands
//! for any text) and numbers; `<`, `<=`, `>`, `>=` with numbers; `IS TRUE`, `IS FALSE`, `IS NULL`,
//! `NOT EXISTS`; `&&`, `||`, parentheses.

use serde_json::Value;

use super::filter::quoted_text;
use crate::wildcard::matches;

/// Maximum nesting of parentheses.
const MAX_DEPTH: usize = 16;

/// A condition on a JSON event.
#[derive(Debug, Clone)]
pub(super) enum JsonFilter {
    All(Vec<Self>),
    Any(Vec<Self>),
    /// A JSON pointer (RFC 6901) to the selected value, and its test.
    Test(String, Test),
}

/// The test of a value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Text { is: bool, pattern: String },
    Number { operator: &'static str, number: f64 },
    Is(Value),
    NotExists,
}

impl JsonFilter {
    /// Reads a pattern with its braces. `None` if it is not valid here.
    pub(super) fn read(pattern: &str) -> Option<Self> {
        let inner = pattern.trim().strip_prefix('{')?.strip_suffix('}')?;
        let mut parser = Parser { rest: inner, depth: 0 };
        let filter = parser.any()?;
        parser.rest.trim().is_empty().then_some(filter)
    }

    /// Returns whether the condition applies to an event. It applies to no event that is not JSON.
    pub(super) fn passes(&self, message: &str) -> bool {
        message.starts_with('{')
            && serde_json::from_str(message).is_ok_and(|event: Value| self.applies(&event))
    }

    fn applies(&self, event: &Value) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.applies(event)),
            Self::Any(filters) => filters.iter().any(|filter| filter.applies(event)),
            Self::Test(pointer, test) => test.applies(event.pointer(pointer)),
        }
    }
}

impl Test {
    fn applies(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::NotExists, value) => value.is_none(),
            (_, None) => false,
            (Self::Is(wanted), Some(value)) => value == wanted,
            (Self::Text { is, pattern }, Some(Value::String(text))) => {
                matches(pattern, text) == *is
            }
            (Self::Text { is, .. }, Some(_)) => !is,
            (Self::Number { operator, number }, Some(value)) => {
                value.as_f64().is_some_and(|value| match *operator {
                    "=" => value == *number,
                    "!=" => value != *number,
                    "<" => value < *number,
                    "<=" => value <= *number,
                    ">" => value > *number,
                    _ => value >= *number,
                })
            }
        }
    }
}

/// A recursive-descent parser: `||` binds less than `&&`.
struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let found = rest.strip_prefix(token);
        self.rest = found.unwrap_or(rest);
        found.is_some()
    }

    fn any(&mut self) -> Option<JsonFilter> {
        let mut filters = vec![self.all()?];
        while self.take("||") {
            filters.push(self.all()?);
        }
        Some(JsonFilter::Any(filters))
    }

    fn all(&mut self) -> Option<JsonFilter> {
        let mut filters = vec![self.one()?];
        while self.take("&&") {
            filters.push(self.one()?);
        }
        Some(JsonFilter::All(filters))
    }

    fn one(&mut self) -> Option<JsonFilter> {
        if !self.take("(") {
            return Some(JsonFilter::Test(self.selector()?, self.test()?));
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let inner = self.any()?;
        self.depth -= 1;
        self.take(")").then_some(inner)
    }

    /// Reads `$.a.b[0]` as the JSON pointer `/a/b/0`.
    fn selector(&mut self) -> Option<String> {
        if !self.take("$.") {
            return None;
        }
        let is_part = |letter: char| letter.is_alphanumeric() || "_-.[]".contains(letter);
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        let (path, rest) = self.rest.split_at(end);
        self.rest = rest;
        let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
        (!pointer.contains("//") && !pointer.ends_with('/')).then_some(pointer)
    }

    fn test(&mut self) -> Option<Test> {
        for (words, test) in [
            ("IS TRUE", Test::Is(Value::Bool(true))),
            ("IS FALSE", Test::Is(Value::Bool(false))),
            ("IS NULL", Test::Is(Value::Null)),
            ("NOT EXISTS", Test::NotExists),
        ] {
            if self.take(words) {
                return Some(test);
            }
        }
        let operator = ["!=", "<=", ">=", "=", "<", ">"].into_iter().find(|it| self.take(it))?;
        if self.take("\"") {
            let (pattern, rest) = quoted_text(self.rest)?;
            self.rest = rest;
            let is = operator == "=";
            return (is || operator == "!=").then_some(Test::Text { is, pattern });
        }
        self.bare(operator)
    }

    /// Reads a number, or a string without quotation marks.
    fn bare(&mut self, operator: &'static str) -> Option<Test> {
        let rest = self.rest.trim_start();
        let is_part = |letter: char| letter.is_alphanumeric() || "_-.*+".contains(letter);
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        if let Ok(number) = word.parse() {
            return Some(Test::Number { operator, number });
        }
        let is = operator == "=";
        let is_text = !word.is_empty() && (is || operator == "!=");
        is_text.then(|| Test::Text { is, pattern: word.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"sessionId":"blessed-shepherd-123","level":"ERROR","ms":12.5,"ok":true,
        "none":null,"error":{"parts":["a",{"code":429}]}}"#;

    #[test]
    fn conditions_apply_to_members() {
        for (pattern, passes) in [
            (r#"{ $.sessionId = "blessed-shepherd-123" }"#, true),
            (r#"{$.sessionId="blessed-shepherd-12"}"#, false),
            (r#"{ $.sessionId = "blessed-*" }"#, true),
            (r#"{ $.sessionId != "blessed-*" }"#, false),
            ("{ $.sessionId = blessed-* }", true),
            ("{ $.level = ERROR && $.ms > 12 }", true),
            ("{ $.level = ERROR && $.ms >= 13 }", false),
            (r#"{ $.level = "INFO" || ( $.ms < 13 && $.ok IS TRUE ) }"#, true),
            ("{ $.error.parts[1].code = 429 }", true),
            ("{ $.error.parts[0].code = 429 }", false),
            ("{ $.none IS NULL }", true),
            ("{ $.missing IS NULL }", false),
            ("{ $.missing NOT EXISTS }", true),
            ("{ $.ok IS FALSE }", false),
            (r#"{ $.ms != "12.5" }"#, true),
        ] {
            let filter = JsonFilter::read(pattern).expect(pattern);
            assert_eq!(filter.passes(EVENT), passes, "{pattern}");
        }
        let any = JsonFilter::read("{ $.a NOT EXISTS }").unwrap();
        assert!(!any.passes("plain text") && !any.passes("{broken"));
    }

    #[test]
    fn an_invalid_condition_is_refused() {
        let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(17), ")".repeat(17));
        for pattern in [
            "{}",
            "{ a = 1 }",
            "{ $. = 1 }",
            "{ $.a }",
            "{ $.a = }",
            "{ $.a < \"x\" }",
            "{ $.a = 1 && }",
            "{ ($.a = 1 }",
            "{ $.a = 1 } x",
            &deep,
        ] {
            assert!(JsonFilter::read(pattern).is_none(), "{pattern}");
        }
    }
}
