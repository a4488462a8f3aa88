//! What happens in the cloud, as server-sent events for the page at `/`. The data of each event is
//! JSON.
//!
//! `GET /_local/live`:
//!
//! - `sessions`: `{sessions: […]}`: all sessions with their delivery; null without the tables.
//!   Sent on a change.
//! - `bus`: `{number, receivedAt, rules, event}`, as in `/_local/events`: the last 100, then each.
//! - `faults`: `{faults: […]}`, as `/_local/faults`. Sent on a change.
//! - `log`: `{function, line}`: a line of a function's log: the last of each log, then each.
//!
//! `GET /_local/live/SESSION`, 404 if there is no such session:
//!
//! - `figures`: as `/_local/deliveries/SESSION`. Sent on a change.
//! - `levels`: the audio that was accepted (`levels.rs`): the last minute, then all.
//! - `words`: as `/_local/words/SESSION`, with the lines that have changed: all, then on a change.
//!
//! The state is read twice a second, and only while a client is connected.

mod levels;
mod log_tail;
mod session_feed;
mod sessions;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Refused, has_media, is_plain, not_found};
use crate::services::Services;
use log_tail::LogTail;
use session_feed::SessionFeed;

/// How often the state is read, in real time.
const EVERY: Duration = Duration::from_millis(500);
/// The number of past events of the bus that a new client gets.
const PAST_EVENTS: u64 = 100;

/// Answers with the events of the whole cloud, without an end.
pub(super) async fn cloud(State(services): State<Arc<Services>>) -> Response {
    stream(CloudFeed::new(services))
}

/// Answers with the events of one session, without an end.
pub(super) async fn session(
    State(services): State<Arc<Services>>,
    Path(session): Path<String>,
) -> Result<Response, Refused> {
    let exists = has_media(&services, &session) || sessions::exists(&services, &session).await;
    match is_plain(&session) && exists {
        true => Ok(stream(SessionFeed::new(services, session))),
        false => Err(not_found("no session with such an id was seen here")),
    }
}

/// A source of events for one client.
trait Feed: Send + 'static {
    /// Returns the events since the last call.
    fn read(&mut self) -> impl Future<Output = VecDeque<Event>> + Send;
}

/// Answers with the events of a feed, which is read at once and then twice a second.
fn stream<F: Feed>(feed: F) -> Response {
    let first = (feed, VecDeque::new(), Duration::ZERO);
    let events =
        futures_util::stream::unfold(first, |(mut feed, mut ready, mut wait)| async move {
            loop {
                if let Some(event) = ready.pop_front() {
                    return Some((Ok::<_, Infallible>(event), (feed, ready, wait)));
                }
                tokio::time::sleep(wait).await;
                ready = feed.read().await;
                wait = EVERY;
            }
        });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// The events of the whole cloud.
struct CloudFeed {
    services: Arc<Services>,
    sessions: LastSent,
    faults: LastSent,
    /// The number of the last event of the bus that was sent.
    bus: u64,
    logs: Vec<LogTail>,
}

impl CloudFeed {
    fn new(services: Arc<Services>) -> Self {
        let last = services.events.after(u64::MAX)["last"].as_u64().unwrap_or_default();
        Self {
            sessions: LastSent::default(),
            faults: LastSent::default(),
            bus: last.saturating_sub(PAST_EVENTS),
            logs: Vec::new(),
            services,
        }
    }

    /// Follows the logs of functions and tasks that are not followed yet: a deployment may add
    /// tasks.
    fn follow_logs(&mut self) {
        let template = self.services.template();
        let tasks = template.tasks.iter().map(|task| &task.package);
        for log in template.functions.iter().map(|function| &function.log).chain(tasks) {
            if !self.logs.iter().any(|tail| tail.package() == log) {
                self.logs.push(LogTail::new(&self.services.logs, log));
            }
        }
    }
}

impl Feed for CloudFeed {
    async fn read(&mut self) -> VecDeque<Event> {
        let mut ready = VecDeque::new();
        let sessions = json!({ "sessions": sessions::all(&self.services).await });
        let faults = json!({ "faults": self.services.faults.list() });
        ready.extend(self.sessions.changed("sessions", &sessions));
        ready.extend(self.faults.changed("faults", &faults));
        let later = self.services.events.after(self.bus);
        self.bus = later["last"].as_u64().unwrap_or(self.bus);
        let entries = later["events"].as_array().into_iter().flatten();
        ready.extend(entries.map(|entry| event("bus", entry)));
        self.follow_logs();
        for tail in &mut self.logs {
            for line in tail.read().await {
                let line = json!({ "function": tail.package(), "line": line });
                ready.push_back(event("log", &line));
            }
        }
        ready
    }
}

/// The value that was sent last, to send only changes.
#[derive(Debug, Default)]
struct LastSent(Option<Value>);

impl LastSent {
    /// Keeps a value. Returns whether it differs from the one before.
    fn is_other(&mut self, value: &Value) -> bool {
        let other = self.0.as_ref() != Some(value);
        self.0 = Some(value.clone());
        other
    }

    fn changed(&mut self, name: &str, value: &Value) -> Option<Event> {
        self.is_other(value).then(|| event(name, value))
    }
}

fn event(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_sent_once() {
        let mut last = LastSent::default();
        assert!(last.changed("faults", &json!([])).is_some());
        assert!(last.changed("faults", &json!([])).is_none());
        assert!(last.changed("faults", &json!([1])).is_some());
    }
}
