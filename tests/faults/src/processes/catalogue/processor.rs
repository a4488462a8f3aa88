//! A processor that fails, is slow, or dies.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::pcm::Random;

use super::{DELIVERIES, PROCESSOR, fault, random_time};
use crate::processes::{CloudAction, Plan, SCALE};

fn processor(more: Value) -> Value {
    fault("lambda", "Invoke", PROCESSOR, more)
}

pub(super) fn processor_fails(random: &mut Random) -> Plan {
    let answers =
        [(429, "TooManyRequestsException"), (500, "ServiceException"), (503, "ServiceUnavailable")];
    let faults = (0..1 + random.below(6)).map(|_| {
        let (status, code) = answers[usize::try_from(random.below(3)).unwrap()];
        processor(json!({ "status": status, "code": code, "skip": random.below(DELIVERIES), "times": 1 + random.below(3) }))
    });
    Plan { faults: faults.collect(), max_pause: Duration::from_secs(90), ..Plan::default() }
}

pub(super) fn processor_errors(random: &mut Random) -> Plan {
    let crash = json!({
        "functionError": "Unhandled",
        "answer": { "errorType": "Runtime.ExitError", "errorMessage": "exit status 1" }
    });
    let status = json!({ "answer": { "statusCode": 500, "body": "no" } });
    let faults = [crash, status].map(|extra| {
        processor(json!({ "kind": "answer", "extra": extra, "skip": random.below(DELIVERIES), "times": 1 + random.below(3) }))
    });
    Plan { faults: faults.into(), max_pause: Duration::from_secs(90), ..Plan::default() }
}

pub(super) fn processor_killed(random: &mut Random) -> Plan {
    let kill = |random: &mut Random| {
        processor(
            json!({ "kind": "kill", "skip": random.below(DELIVERIES), "delayMs": random.below(5) }),
        )
    };
    let faults = vec![kill(random), kill(random), kill(random)];
    Plan { faults, max_pause: Duration::from_secs(60), ..Plan::default() }
}

pub(super) fn answers_lost(random: &mut Random) -> Plan {
    let lost = processor(json!({
        "kind": "answer-lost", "status": 500, "code": "ServiceException",
        "skip": random.below(DELIVERIES), "times": 1 + random.below(4)
    }));
    Plan { faults: vec![lost], max_pause: Duration::from_secs(60), ..Plan::default() }
}

pub(super) fn processor_down(random: &mut Random) -> Plan {
    let (at, outage) = (random_time(random, 1), Duration::from_millis(3_000 + random.below(9_000)));
    let down = processor(json!({ "status": 500, "code": "ServiceException", "times": 100_000 }));
    let actions = vec![CloudAction::InjectFault(at, down), CloudAction::ClearFaults(at + outage)];
    // The outage, and the 15 s of the circuit breaker.
    let max_pause = outage * SCALE + Duration::from_secs(60);
    Plan { actions, max_pause, ..Plan::default() }
}

pub(super) fn processor_slow(random: &mut Random) -> Plan {
    let slow = processor(json!({
        "kind": "delay", "delayMs": 50 + random.below(150), "times": 10 + random.below(10)
    }));
    Plan { faults: vec![slow], ..Plan::default() }
}

/// The function's timeout is 30 s.
pub(super) fn processor_frozen(random: &mut Random) -> Plan {
    let time = Duration::from_secs(10 + random.below(80));
    let freeze = CloudAction::Freeze(random_time(random, 1), PROCESSOR, time / SCALE);
    Plan { actions: vec![freeze], max_pause: time + Duration::from_secs(60), ..Plan::default() }
}
