//! The table of all metrics, and their CloudWatch embedded metric format.
//!
//! A Lambda function prints one JSON line in CloudWatch's embedded metric format (EMF), from which
//! CloudWatch Logs extracts the metrics. `infra/checks/test_alarms.py` checks the alarms against
//! [`ALL`]: each metric needs an alarm or a stated reason why it has none.
//!
//! Each metric is published twice: with the dimensions of its namespace, and with those plus
//! [`ENVIRONMENT`]. The first form follows the specification and covers the whole account. Alarms
//! use the second form, so that environments do not affect each other's alarms.
//!
//! `sessionId` is always a *property* (searchable in the logs), never a *dimension*: each new
//! dimension value creates a new metric, billed monthly.

use serde_json::{Map, Value, json};

/// The dimension that separates the metrics of different environments.
pub const ENVIRONMENT: &str = "Environment";

/// A CloudWatch namespace, which also determines the dimension of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// `SessionManagement`: the session API. No dimension.
    Sessions,
    /// `SessionManagement/Events`: event emission. Dimension `EventType=SessionStatusChange`.
    Events,
    /// `KVSStreamConsumer`: from the stream to the processor. No dimension.
    Consumer,
    /// `SessionCanary`: sessions of the canary. No dimension.
    Canary,
}

impl Namespace {
    /// Every namespace.
    pub const ALL: [Self; 4] = [Self::Sessions, Self::Events, Self::Consumer, Self::Canary];

    /// Returns the name in CloudWatch.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "SessionManagement",
            Self::Events => "SessionManagement/Events",
            Self::Consumer => "KVSStreamConsumer",
            Self::Canary => "SessionCanary",
        }
    }

    /// Returns name and value of the dimension that every metric of this namespace has, if any,
    /// apart from the environment.
    #[must_use]
    pub const fn dimension(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Events => Some(("EventType", "SessionStatusChange")),
            Self::Sessions | Self::Consumer | Self::Canary => None,
        }
    }
}

/// A CloudWatch unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A count, including samples.
    Count,
    /// A duration in ms.
    Milliseconds,
    /// A duration in s.
    Seconds,
    /// A share of 100.
    Percent,
}

impl Unit {
    /// Returns the name in CloudWatch.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
            Self::Percent => "Percent",
        }
    }
}

/// A metric; one row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Metric {
    /// The name in CloudWatch, for example `SessionCreationCount`.
    pub name: &'static str,
    /// The namespace, which determines the dimension.
    pub namespace: Namespace,
    /// The unit of its values.
    pub unit: Unit,
    /// Its meaning, in one sentence.
    pub description: &'static str,
}

