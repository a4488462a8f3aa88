//! The faults of runs with real processes.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::pcm::Random;

use super::{CloudAction, Plan, ProcessFault, SCALE};
use crate::stamps::{self, Stamps};

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
        ProcessFault { name: "consumer killed", plan: killed },
        ProcessFault { name: "consumer killed twice", plan: killed_twice },
        ProcessFault { name: "Lambda timeout", plan: timed_out },
        ProcessFault { name: "20 hand-offs", plan: twenty_hand_offs },
        ProcessFault { name: "hand-off throttled", plan: hand_off_throttled },
        ProcessFault { name: "hand-off accepted and lost", plan: hand_off_lost },
        ProcessFault { name: "hand-off refused until the end", plan: hand_off_refused },
        ProcessFault { name: "successor killed", plan: successor_killed },
        ProcessFault { name: "zombie wakes after its lease was taken", plan: zombie },
        ProcessFault { name: "GetMedia cut at any byte", plan: cut },
        ProcessFault { name: "GetMedia ended cleanly at any byte", plan: ended },
        ProcessFault { name: "GetMedia stalled", plan: stalled },
        ProcessFault { name: "GetMedia document damaged on the way", plan: damaged },
        ProcessFault { name: "GetMedia refused", plan: refused },
        ProcessFault { name: "GetMedia error tags", plan: error_tags },
        ProcessFault { name: "GetMedia's endpoint moved", plan: endpoint_moved },
        ProcessFault { name: "processor throttled and failing", plan: processor_fails },
        ProcessFault {
            name: "processor's FunctionError and statusCode 500",
            plan: processor_errors,
        },
        ProcessFault { name: "processor killed mid-invocation", plan: processor_killed },
        ProcessFault { name: "processor takes, and its answer is lost", plan: answers_lost },
        ProcessFault { name: "processor down for minutes", plan: processor_down },
        ProcessFault { name: "processor slow", plan: processor_slow },
        ProcessFault { name: "processor frozen beyond its timeout", plan: processor_frozen },
        ProcessFault { name: "DynamoDB throttles", plan: table_throttles },
        ProcessFault { name: "DynamoDB away for 30 s", plan: table_away },
        ProcessFault {
            name: "consumer throttled at its concurrency limit",
            plan: consumer_throttled,
        },
        ProcessFault { name: "consumer throttled at ENDED", plan: throttled_at_the_end },
        ProcessFault { name: "PutEvents throttled per entry", plan: events_throttled },
        ProcessFault { name: "ACTIVE ten times at once", plan: ten_times },
        ProcessFault { name: "ACTIVE after ENDED", plan: active_after_ended },
        ProcessFault { name: "ACTIVE and ENDED not delivered", plan: not_delivered },
        ProcessFault { name: "archived events replayed", plan: replayed },
        ProcessFault {
            name: "producer starts anew after a break, consumer killed",
            plan: starts_anew,
        },
        ProcessFault { name: "stream deleted under the reader", plan: stream_deleted },
        ProcessFault { name: "fragments of 10 s, killed", plan: ten_seconds_killed },
        ProcessFault { name: "fragments of 10 s, hand-offs", plan: ten_seconds_hand_offs },
        ProcessFault { name: "fragments sent again after reconnects", plan: sent_again },
        ProcessFault { name: "fragments sent again, killed", plan: sent_again_killed },
        ProcessFault {
            name: "block times jitter",
            plan: |random| stamped(random, stamps::small_jitter),
        },
        ProcessFault {
            name: "blocks stamped in bursts",
            plan: |random| stamped(random, stamps::rising_bursts),
        },
        ProcessFault {
            name: "producer's clock drifts",
            plan: |random| stamped(random, stamps::drift),
        },
        ProcessFault {
            name: "block times step by another length",
            plan: |random| stamped(random, stamps::steps),
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

fn processor(more: Value) -> Value {
    fault("lambda", "Invoke", PROCESSOR, more)
}

fn get_media(more: Value) -> Value {
    fault("kinesisvideo", "GetMedia", "session-", more)
}

fn killed(random: &mut Random) -> Plan {
    let delay = 50 + random_time(random, 1).as_millis();
    let kill = consumer(json!({ "kind": "kill", "delayMs": delay }));
    Plan { times: 4, faults: vec![kill], max_pause: RETRY, ..Plan::default() }
}

fn killed_twice(random: &mut Random) -> Plan {
    let delay = |random: &mut Random| 50 + random_time(random, 1).as_millis();
    let kill = |delay| consumer(json!({ "kind": "kill", "delayMs": delay }));
    let faults = vec![kill(delay(random)), kill(delay(random))];
    // Lambda tries again after one minute and after two; the second run may accept nothing.
    let max_pause = Duration::from_secs(260);
    Plan { times: 6, faults, max_pause, ..Plan::default() }
}

/// The consumer is suspended until Lambda's timeout.
fn timed_out(random: &mut Random) -> Plan {
    let timeout = Duration::from_secs(120);
    let freeze = CloudAction::Freeze(random_time(random, 1), CONSUMER, timeout / SCALE);
    Plan { actions: vec![freeze], max_pause: timeout + RETRY, consumers: 2, ..short_invocations(4) }
}

/// Returns a plan with a consumer timeout of two minutes; hand-offs start after 75 s.
fn short_invocations(times: usize) -> Plan {
    let parameters = vec!["ConsumerTimeoutSeconds=120".to_owned()];
    Plan { times, parameters, ..Plan::default() }
}

fn twenty_hand_offs(_: &mut Random) -> Plan {
    Plan { consumers: 21, ..short_invocations(54) }
}

fn hand_off_throttled(random: &mut Random) -> Plan {
    let status = [429, 500, 503][usize::try_from(random.below(3)).unwrap()];
    let refusal = hand_off(json!({
        "status": status, "code": "TooManyRequestsException", "skip": 1, "times": 1 + random.below(4)
    }));
    Plan { faults: vec![refusal], consumers: 2, ..short_invocations(5) }
}

fn hand_off(more: Value) -> Value {
    fault("lambda", "InvokeAsync", CONSUMER, more)
}

fn hand_off_lost(_: &mut Random) -> Plan {
    let lost = hand_off(json!({ "kind": "answer", "skip": 1 }));
    Plan { faults: vec![lost], consumers: 2, ..short_invocations(6) }
}

/// All hand-offs fail until the timeout; Lambda's retry or the health check resumes delivery.
fn hand_off_refused(random: &mut Random) -> Plan {
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

fn successor_killed(random: &mut Random) -> Plan {
    let kill = consumer(json!({ "kind": "kill", "skip": 1, "delayMs": random.below(500) }));
    Plan { faults: vec![kill], max_pause: RETRY, consumers: 2, ..short_invocations(6) }
}

fn zombie(random: &mut Random) -> Plan {
    let (at, asleep) = (random_time(random, 1), Duration::from_millis(500 + random.below(2_500)));
    let actions = vec![
        // A repeated event finds the lease not renewed, waits until it expires and takes over.
        CloudAction::RepeatActive(at + Duration::from_millis(1), 1),
        CloudAction::Freeze(at, CONSUMER, asleep),
    ];
    Plan { times: 4, actions, max_pause: RETRY, ..Plan::default() }
}

fn cut(random: &mut Random) -> Plan {
    let count = 1 + random.below(6);
    let cut = |random: &mut Random| {
        get_media(json!({ "kind": "cut", "extra": { "afterBytes": random.below(60_000) } }))
    };
    let faults = (0..count).map(|_| cut(random)).collect();
    Plan { faults, max_pause: Duration::from_secs(60), ..Plan::default() }
}

fn ended(random: &mut Random) -> Plan {
    let count = 1 + random.below(6);
    let end = |random: &mut Random| {
        get_media(json!({ "kind": "end", "extra": { "afterBytes": random.below(60_000) } }))
    };
    let faults = (0..count).map(|_| end(random)).collect();
    Plan { faults, max_pause: Duration::from_secs(60), ..Plan::default() }
}

/// Damages the start of a connection's first document.
fn damaged(random: &mut Random) -> Plan {
    let damage = |random: &mut Random| {
        let extra = json!({ "afterBytes": random.below(40), "bytes": 1 + random.below(40) });
        get_media(json!({ "kind": "damage", "extra": extra }))
    };
    let cut = get_media(json!({ "kind": "cut", "extra": { "afterBytes": random.below(60_000) } }));
    let faults = vec![damage(random), cut, damage(random)];
    Plan { faults, max_pause: Duration::from_secs(60), ..Plan::default() }
}

fn stalled(random: &mut Random) -> Plan {
    let stall = get_media(json!({
        "kind": "stall", "delayMs": random.below(2_000), "extra": { "afterBytes": random.below(60_000) }
    }));
    Plan { faults: vec![stall], max_pause: Duration::from_secs(60), ..Plan::default() }
}

fn refused(random: &mut Random) -> Plan {
    let answers = [
        (404, "ResourceNotFoundException"),
        (400, "ClientLimitExceededException"),
        (400, "ConnectionLimitExceededException"),
        (401, "NotAuthorizedException"),
        (500, "InternalFailure"),
    ];
    let faults = (0..1 + random.below(5)).map(|_| {
        let (status, code) = answers[usize::try_from(random.below(5)).unwrap()];
        get_media(json!({ "status": status, "code": code }))
    });
    Plan { faults: faults.collect(), max_pause: Duration::from_secs(60), ..Plan::default() }
}

fn error_tags(random: &mut Random) -> Plan {
    let ids = [3002, 4000, 4500, 4503, 4506, 5000];
    let faults = (0..1 + random.below(4)).map(|_| {
        let id = ids[usize::try_from(random.below(6)).unwrap()];
        let extra = json!({ "errorId": id, "afterBytes": random.below(60_000) });
        get_media(json!({ "kind": "error-tag", "extra": extra }))
    });
    Plan { faults: faults.collect(), max_pause: Duration::from_secs(60), ..Plan::default() }
}

fn endpoint_moved(random: &mut Random) -> Plan {
    // No service listens on port 9.
    let dead = json!({ "kind": "answer", "extra": { "answer": { "DataEndpoint": "http://127.0.0.1:9" } } });
    let moved = fault("kinesisvideo", "GetDataEndpoint", "session-", dead);
    let cut = get_media(json!({ "kind": "cut", "extra": { "afterBytes": random.below(30_000) } }));
    Plan {
        faults: vec![moved.clone(), moved, cut],
        max_pause: Duration::from_secs(60),
        ..Plan::default()
    }
}

fn processor_fails(random: &mut Random) -> Plan {
    let answers =
        [(429, "TooManyRequestsException"), (500, "ServiceException"), (503, "ServiceUnavailable")];
    let faults = (0..1 + random.below(6)).map(|_| {
        let (status, code) = answers[usize::try_from(random.below(3)).unwrap()];
        processor(json!({ "status": status, "code": code, "skip": random.below(DELIVERIES), "times": 1 + random.below(3) }))
    });
    Plan { faults: faults.collect(), max_pause: Duration::from_secs(90), ..Plan::default() }
}

fn processor_errors(random: &mut Random) -> Plan {
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

fn processor_killed(random: &mut Random) -> Plan {
    let kill = |random: &mut Random| {
        processor(
            json!({ "kind": "kill", "skip": random.below(DELIVERIES), "delayMs": random.below(5) }),
        )
    };
    let faults = vec![kill(random), kill(random), kill(random)];
    Plan { faults, max_pause: Duration::from_secs(60), ..Plan::default() }
}

fn answers_lost(random: &mut Random) -> Plan {
    let lost = processor(json!({
        "kind": "answer-lost", "status": 500, "code": "ServiceException",
        "skip": random.below(DELIVERIES), "times": 1 + random.below(4)
    }));
    Plan { faults: vec![lost], max_pause: Duration::from_secs(60), ..Plan::default() }
}

fn processor_down(random: &mut Random) -> Plan {
    let (at, outage) = (random_time(random, 1), Duration::from_millis(3_000 + random.below(9_000)));
    let down = processor(json!({ "status": 500, "code": "ServiceException", "times": 100_000 }));
    let actions = vec![CloudAction::InjectFault(at, down), CloudAction::ClearFaults(at + outage)];
    // The outage, and the 15 s of the circuit breaker.
    let max_pause = outage * SCALE + Duration::from_secs(60);
    Plan { actions, max_pause, ..Plan::default() }
}

fn processor_slow(random: &mut Random) -> Plan {
    let slow = processor(json!({
        "kind": "delay", "delayMs": 50 + random.below(150), "times": 10 + random.below(10)
    }));
    Plan { faults: vec![slow], ..Plan::default() }
}

/// The function's timeout is 30 s.
fn processor_frozen(random: &mut Random) -> Plan {
    let time = Duration::from_secs(10 + random.below(80));
    let freeze = CloudAction::Freeze(random_time(random, 1), PROCESSOR, time / SCALE);
    Plan { actions: vec![freeze], max_pause: time + Duration::from_secs(60), ..Plan::default() }
}

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

fn table_throttles(random: &mut Random) -> Plan {
    let faults =
        (0..4).map(|_| table(json!({ "skip": random.below(60), "times": 1 + random.below(6) })));
    Plan { faults: faults.collect(), max_pause: RETRY, ..Plan::default() }
}

fn table_away(random: &mut Random) -> Plan {
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

fn consumer_throttled(random: &mut Random) -> Plan {
    let refusal = consumer(json!({
        "status": 429, "code": "TooManyRequestsException", "times": 1 + random.below(5)
    }));
    Plan { faults: vec![refusal], ..Plan::default() }
}

/// The consumer's second event is ENDED.
fn throttled_at_the_end(random: &mut Random) -> Plan {
    let refusal = consumer(json!({
        "status": 429, "code": "TooManyRequestsException", "skip": 1, "times": 1 + random.below(8)
    }));
    Plan { faults: vec![refusal], ..Plan::default() }
}

fn events_throttled(random: &mut Random) -> Plan {
    let entry = json!({
        "service": "events", "operation": "PutEvents", "kind": "entry", "times": 1 + random.below(2),
        "code": "ThrottlingException", "message": "Rate exceeded"
    });
    Plan { faults: vec![entry], max_pause: HEALTH_CHECK, ..Plan::default() }
}

fn ten_times(random: &mut Random) -> Plan {
    Plan { actions: vec![CloudAction::RepeatActive(random_time(random, 1), 10)], ..Plan::default() }
}

/// The first deliveries of ACTIVE fail, and EventBridge retries after the session's end.
fn active_after_ended(random: &mut Random) -> Plan {
    let late = json!({
        "service": "events", "operation": "Deliver", "target": "session-lifecycle",
        "times": 1 + random.below(2), "status": 500, "code": "InternalFailure"
    });
    Plan { faults: vec![late], max_pause: HEALTH_CHECK, ..Plan::default() }
}

fn replayed(random: &mut Random) -> Plan {
    Plan { actions: vec![CloudAction::ReplayArchive(random_time(random, 2))], ..Plan::default() }
}

fn starts_anew(random: &mut Random) -> Plan {
    let pause = Duration::from_millis(random.below(6_000));
    let kill =
        consumer(json!({ "kind": "kill", "delayMs": 50 + random_time(random, 1).as_millis() }));
    let max_pause = RETRY + pause * SCALE;
    Plan { breaks: vec![pause], faults: vec![kill], max_pause, ..Plan::default() }
}

fn stream_deleted(random: &mut Random) -> Plan {
    let actions = vec![CloudAction::DeleteStream(random_time(random, 1))];
    Plan { actions, prefix_only: true, max_pause: HEALTH_CHECK, ..Plan::default() }
}

fn not_delivered(_: &mut Random) -> Plan {
    // The first attempt and the rule's two retries fail, for ACTIVE and for ENDED.
    let lost = json!({
        "service": "events", "operation": "Deliver", "target": "session-lifecycle", "times": 6,
        "status": 500, "code": "InternalFailure"
    });
    Plan { faults: vec![lost], max_pause: HEALTH_CHECK, ..Plan::default() }
}

/// Uses fragments of 10 s, as WebRTC ingestion does; a fragment is readable when it is complete.
fn ten_seconds(plan: Plan) -> Plan {
    Plan { fragment_ms: 10_000, max_pause: plan.max_pause + Duration::from_secs(10), ..plan }
}

fn ten_seconds_killed(random: &mut Random) -> Plan {
    ten_seconds(killed(random))
}

fn ten_seconds_hand_offs(_: &mut Random) -> Plan {
    ten_seconds(Plan { consumers: 4, ..short_invocations(10) })
}

/// The producer's connection fails, and the producer sends some fragments again each time.
fn sent_again(random: &mut Random) -> Plan {
    let cut = |random: &mut Random| {
        let after = 5_000 + random.below(60_000);
        fault(
            "kinesisvideo",
            "PutMedia",
            "session-",
            json!({
                "kind": "cut", "extra": { "afterBytes": after }
            }),
        )
    };
    let faults = (0..1 + random.below(3)).map(|_| cut(random)).collect();
    let speaker = vec!["--rollback".to_owned(), (1 + random.below(5)).to_string()];
    // Includes the producer's pauses before it reconnects.
    Plan { times: 2, faults, speaker, max_pause: Duration::from_secs(60), ..Plan::default() }
}

fn sent_again_killed(random: &mut Random) -> Plan {
    let mut plan = sent_again(random);
    plan.faults.extend(killed(random).faults);
    Plan { times: 4, max_pause: RETRY + plan.max_pause, ..plan }
}

fn stamped(random: &mut Random, stamps: Stamps) -> Plan {
    Plan { stamps: Some((stamps, random.next_u64())), ..Plan::default() }
}
