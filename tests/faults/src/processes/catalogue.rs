//! The faults of runs with real processes.
//!
//! - `runs`: consumers that are killed, time out, freeze, or cannot hand off.
//! - `get_media`: GetMedia that fails or delivers damaged media.
//! - `processor`: a processor that fails, is slow, or dies.
//! - `services`: tables, events and streams that fail, are repeated, or are missing.
//! - `producers`: producers that reconnect, repeat fragments, send whole fragments, or have a wrong
//!   clock.

mod get_media;
mod processor;
mod producers;
mod runs;
mod services;

use std::time::Duration;

use serde_json::{Value, json};
use testkit::pcm::Random;

use super::{ProcessFault, SCALE};
use crate::stamps;

/// Recovery time by Lambda's retry, which starts after a minute of AWS's time.
const RETRY: Duration = Duration::from_secs(90);
/// Recovery time by the health check alone.
const HEALTH_CHECK: Duration = Duration::from_secs(380);

pub(super) const CONSUMER: &str = "kvs-stream-consumer";
const PROCESSOR: &str = "audio-processor";

/// Minimum number of processor invocations for the recording: one per fragment of 2 s.
const DELIVERIES: u64 = 15;

/// Returns all faults.
pub fn catalogue() -> Vec<ProcessFault> {
    vec![
        ProcessFault { name: "consumer killed", plan: runs::killed },
        ProcessFault { name: "consumer killed twice", plan: runs::killed_twice },
        ProcessFault { name: "Lambda timeout", plan: runs::timed_out },
        ProcessFault { name: "20 hand-offs", plan: runs::twenty_hand_offs },
        ProcessFault { name: "hand-off throttled", plan: runs::hand_off_throttled },
        ProcessFault { name: "hand-off accepted and lost", plan: runs::hand_off_lost },
        ProcessFault { name: "hand-off refused until the end", plan: runs::hand_off_refused },
        ProcessFault { name: "successor killed", plan: runs::successor_killed },
        ProcessFault { name: "zombie wakes after its lease was taken", plan: runs::zombie },
        ProcessFault { name: "GetMedia cut at any byte", plan: get_media::cut },
        ProcessFault { name: "GetMedia ended cleanly at any byte", plan: get_media::ended },
        ProcessFault { name: "GetMedia stalled", plan: get_media::stalled },
        ProcessFault { name: "GetMedia document damaged on the way", plan: get_media::damaged },
        ProcessFault { name: "GetMedia refused", plan: get_media::refused },
        ProcessFault { name: "GetMedia error tags", plan: get_media::error_tags },
        ProcessFault { name: "GetMedia's endpoint moved", plan: get_media::endpoint_moved },
        ProcessFault { name: "processor throttled and failing", plan: processor::processor_fails },
        ProcessFault {
            name: "processor's FunctionError and statusCode 500",
            plan: processor::processor_errors,
        },
        ProcessFault { name: "processor killed mid-invocation", plan: processor::processor_killed },
        ProcessFault {
            name: "processor takes, and its answer is lost",
            plan: processor::answers_lost,
        },
        ProcessFault { name: "processor down for minutes", plan: processor::processor_down },
        ProcessFault { name: "processor slow", plan: processor::processor_slow },
        ProcessFault {
            name: "processor frozen beyond its timeout",
            plan: processor::processor_frozen,
        },
        ProcessFault { name: "DynamoDB throttles", plan: services::table_throttles },
        ProcessFault { name: "DynamoDB away for 30 s", plan: services::table_away },
        ProcessFault {
            name: "consumer throttled at its concurrency limit",
            plan: services::consumer_throttled,
        },
        ProcessFault { name: "consumer throttled at ENDED", plan: services::throttled_at_the_end },
        ProcessFault { name: "PutEvents throttled per entry", plan: services::events_throttled },
        ProcessFault { name: "ACTIVE ten times at once", plan: services::ten_times },
        ProcessFault { name: "ACTIVE after ENDED", plan: services::active_after_ended },
        ProcessFault { name: "ACTIVE and ENDED not delivered", plan: services::not_delivered },
        ProcessFault { name: "archived events replayed", plan: services::replayed },
        ProcessFault {
            name: "producer starts anew after a break, consumer killed",
            plan: producers::starts_anew,
        },
        ProcessFault { name: "stream deleted under the reader", plan: services::stream_deleted },
        ProcessFault { name: "fragments of 10 s, killed", plan: producers::ten_seconds_killed },
        ProcessFault {
            name: "fragments of 10 s, hand-offs",
            plan: producers::ten_seconds_hand_offs,
        },
        ProcessFault { name: "fragments sent again after reconnects", plan: producers::sent_again },
        ProcessFault { name: "fragments sent again, killed", plan: producers::sent_again_killed },
        ProcessFault {
            name: "block times jitter",
            plan: |random| producers::stamped(random, stamps::small_jitter),
        },
        ProcessFault {
            name: "blocks stamped in bursts",
            plan: |random| producers::stamped(random, stamps::rising_bursts),
        },
        ProcessFault {
            name: "producer's clock drifts",
            plan: |random| producers::stamped(random, stamps::drift),
        },
        ProcessFault {
            name: "block times step by another length",
            plan: |random| producers::stamped(random, stamps::steps),
        },
    ]
}

/// Returns a random real time within `times` recordings of 37 s.
fn random_time(random: &mut Random, times: u64) -> Duration {
    Duration::from_millis(random.below(times * 36_000 / u64::from(SCALE)))
}

fn fault(service: &str, operation: &str, target: &str, more: Value) -> Value {
    let mut fault = json!({ "service": service, "operation": operation, "target": target });
    if let (Some(fault), Value::Object(more)) = (fault.as_object_mut(), more) {
        fault.extend(more);
    }
    fault
}

fn consumer(more: Value) -> Value {
    fault("lambda", "Invoke", CONSUMER, more)
}
