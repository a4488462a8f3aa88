//! Writes the numbers of a stream as metrics, by the names of the one table.

use relay::ports::Meter;
use relay::{Clock, Snapshot, SystemClock};
use serde_json::{Value, json};
use session::SessionId;
use session::metrics::{self as table, Metric, Namespace, emf_line};

/// Embedded metrics on stdout, of one environment.
#[derive(Debug)]
pub(crate) struct Emf {
    environment: String,
}

impl Emf {
    pub(crate) fn new(environment: String) -> Self {
        Self { environment }
    }

    /// Writes one metric that belongs to no stream.
    pub(crate) fn count(&self, metric: Metric, value: u64) {
        self.write(&[(metric, value as f64)], &[]);
    }

    fn write(&self, values: &[(Metric, f64)], properties: &[(&str, Value)]) {
        let now = SystemClock.now_ms();
        let line = emf_line(Namespace::Consumer, &self.environment, values, properties, now);
        lambda_support::metrics::emit(&line);
    }
}

impl Meter for Emf {
    fn emit(&self, session: &SessionId, snapshot: &Snapshot) {
        self.write(&values(snapshot), &[("sessionId", json!(session))]);
    }
}

fn values(snapshot: &Snapshot) -> Vec<(Metric, f64)> {
    let count = |metric, value: u64| (metric, value as f64);
    let seconds = snapshot.delivered as f64 / f64::from(session::audio::SAMPLE_RATE);
    let mut values = vec![
        (table::AUDIO_SECONDS_DELIVERED, seconds),
        count(table::SAMPLES_FILLED, snapshot.filled),
        count(table::SAMPLES_SKIPPED, snapshot.skipped),
        count(table::SAMPLES_REPEATED, snapshot.repeated),
        count(table::SAMPLES_REFUSED, snapshot.refused),
        count(table::SAMPLES_UNAVAILABLE, snapshot.unavailable),
        count(table::HAND_OFFS, snapshot.hand_offs),
        count(table::DECODE_ERRORS, snapshot.decode_errors),
        count(table::UNSUPPORTED_CODEC, snapshot.unsupported_codec),
        count(table::REDUCED_CODEC, snapshot.reduced_codec),
        count(table::CIRCUIT_OPENED, snapshot.circuit_opened),
        count(table::CHUNKS_DEAD_LETTERED, snapshot.dead_lettered),
    ];
    let optional = [
        (table::STREAM_LAG_MILLIS, snapshot.lag_millis),
        (table::HAND_OFF_GAP_MILLIS, snapshot.hand_off_gap_millis),
        (table::STOP_LATENCY_MILLIS, snapshot.stop_latency_millis),
        (table::RETENTION_RISK_MILLIS, snapshot.retention_risk_millis),
    ];
    values.extend(optional.iter().filter_map(|(metric, value)| Some(count(*metric, (*value)?))));
    let drift = snapshot.clock_drift_millis;
    values.extend(drift.map(|millis| (table::CLOCK_DRIFT_MILLIS, millis as f64)));
    let latencies = snapshot.delivery_latency_millis.iter();
    values.extend(latencies.map(|millis| count(table::DELIVERY_LATENCY_MILLIS, *millis)));
    values
}