macro_rules! table {
    ($($(#[doc = $description:literal])+
        $constant:ident: $namespace:ident, $name:literal, $unit:ident;)*) => {
        $(
            $(#[doc = $description])+
            pub const $constant: Metric = Metric {
                name: $name,
                namespace: Namespace::$namespace,
                unit: Unit::$unit,
                description: concat!($($description),+).trim_ascii(),
            };
        )*
        /// The table: every metric of the system.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

table! {
    /// Sessions created (response 201).
    SESSION_CREATION_COUNT: Sessions, "SessionCreationCount", Count;
    /// Session creations that failed (response 5xx).
    SESSION_CREATION_FAILURE_COUNT: Sessions, "SessionCreationFailureCount", Count;
    /// Time from request to response of a successful session creation.
    SESSION_CREATION_LATENCY: Sessions, "SessionCreationLatency", Milliseconds;
    /// Sessions created without a warm pair because none was ready; not written if `WarmPairs` is
    /// 0.
    WARM_PAIR_MISSES: Sessions, "WarmPairMisses", Count;
    /// Sessions ended by their speakers; repeated DELETE requests are not counted.
    SESSION_DELETION_COUNT: Sessions, "SessionDeletionCount", Count;
    /// Listeners that could not be notified in time that their session is ending or has ended.
    LISTENERS_NOT_NOTIFIED: Sessions, "ListenersNotNotified", Count;

    /// Status changes accepted by EventBridge.
    EVENT_EMISSION_SUCCESS: Events, "EventEmissionSuccess", Count;
    /// Failed attempts to emit a status change; the event stays pending.
    EVENT_EMISSION_FAILURE: Events, "EventEmissionFailure", Count;

    /// Streams with an unexpired lease, counted by the health check.
    ACTIVE_STREAMS: Consumer, "ActiveStreams", Count;
    /// Warm pairs that are ready, counted by the health check; not written if `WarmPairs` is 0.
    WARM_PAIRS_READY: Consumer, "WarmPairsReady", Count;
    /// Sessions ended by the health check.
    STREAMS_CLEANED_UP: Consumer, "StreamsCleanedUp", Count;
    /// The longest time from a fragment's first byte at KVS to its last at the consumer, or for
    /// which audio that was read waits for its delivery.
    STREAM_LAG_MILLIS: Consumer, "StreamLagMillis", Milliseconds;
    /// Audio accepted by the processor.
    AUDIO_SECONDS_DELIVERED: Consumer, "AudioSecondsDelivered", Seconds;
    /// Samples synthesized to fill short gaps: error correction, concealment or silence.
    SAMPLES_FILLED: Consumer, "SamplesFilled", Count;
    /// Samples not delivered: gaps too long to fill, and audio received while paused.
    SAMPLES_SKIPPED: Consumer, "SamplesSkipped", Count;
    /// Samples sent again by a producer after a reconnect; they are delivered once.
    SAMPLES_REPEATED: Consumer, "SamplesRepeated", Count;
    /// Samples not decoded because a fragment declared more audio than a KVS fragment can contain.
    SAMPLES_REFUSED: Consumer, "SamplesRefused", Count;
    /// Difference between the producer's timestamps and its sample count.
    CLOCK_DRIFT_MILLIS: Consumer, "ClockDriftMillis", Milliseconds;
    /// Samples that had expired from the stream before they were read.
    SAMPLES_UNAVAILABLE: Consumer, "SamplesUnavailable", Count;
    /// Time from the arrival of a chunk's last sample to its acceptance by the processor.
    DELIVERY_LATENCY_MILLIS: Consumer, "DeliveryLatencyMillis", Milliseconds;
    /// Hand-offs of a stream from one invocation to the next.
    HAND_OFFS: Consumer, "HandOffs", Count;
    /// Time during a hand-off in which no invocation delivered the stream.
    HAND_OFF_GAP_MILLIS: Consumer, "HandOffGapMillis", Milliseconds;
    /// Time until undelivered audio expires in KVS, reported below half of the retention period.
    RETENTION_RISK_MILLIS: Consumer, "RetentionRiskMillis", Milliseconds;
    /// Sessions whose checkpoint was written by a newer build; redeploy it.
    CHECKPOINT_UNREADABLE: Consumer, "CheckpointUnreadable", Count;
    /// Completed health checks; alarms when none completes for 15 minutes.
    HEALTH_CHECK_COUNT: Consumer, "HealthCheckCount", Count;
    /// Sessions that a worker runs, reported by each worker every minute.
    WORKER_SESSIONS: Consumer, "WorkerSessions", Count;
    /// 1 if a worker receives nothing because it has no capacity, else 0.
    WORKER_FULL: Consumer, "WorkerFull", Count;
    /// CPU that a worker uses.
    WORKER_CPU_PERCENT: Consumer, "WorkerCpuPercent", Percent;
    /// Memory that a worker uses.
    WORKER_MEMORY_PERCENT: Consumer, "WorkerMemoryPercent", Percent;
    /// Time from the end of a session to the delivery of its last sample.
    STOP_LATENCY_MILLIS: Consumer, "StopLatencyMillis", Milliseconds;
    /// Packets that could not be decoded; the gap is filled when decoding succeeds again.
    DECODE_ERRORS: Consumer, "DecodeErrors", Count;
    /// Streams rejected because their codec is not supported.
    UNSUPPORTED_CODEC: Consumer, "UnsupportedCodec", Count;
    /// Streams decoded only in part: HE-AAC, at its core rate.
    REDUCED_CODEC: Consumer, "ReducedCodec", Count;
    /// Times delivery to the processor was suspended after repeated failures.
    CIRCUIT_OPENED: Consumer, "CircuitOpened", Count;
    /// Events that are malformed or of an unknown version.
    INVALID_EVENT: Consumer, "InvalidEvent", Count;
    /// Chunks permanently rejected by the processor and sent to the dead-letter queue.
    CHUNKS_DEAD_LETTERED: Consumer, "ChunksDeadLettered", Count;

    /// 1 for a session of the canary that was delivered whole and closed, 0 for one that failed.
    CANARY_SUCCESS: Canary, "CanarySuccess", Count;
    /// Time from the canary's POST to its response.
    CANARY_CREATE_MILLIS: Canary, "CanaryCreateMillis", Milliseconds;
    /// Time from the canary's join, which is the start of PutMedia, to its first accepted sample.
    CANARY_FIRST_SAMPLE_MILLIS: Canary, "CanaryFirstSampleMillis", Milliseconds;
    /// Time from the canary's join to the acceptance of its last sample, 4 s of speech included.
    CANARY_LAST_SAMPLE_MILLIS: Canary, "CanaryLastSampleMillis", Milliseconds;
    /// Time from the canary's DELETE until its session was delivered completely.
    CANARY_END_MILLIS: Canary, "CanaryEndMillis", Milliseconds;
}

/// Formats the values of one namespace as an EMF line, without the line break.
///
/// `environment` is the value of the dimension [`ENVIRONMENT`]. `properties` are added for
/// searching in the logs (`sessionId`, …); a property named like a metric, a dimension or `_aws`
/// is ignored. A metric given several times becomes a list of values. Ignored as well: non-finite
/// values, which JSON cannot represent, and metrics of another namespace.
///
/// The format is defined in the CloudWatch user guide, "Specification: Embedded metric format".
#[must_use]
pub fn emf_line(
    namespace: Namespace,
    environment: &str,
    values: &[(Metric, f64)],
    properties: &[(&str, Value)],
    timestamp_ms: u64,
) -> String {
    let mut names: Vec<Value> = Vec::new();
    let mut members: Map<String, Value> = Map::new();
    for (metric, value) in values {
        if metric.namespace != namespace || !value.is_finite() {
            continue;
        }
        match members.get_mut(metric.name) {
            None => {
                names.push(json!({"Name": metric.name, "Unit": metric.unit.as_str()}));
                members.insert(metric.name.to_owned(), number(*value));
            }
            Some(Value::Array(list)) => list.push(number(*value)),
            Some(single) => *single = json!([single.take(), number(*value)]),
        }
    }
    let dimension = namespace.dimension();
    if let Some((name, value)) = dimension {
        members.insert(name.to_owned(), value.into());
    }
    members.insert(ENVIRONMENT.to_owned(), environment.into());
    let of_the_account: Vec<&str> = dimension.iter().map(|(name, _)| *name).collect();
    let of_the_environment = [of_the_account.as_slice(), &[ENVIRONMENT]].concat();
    let directive = json!({
        "Timestamp": timestamp_ms,
        "CloudWatchMetrics": [{
            "Namespace": namespace.as_str(),
            "Dimensions": [of_the_account, of_the_environment],
            "Metrics": names,
        }],
    });
    members.insert("_aws".to_owned(), directive);
    for (name, value) in properties {
        members.entry(*name).or_insert_with(|| value.clone());
    }
    Value::Object(members).to_string()
}

/// Formats whole numbers without a fraction.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: integers up to here are exact in f64.
    if value.fract() == 0.0 && value.abs() <= EXACT { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Value {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn the_table_has_the_names_of_the_specification() {
        for (namespace, name) in [
            ("SessionManagement", "SessionCreationCount"),
            ("SessionManagement", "SessionDeletionCount"),
            ("SessionManagement/Events", "EventEmissionSuccess"),
            ("KVSStreamConsumer", "ActiveStreams"),
            ("KVSStreamConsumer", "StreamsCleanedUp"),
        ] {
            let found = ALL.iter().any(|m| m.name == name && m.namespace.as_str() == namespace);
            assert!(found, "{namespace} {name}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn events_have_their_dimension_and_the_session_is_only_a_property() {
        let line = emf_line(
            Namespace::Events,
            "dev",
            &[(EVENT_EMISSION_SUCCESS, 1.0)],
            &[("sessionId", json!("blessed-shepherd-123"))],
            1_732_540_620_000,
        );
        assert_eq!(
            parsed(&line),
            json!({
                "_aws": {
                    "Timestamp": 1_732_540_620_000_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "SessionManagement/Events",
                        "Dimensions": [["EventType"], ["EventType", "Environment"]],
                        "Metrics": [{"Name": "EventEmissionSuccess", "Unit": "Count"}],
                    }],
                },
                "EventType": "SessionStatusChange",
                "Environment": "dev",
                "EventEmissionSuccess": 1,
                "sessionId": "blessed-shepherd-123",
            })
        );
    }

    #[test]
    fn metrics_without_dimension_name_the_empty_set_and_the_environment() {
        let line = emf_line(Namespace::Consumer, "dev", &[(STREAM_LAG_MILLIS, 12.5)], &[], 7);
        let line = parsed(&line);
        let dimensions = &line["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(*dimensions, json!([[], ["Environment"]]));
        assert_eq!(line["Environment"], "dev");
        assert_eq!(line["StreamLagMillis"], 12.5);
    }

    #[test]
    fn repeated_values_become_a_list_and_the_metric_is_named_once() {
        let values = [(HAND_OFFS, 1.0), (DELIVERY_LATENCY_MILLIS, 3.0), (HAND_OFFS, 2.0)];
        let line = parsed(&emf_line(Namespace::Consumer, "dev", &values, &[], 7));
        assert_eq!(line["HandOffs"], json!([1, 2]));
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn foreign_metrics_and_reserved_properties_are_ignored() {
        let line = emf_line(
            Namespace::Sessions,
            "dev",
            &[(SESSION_CREATION_COUNT, f64::NAN), (ACTIVE_STREAMS, 1.0)],
            &[("_aws", json!("no")), (ENVIRONMENT, json!("no"))],
            7,
        );
        let line = parsed(&line);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"], json!([]));
        assert_eq!(line.as_object().unwrap().len(), 2);
        assert_eq!(line[ENVIRONMENT], "dev");
    }
}
