//! `logs`: the lines of one session, of all functions and workers in the order of their times.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Context;
use crate::aws::{LogEvent, LogQuery};
use crate::cli::Logs;
use crate::error::Error;
use crate::output::{line, note};
use crate::times::shown;

/// Time between two looks at the logs.
const POLL: Duration = Duration::from_secs(2);
/// Lines of other functions may arrive this late, ms: with --follow this time is read again.
const LATE_MS: i64 = 10_000;

/// One log, page by page.
struct Log {
    query: LogQuery,
    /// Events that were read and not printed.
    events: VecDeque<LogEvent>,
    /// Whether there are more pages.
    more: bool,
    /// With --follow, the ids and times of the latest events that were printed.
    printed: HashMap<String, i64>,
    newest: i64,
}

impl Log {
    fn new(group: String, pattern: &str, start: i64) -> Self {
        let query = LogQuery { group, pattern: pattern.to_owned(), start, token: None };
        let (events, printed) = (VecDeque::new(), HashMap::new());
        Self { query, events, more: true, printed, newest: start }
    }

    /// Reads pages until there is an event that was not printed, or no page.
    async fn fill(&mut self, context: &Context) -> Result<(), Error> {
        while self.events.is_empty() && self.more {
            let page = context.aws.log_page(&self.query).await?;
            let is_new = |event: &LogEvent| !self.printed.contains_key(&event.id);
            self.events = page.events.into_iter().filter(is_new).collect();
            self.more = page.next.is_some();
            self.query.token = page.next;
        }
        Ok(())
    }

    /// Starts again at the latest times.
    fn rewind(&mut self) {
        let start = (self.newest - LATE_MS).max(self.query.start);
        (self.query.start, self.more) = (start, true);
        self.printed.retain(|_, time| *time >= start);
    }
}

/// Prints the lines of a session.
pub(super) async fn show(context: &Context, options: &Logs) -> Result<(), Error> {
    let pattern = format!("{{ $.sessionId = \"{}\" }}", options.id);
    let groups = context.env.log_groups().into_iter();
    let mut logs: Vec<Log> = groups.map(|group| Log::new(group, &pattern, options.since)).collect();
    let mut known = false;
    loop {
        let printed = print_in_order(context, &mut logs, options.follow).await?;
        if !printed && !known {
            context.session(&options.id).await?;
            note("no function has a line of it in this time");
        }
        known = true;
        if !options.follow {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
        logs.iter_mut().for_each(Log::rewind);
    }
}

/// Prints what there is: always the oldest of the logs' next events. Returns whether there was any.
async fn print_in_order(context: &Context, logs: &mut [Log], keep: bool) -> Result<bool, Error> {
    let mut printed = false;
    loop {
        for log in logs.iter_mut() {
            log.fill(context).await?;
        }
        let next = logs.iter_mut().filter(|log| !log.events.is_empty());
        let next = next.min_by_key(|log| log.events.front().map(|event| event.timestamp));
        let Some(log) = next else { return Ok(printed) };
        let Some(event) = log.events.pop_front() else { return Ok(printed) };
        printed = true;
        // The name of the function, or of the workers.
        let function = log.query.group.rsplit('/').next().unwrap_or_default();
        line(&match context.json {
            true => object(function, &event).to_string(),
            false => text(function, &event),
        })?;
        if keep {
            log.newest = log.newest.max(event.timestamp);
            log.printed.insert(event.id, event.timestamp);
        }
    }
}

/// Returns a line as the function wrote it, with its function and time.
fn object(function: &str, event: &LogEvent) -> Value {
    let plain = || Map::from_iter([("message".to_owned(), json!(event.message))]);
    let mut members: Map<String, Value> =
        serde_json::from_str(&event.message).unwrap_or_else(|_| plain());
    members.insert("function".to_owned(), json!(function));
    members.entry("timestamp").or_insert_with(|| json!(shown(event.timestamp)));
    Value::Object(members)
}

/// Returns a line as text: time, level, function, message and the other members, without metrics
/// that are 0.
fn text(function: &str, event: &LogEvent) -> String {
    let at = shown(event.timestamp);
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(&event.message) else {
        return format!("{at}  {:5}  {function}  {}", "", event.message);
    };
    let word = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_metrics = members.contains_key("_aws");
    let level = if is_metrics { "EMF" } else { word("level") };
    let rest = members.iter().filter(|(name, value)| {
        let known = ["timestamp", "level", "message", "_aws", "sessionId"].contains(&name.as_str());
        let is_zero = is_metrics && value.as_f64() == Some(0.0);
        !known && !is_zero
    });
    let rest = rest.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    let message = Some(word("message").to_owned()).filter(|message| !message.is_empty());
    let words = message.into_iter().chain(rest).collect::<Vec<_>>().join("  ");
    format!("{at}  {level:5}  {function}  {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str) -> LogEvent {
        LogEvent { id: "1".into(), timestamp: 1_732_540_620_007, message: message.into() }
    }

    #[test]
    fn a_line_is_shown_with_its_time_and_function() {
        let logged =
            event(r#"{"timestamp":"x","level":"INFO","message":"a","sessionId":"s","n":1}"#);
        assert_eq!(text("f-dev", &logged), "2024-11-25T13:17:00.007Z  INFO   f-dev  a  n=1");
        let metrics = event(r#"{"_aws":{},"A":0,"B":2}"#);
        assert_eq!(text("f-dev", &metrics), "2024-11-25T13:17:00.007Z  EMF    f-dev  B=2");
        assert!(text("f-dev", &event("plain")).ends_with("f-dev  plain"));
        assert_eq!(object("f-dev", &event("plain"))["message"], "plain");
        assert_eq!(object("f-dev", &logged)["timestamp"], "x");
    }
}
