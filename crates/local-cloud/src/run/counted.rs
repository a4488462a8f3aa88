//! The samples of a session that the consumer counted as not delivered, from the metrics in its
//! log.

use serde::Serialize;
use serde_json::Value;

/// Samples that were not delivered, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// Gaps too long to fill, and audio sent while paused.
    pub skipped_samples: u64,
    /// Samples that the producer sent again after a reconnect.
    pub repeated_samples: u64,
    /// Samples beyond what a fragment can hold.
    pub refused_samples: u64,
    /// Samples that the stream no longer held.
    pub unavailable_samples: u64,
    /// Chunks that the processor rejected and the consumer sent to the dead-letter queue.
    pub dead_lettered_chunks: u64,
}

impl Counted {
    /// Adds up the lines of the embedded metric format in `log` that contain the session's id.
    pub(super) fn of(session_id: &str, log: &str) -> Self {
        let mut counted = Self::default();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for line in lines.filter(|line| line["sessionId"] == session_id && line["_aws"].is_object())
        {
            counted.skipped_samples += sum(&line["SamplesSkipped"]);
            counted.repeated_samples += sum(&line["SamplesRepeated"]);
            counted.refused_samples += sum(&line["SamplesRefused"]);
            counted.unavailable_samples += sum(&line["SamplesUnavailable"]);
            counted.dead_lettered_chunks += sum(&line["ChunksDeadLettered"]);
        }
        counted
    }
}

/// Returns the sum of a metric's value or list of values.
fn sum(value: &Value) -> u64 {
    let list = value.as_array().map(Vec::as_slice);
    list.unwrap_or(std::slice::from_ref(value)).iter().filter_map(Value::as_u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_metrics_are_added_up() {
        let log = r#"START
{"_aws":{},"sessionId":"a","SamplesSkipped":5,"SamplesRepeated":[1,2]}
{"_aws":{},"sessionId":"b","SamplesSkipped":100}
{"sessionId":"a","SamplesSkipped":100}
{"_aws":{},"sessionId":"a","SamplesSkipped":2,"SamplesRefused":9}"#;
        let counted = Counted {
            skipped_samples: 7,
            repeated_samples: 3,
            refused_samples: 9,
            unavailable_samples: 0,
            dead_lettered_chunks: 0,
        };
        assert_eq!(Counted::of("a", log), counted);
    }
}
