//! The outcome of a canary session: the function's response, a log line, and metrics.

use std::time::Duration;

use lambda_support::context::SystemContext;
use serde::{Serialize, Serializer};
use serde_json::json;
use session::SessionId;
use session::metrics::{self, Metric, Namespace, emf_line};
use session::ports::Clock as _;

use crate::error::CanaryError;

/// The outcome of a canary session. The times of steps that were not reached are absent.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The session, if one was created.
    pub(crate) session_id: Option<SessionId>,
    /// Time from POST to its response.
    #[serde(rename = "createMillis", serialize_with = "millis")]
    pub(crate) create: Option<Duration>,
    /// Time from the join, which is the start of PutMedia, to the first accepted sample.
    #[serde(rename = "firstSampleMillis", serialize_with = "millis")]
    pub(crate) first_sample: Option<Duration>,
    /// Time from the join to the acceptance of the last sample.
    #[serde(rename = "lastSampleMillis", serialize_with = "millis")]
    pub(crate) last_sample: Option<Duration>,
    /// Time from DELETE until the session is delivered completely.
    #[serde(rename = "endMillis", serialize_with = "millis")]
    pub(crate) end: Option<Duration>,
    /// Why the session failed; absent if it succeeded.
    #[serde(serialize_with = "text")]
    pub(crate) failure: Option<CanaryError>,
}

impl Report {
    /// Writes the log line and the metrics.
    pub(crate) fn publish(&self, environment: &str, ctx: &SystemContext) {
        let session = self.session_id.as_ref().map(SessionId::as_str);
        match &self.failure {
            None => tracing::info!(sessionId = session, "canary session delivered whole"),
            Some(error) => {
                tracing::error!(sessionId = session, error = %error, "canary session failed");
            }
        }
        let properties: Vec<_> = session.map(|id| ("sessionId", json!(id))).into_iter().collect();
        let values = self.values();
        let line = emf_line(Namespace::Canary, environment, &values, &properties, ctx.now_ms());
        lambda_support::metrics::emit(&line);
    }

    /// Returns the metrics.
    fn values(&self) -> Vec<(Metric, f64)> {
        let success = if self.failure.is_none() { 1.0 } else { 0.0 };
        let times = [
            (metrics::CANARY_CREATE_MILLIS, self.create),
            (metrics::CANARY_FIRST_SAMPLE_MILLIS, self.first_sample),
            (metrics::CANARY_LAST_SAMPLE_MILLIS, self.last_sample),
            (metrics::CANARY_END_MILLIS, self.end),
        ];
        let times = times.into_iter().filter_map(|(metric, time)| {
            time.map(|time| (metric, session::ports::millis(time) as f64))
        });
        [(metrics::CANARY_SUCCESS, success)].into_iter().chain(times).collect()
    }
}

fn millis<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(session::ports::millis).serialize(serializer)
}

fn text<S: Serializer>(error: &Option<CanaryError>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(ToString::to_string).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_heartbeat_of_0_with_the_times_up_to_it() {
        let failure = CanaryError::TimedOut { step: "delivery", limit: Duration::from_secs(60) };
        let create = Some(Duration::from_millis(3_100));
        let report = Report { create, failure: Some(failure), ..Report::default() };
        let values = [(metrics::CANARY_SUCCESS, 0.0), (metrics::CANARY_CREATE_MILLIS, 3_100.0)];
        assert_eq!(report.values(), values);
        let expected = json!({
            "sessionId": null, "createMillis": 3_100, "firstSampleMillis": null,
            "lastSampleMillis": null, "endMillis": null, "failure": "delivery took longer than 60 s",
        });
        assert_eq!(json!(report), expected);
        assert_eq!(Report::default().values(), [(metrics::CANARY_SUCCESS, 1.0)]);
    }
}
