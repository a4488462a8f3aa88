//! One line of a function's log: JSON with `timestamp`, `level` and `message`, metrics in the
//! embedded metric format, or any other text.

use serde_json::{Map, Value, json};

use crate::inspect::clock_time;
use local_aws::clock::rfc3339;

/// A line of a function's log.
#[derive(Debug)]
pub(super) struct Line {
    function: String,
    /// The line as written.
    pub(super) text: String,
    /// Its members, if it is a JSON object.
    members: Option<Map<String, Value>>,
    /// Its time as RFC 3339, by which lines of several functions are sorted.
    pub(super) at: String,
}

impl Line {
    /// Parses a line of `function`. A line without a time gets `before`.
    pub(super) fn new(function: &str, text: &str, before: &str) -> Self {
        let members = serde_json::from_str::<Map<String, Value>>(text).ok();
        let at = members.as_ref().and_then(time).unwrap_or_else(|| before.to_owned());
        Self { function: function.to_owned(), text: text.to_owned(), members, at }
    }

    /// Returns the line as one JSON object, with the member `function`.
    pub(super) fn json(&self) -> String {
        let mut members = self
            .members
            .clone()
            .unwrap_or_else(|| Map::from_iter([("message".to_owned(), json!(self.text))]));
        members.insert("function".to_owned(), json!(self.function));
        Value::from(members).to_string()
    }

    /// Returns the line as text: time, level, function, message, and the other members. Left out:
    /// metrics that are 0, and the session's id if only its lines are shown.
    pub(super) fn text(&self, session: Option<&str>) -> String {
        let at = clock_time(&self.at);
        let Some(members) = &self.members else {
            return format!("{at:12}  {:5}  {:20}  {}", "", self.function, self.text);
        };
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_metrics = members.contains_key("_aws");
        let level = if is_metrics { "EMF" } else { text("level") };
        let rest = members.iter().filter(|(name, value)| {
            let shown = ["timestamp", "level", "message", "_aws"].contains(&name.as_str());
            let same = *name == "sessionId" && session.is_some() && value.as_str() == session;
            let is_zero = is_metrics && value.as_f64() == Some(0.0);
            !shown && !same && !is_zero
        });
        let rest = rest.map(|(name, value)| format!("{name}={}", bare(value)));
        let message = Some(text("message").to_owned()).filter(|message| !message.is_empty());
        let words = message.into_iter().chain(rest).collect::<Vec<_>>().join("  ");
        format!("{at:12}  {level:5}  {:20}  {words}", self.function)
    }
}

/// Returns the time of a log line or of metrics. Python's `logging` writes `DATE TIME,123`.
fn time(members: &Map<String, Value>) -> Option<String> {
    let timestamp = members.get("timestamp").and_then(Value::as_str);
    let timestamp = timestamp.map(|text| text.replacen(' ', "T", 1).replacen(',', ".", 1));
    let of_metrics = || members.get("_aws")?.get("Timestamp")?.as_i64().map(rfc3339);
    timestamp.or_else(of_metrics)
}

/// Returns a value without the quotation marks of a text.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns whether a line contains a session's id, not as the start of a longer one.
pub(super) fn names(line: &str, session: &str) -> bool {
    line.match_indices(session).any(|(at, _)| {
        let next = line[at + session.len()..].chars().next();
        !next.is_some_and(|next| next.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::new("kvs-stream-consumer", text, "2026-11-29T01:56:22.000Z")
    }

    #[test]
    fn a_log_line_shows_its_message_and_members() {
        let line = line(
            r#"{"timestamp":"2026-11-29T01:56:22.164234Z","level":"INFO","message":"lease acquired","sessionId":"a-b-1","epoch":1}"#,
        );
        let expected = "01:56:22.164  INFO   kvs-stream-consumer   lease acquired  epoch=1";
        assert_eq!(line.text(Some("a-b-1")), expected);
        assert!(line.text(None).contains("sessionId=a-b-1"));
        let json: Value = serde_json::from_str(&line.json()).unwrap();
        assert_eq!((&json["function"], &json["epoch"]), (&json!("kvs-stream-consumer"), &json!(1)));
    }

    #[test]
    fn metrics_show_their_values_and_have_their_time() {
        let line = line(
            r#"{"_aws":{"Timestamp":1732540620007},"sessionId":"a-b-1","Chunks":[1,2],"Lost":0}"#,
        );
        let expected = "13:17:00.007  EMF    kvs-stream-consumer   Chunks=[1,2]";
        assert_eq!(line.text(Some("a-b-1")), expected);
    }

    #[test]
    fn times_of_python_sort_with_the_others() {
        let python = line(r#"{"timestamp":"2026-11-29 01:56:22,500","message":"a"}"#);
        assert_eq!(python.at, "2026-11-29T01:56:22.500");
    }

    #[test]
    fn text_that_is_not_json_is_shown_as_it_is() {
        let line = line("Traceback: a-b-1");
        let expected = "01:56:22.000         kvs-stream-consumer   Traceback: a-b-1";
        assert_eq!(line.text(None), expected);
        let expected = json!({"message": "Traceback: a-b-1", "function": "kvs-stream-consumer"});
        assert_eq!(line.json(), expected.to_string());
    }

    #[test]
    fn a_session_is_not_the_start_of_another() {
        assert!(names("session=a-b-1, status=ACTIVE", "a-b-1"));
        assert!(names("session-a-b-1", "a-b-1"));
        assert!(names("a-b-12 a-b-1", "a-b-1"));
        assert!(!names("a-b-12", "a-b-1"));
    }
}
