//! Clock, random source, logs, metrics and traces of a Lambda function.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use session::{
    DomainEvent, Severity,
    metrics::{Namespace, emf_line},
    ports::{Clock, Random, Telemetry, Tracer, Work, millis},
};
use tokio::time::Instant;

use crate::trace::Subsegment;

/// Implements the context of the use cases: clock, random source, telemetry and traces.
#[derive(Clone, Debug)]
pub struct SystemContext {
    environment: Arc<str>,
}

impl SystemContext {
    /// Creates the context for a function of this environment, a dimension of its metrics.
    pub fn new(environment: &str) -> Self {
        Self { environment: environment.into() }
    }
}

impl Clock for SystemContext {
    fn now_ms(&self) -> u64 {
        millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    async fn sleep_until(&self, instant: Instant) {
        tokio::time::sleep_until(instant).await;
    }
}

impl Random for SystemContext {
    fn next_u64(&self) -> u64 {
        rand::random()
    }
}

impl Telemetry for SystemContext {
    fn record(&self, event: &DomainEvent<'_>) {
        log(event);
        for line in metric_lines(event, &self.environment, self.now_ms()) {
            crate::metrics::emit(&line);
        }
    }
}

impl Tracer for SystemContext {
    fn traced<T: Send, E: Display + Send>(
        &self,
        work: Work<'_>,
        future: impl Future<Output = Result<T, E>> + Send,
    ) -> impl Future<Output = Result<T, E>> + Send {
        let subsegment =
            Subsegment::begin(work.name).annotated("sessionId", work.session_id.as_str());
        let subsegment = match work.epoch {
            Some(epoch) => subsegment.annotated("epoch", epoch),
            None => subsegment,
        };
        subsegment.run_result(future)
    }
}

/// Returns the time until an invocation's deadline, both in Unix ms; `None` if it has passed, which
/// is how `cargo lambda watch` sends an unknown deadline.
pub fn time_left(deadline_ms: u64, now_ms: u64) -> Option<Duration> {
    deadline_ms.checked_sub(now_ms).filter(|left| *left > 0).map(Duration::from_millis)
}

/// Writes one log line, with `sessionId` and `event_detail` as separate fields.
fn log(event: &DomainEvent<'_>) {
    let session_id = event.session_id().map(|id| id.as_str());
    let event_detail = event.event_detail();
    match event.severity() {
        Severity::Info => tracing::info!(sessionId = session_id, event_detail, "{event}"),
        Severity::Warning => tracing::warn!(sessionId = session_id, event_detail, "{event}"),
        Severity::Error => tracing::error!(sessionId = session_id, event_detail, "{event}"),
    }
}

/// Returns the metrics of an event, as one EMF line per namespace.
fn metric_lines(event: &DomainEvent<'_>, environment: &str, now_ms: u64) -> Vec<String> {
    let metrics = event.metrics();
    let properties: Vec<_> =
        event.session_id().map(|id| ("sessionId", json!(id))).into_iter().collect();
    Namespace::ALL
        .into_iter()
        .filter(|namespace| metrics.iter().any(|(metric, _)| metric.namespace == *namespace))
        .map(|namespace| emf_line(namespace, environment, &metrics, &properties, now_ms))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::{ErrorKind, PairUse, PortError, event::EventStatus};
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    #[test]
    fn a_deadline_in_the_past_is_no_deadline() {
        assert_eq!(time_left(600_000, 1_700_000_000_000), None);
        assert_eq!(time_left(1_000, 1_000), None);
        assert_eq!(time_left(31_000, 1_000), Some(Duration::from_secs(30)));
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the log line of `event`, formatted as `logging` does.
    fn logged(event: &DomainEvent<'_>) -> serde_json::Value {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || log(event));
        let bytes = sink.0.lock().unwrap().clone();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn an_emitted_event_is_logged_with_the_fields_of_the_specification() {
        let id = &"blessed-shepherd-123".parse().unwrap();
        let detail = r#"{"sessionId":"blessed-shepherd-123"}"#;
        let line = logged(&DomainEvent::EventEmitted {
            session_id: id,
            status: EventStatus::Active,
            detail,
        });
        assert_eq!(line["message"], "EventBridge event emitted for session creation");
        assert_eq!(line["sessionId"], "blessed-shepherd-123");
        assert_eq!(line["event_detail"], detail);
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_failed_emission_is_an_error_line_without_the_detail() {
        let id = &"blessed-shepherd-123".parse().unwrap();
        let cause = &PortError::new("PutEvents", ErrorKind::Throttled, "ThrottlingException: slow");
        let line = logged(&DomainEvent::EventFailed { session_id: id, cause });
        let text = "Failed to emit EventBridge event: PutEvents: ThrottlingException: slow";
        assert_eq!(line["message"], text);
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line.get("event_detail"), None);
    }

    #[test]
    fn a_line_break_in_a_message_does_not_make_a_second_line() {
        let id = &"a-b-1".parse().unwrap();
        let cause = &PortError::new("PutEvents", ErrorKind::Denied, "x\n{\"level\":\"INFO\"}\r\n");
        let line = logged(&DomainEvent::EventFailed { session_id: id, cause });
        assert_eq!(line["level"], "ERROR", "the whole output is one JSON object");
    }

    #[test]
    fn a_created_session_is_one_metric_line_with_the_session_as_property() {
        let id = &"a-b-1".parse().unwrap();
        let pair = PairUse::Off;
        let event = DomainEvent::SessionCreated { session_id: id, latency_ms: 812, pair };
        let lines = metric_lines(&event, "dev", 7);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["SessionCreationCount"], 1);
        assert_eq!(line["SessionCreationLatency"], 812);
        assert_eq!(line["sessionId"], "a-b-1");
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][1], json!(["Environment"]));
        assert_eq!(line["Environment"], "dev");
    }
}
