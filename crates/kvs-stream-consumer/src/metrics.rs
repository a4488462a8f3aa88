//! Writes a stream's metrics under the names of [`session::metrics`].

use lambda_support::context::SystemContext;
use relay::Snapshot;
use relay::ports::MetricsSink;
use serde_json::{Value, json};
use session::SessionId;
use session::metrics::{self, Metric, Namespace, emf_line};
use session::ports::Clock as _;

/// Writes embedded metrics of one environment to stdout.
#[derive(Debug)]
pub(crate) struct Emf {
    environment: String,
    ctx: SystemContext,
}

impl Emf {
    pub(crate) const fn new(environment: String, ctx: SystemContext) -> Self {
        Self { environment, ctx }
    }

    /// Writes one metric that does not belong to a stream.
    pub(crate) fn count(&self, metric: Metric, value: u64) {
        self.write(&[(metric, value as f64)], &[]);
    }

    pub(crate) fn write(&self, values: &[(Metric, f64)], properties: &[(&str, Value)]) {
        let now = self.ctx.now_ms();
        let line = emf_line(Namespace::Consumer, &self.environment, values, properties, now);
        lambda_support::metrics::emit(&line);
    }
}

impl MetricsSink for Emf {
    fn emit(&self, session: &SessionId, snapshot: &Snapshot) {
        self.write(&values(snapshot), &[("sessionId", json!(session))]);
    }
}

fn values(snapshot: &Snapshot) -> Vec<(Metric, f64)> {
    let count = |metric, value: u64| (metric, value as f64);
    let Snapshot { totals, observed, retention_risk_millis } = snapshot;
    let seconds = totals.delivered as f64 / f64::from(session::audio::SAMPLE_RATE);
    let mut values = vec![
        (metrics::AUDIO_SECONDS_DELIVERED, seconds),
        count(metrics::SAMPLES_FILLED, totals.filled),
        count(metrics::SAMPLES_SKIPPED, totals.gap + totals.paused),
        count(metrics::SAMPLES_REPEATED, totals.repeated),
        count(metrics::SAMPLES_REFUSED, totals.refused),
        count(metrics::SAMPLES_UNAVAILABLE, totals.unavailable),
        count(metrics::HAND_OFFS, totals.hand_offs),
        count(metrics::DECODE_ERRORS, observed.decode_errors),
        count(metrics::UNSUPPORTED_CODEC, observed.unsupported_codec),
        count(metrics::REDUCED_CODEC, observed.reduced_codec),
        count(metrics::CIRCUIT_OPENED, observed.circuit_opened),
        count(metrics::CHUNKS_DEAD_LETTERED, totals.dead_letters),
    ];
    let optional = [
        (metrics::STREAM_LAG_MILLIS, observed.lag_millis),
        (metrics::HAND_OFF_GAP_MILLIS, observed.hand_off_gap_millis),
        (metrics::STOP_LATENCY_MILLIS, observed.stop_latency_millis),
        (metrics::RETENTION_RISK_MILLIS, *retention_risk_millis),
    ];
    values.extend(optional.iter().filter_map(|(metric, value)| Some(count(*metric, (*value)?))));
    let drift = observed.clock_drift_millis;
    values.extend(drift.map(|millis| (metrics::CLOCK_DRIFT_MILLIS, millis as f64)));
    let latencies = observed.delivery_latency_millis.iter();
    values.extend(latencies.map(|millis| count(metrics::DELIVERY_LATENCY_MILLIS, *millis)));
    values
}
