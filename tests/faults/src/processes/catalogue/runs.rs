//! Consumers that are killed, time out, freeze, or cannot hand off.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::pcm::Random;

use super::{CONSUMER, HEALTH_CHECK, RETRY, consumer, fault, random_time};
use crate::processes::{CloudAction, Plan, SCALE};

pub(super) fn killed(random: &mut Random) -> Plan {
    let delay = 50 + random_time(random, 1).as_millis();
    let kill = consumer(json!({ "kind": "kill", "delayMs": delay }));
    Plan { times: 4, faults: vec![kill], max_pause: RETRY, ..Plan::default() }
}

pub(super) fn killed_twice(random: &mut Random) -> Plan {
    let delay = |random: &mut Random| 50 + random_time(random, 1).as_millis();
    let kill = |delay| consumer(json!({ "kind": "kill", "delayMs": delay }));
    let faults = vec![kill(delay(random)), kill(delay(random))];
    // Lambda tries again after one minute and after two; the second run may accept nothing.
    let max_pause = Duration::from_secs(260);
    Plan { times: 6, faults, max_pause, ..Plan::default() }
}

/// The consumer is suspended until Lambda's timeout.
pub(super) fn timed_out(random: &mut Random) -> Plan {
    let timeout = Duration::from_secs(120);
    let freeze = CloudAction::Freeze(random_time(random, 1), CONSUMER, timeout / SCALE);
    Plan { actions: vec![freeze], max_pause: timeout + RETRY, consumers: 2, ..short_invocations(4) }
}

/// Returns a plan with a consumer timeout of two minutes; hand-offs start after 75 s.
pub(super) fn short_invocations(times: usize) -> Plan {
    let parameters = vec!["ConsumerTimeoutSeconds=120".to_owned()];
    Plan { times, parameters, ..Plan::default() }
}

pub(super) fn twenty_hand_offs(_: &mut Random) -> Plan {
    Plan { consumers: 21, ..short_invocations(54) }
}

pub(super) fn hand_off_throttled(random: &mut Random) -> Plan {
    let status = [429, 500, 503][usize::try_from(random.below(3)).unwrap()];
    let refusal = hand_off(json!({
        "status": status, "code": "TooManyRequestsException", "skip": 1, "times": 1 + random.below(4)
    }));
    Plan { faults: vec![refusal], consumers: 2, ..short_invocations(5) }
}

fn hand_off(more: Value) -> Value {
    fault("lambda", "InvokeAsync", CONSUMER, more)
}

pub(super) fn hand_off_lost(_: &mut Random) -> Plan {
    let lost = hand_off(json!({ "kind": "answer", "skip": 1 }));
    Plan { faults: vec![lost], consumers: 2, ..short_invocations(6) }
}

/// All hand-offs fail until the timeout; Lambda's retry or the health check resumes delivery.
pub(super) fn hand_off_refused(random: &mut Random) -> Plan {
    let code = ["TooManyRequestsException", "ServiceException"][random.below(2) as usize];
    let refused = hand_off(json!({ "status": 500, "code": code, "skip": 1, "times": 100_000 }));
    let actions = vec![CloudAction::ClearFaults(Duration::from_secs(125) / SCALE)];
    Plan {
        faults: vec![refused],
        actions,
        max_pause: HEALTH_CHECK,
        consumers: 2,
        ..short_invocations(6)
    }
}

pub(super) fn successor_killed(random: &mut Random) -> Plan {
    let kill = consumer(json!({ "kind": "kill", "skip": 1, "delayMs": random.below(500) }));
    Plan { faults: vec![kill], max_pause: RETRY, consumers: 2, ..short_invocations(6) }
}

pub(super) fn zombie(random: &mut Random) -> Plan {
    let (at, asleep) = (random_time(random, 1), Duration::from_millis(500 + random.below(2_500)));
    let actions = vec![
        // A repeated event finds the lease not renewed, waits until it expires and takes over.
        CloudAction::RepeatActive(at + Duration::from_millis(1), 1),
        CloudAction::Freeze(at, CONSUMER, asleep),
    ];
    Plan { times: 4, actions, max_pause: RETRY, ..Plan::default() }
}
