//! Tables, events and streams that fail, are repeated, or are missing.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::pcm::Random;

use super::{HEALTH_CHECK, RETRY, consumer, random_time};
use crate::processes::{CloudAction, Plan, SCALE};

fn table(more: Value) -> Value {
    let mut fault = json!({
        "service": "dynamodb", "operation": "UpdateItem", "target": "Streams",
        "status": 400, "code": "ProvisionedThroughputExceededException"
    });
    if let (Some(fault), Value::Object(more)) = (fault.as_object_mut(), more) {
        fault.extend(more);
    }
    fault
}

pub(super) fn table_throttles(random: &mut Random) -> Plan {
    let faults =
        (0..4).map(|_| table(json!({ "skip": random.below(60), "times": 1 + random.below(6) })));
    Plan { faults: faults.collect(), max_pause: RETRY, ..Plan::default() }
}

pub(super) fn table_away(random: &mut Random) -> Plan {
    let at = random_time(random, 1);
    let actions = vec![
        CloudAction::InjectFault(
            at,
            table(json!({ "times": 100_000, "status": 500, "code": "InternalServerError" })),
        ),
        CloudAction::ClearFaults(at + Duration::from_secs(30) / SCALE),
    ];
    Plan { actions, max_pause: Duration::from_secs(30) + RETRY, ..Plan::default() }
}

pub(super) fn consumer_throttled(random: &mut Random) -> Plan {
    let refusal = consumer(json!({
        "status": 429, "code": "TooManyRequestsException", "times": 1 + random.below(5)
    }));
    Plan { faults: vec![refusal], ..Plan::default() }
}

/// The consumer's second event is ENDED.
pub(super) fn throttled_at_the_end(random: &mut Random) -> Plan {
    let refusal = consumer(json!({
        "status": 429, "code": "TooManyRequestsException", "skip": 1, "times": 1 + random.below(8)
    }));
    Plan { faults: vec![refusal], ..Plan::default() }
}

pub(super) fn events_throttled(random: &mut Random) -> Plan {
    let entry = json!({
        "service": "events", "operation": "PutEvents", "kind": "entry", "times": 1 + random.below(2),
        "code": "ThrottlingException", "message": "Rate exceeded"
    });
    Plan { faults: vec![entry], max_pause: HEALTH_CHECK, ..Plan::default() }
}

pub(super) fn ten_times(random: &mut Random) -> Plan {
    Plan { actions: vec![CloudAction::RepeatActive(random_time(random, 1), 10)], ..Plan::default() }
}

/// The first deliveries of ACTIVE fail, and EventBridge retries after the session's end.
pub(super) fn active_after_ended(random: &mut Random) -> Plan {
    let late = json!({
        "service": "events", "operation": "Deliver", "target": "session-lifecycle",
        "times": 1 + random.below(2), "status": 500, "code": "InternalFailure"
    });
    Plan { faults: vec![late], max_pause: HEALTH_CHECK, ..Plan::default() }
}

pub(super) fn replayed(random: &mut Random) -> Plan {
    Plan { actions: vec![CloudAction::ReplayArchive(random_time(random, 2))], ..Plan::default() }
}

pub(super) fn stream_deleted(random: &mut Random) -> Plan {
    let actions = vec![CloudAction::DeleteStream(random_time(random, 1))];
    Plan { actions, prefix_only: true, max_pause: HEALTH_CHECK, ..Plan::default() }
}

pub(super) fn not_delivered(_: &mut Random) -> Plan {
    // The first attempt and the rule's two retries fail, for ACTIVE and for ENDED.
    let lost = json!({
        "service": "events", "operation": "Deliver", "target": "session-lifecycle", "times": 6,
        "status": 500, "code": "InternalFailure"
    });
    Plan { faults: vec![lost], max_pause: HEALTH_CHECK, ..Plan::default() }
}
