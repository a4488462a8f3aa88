//! The faults that are inflicted on real processes.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::pcm::Random;

use super::{Act, Fault, Plan, SCALE};
use crate::stamps::{self, Stamps};

/// Lambda tries a failed event again after a minute of AWS's time.
const RETRY: Duration = Duration::from_secs(90);
/// What the health check needs when nothing else helps.
const HEALTH_CHECK: Duration = Duration::from_secs(380);

const CONSUMER: &str = "kvs-stream-consumer";
const PROCESSOR: &str = "audio-processor";

/// So many invocations of the processor a recording takes at least: one for each fragment of 2 s.
const DELIVERIES: u64 = 15;

/// All of them.
pub fn catalogue() -> Vec<Fault> {
    vec![
        Fault { name: "consumer killed", plan: killed },
        Fault { name: "consumer killed twice", plan: killed_twice },
        Fault { name: "Lambda timeout", plan: timed_out },
        Fault { name: "20 hand-offs", plan: twenty_hand_offs },
        Fault { name: "hand-off throttled", plan: hand_off_throttled },
        Fault { name: "hand-off accepted and lost", plan: hand_off_lost },
        Fault { name: "hand-off refused until the end", plan: hand_off_refused },
        Fault { name: "successor killed", plan: successor_killed },
        Fault { name: "zombie wakes after its lease was taken", plan: zombie },
        Fault { name: "GetMedia cut at any byte", plan: cut },
        Fault { name: "GetMedia ended cleanly at any byte", plan: ended },
        Fault { name: "GetMedia stalled", plan: stalled },
        Fault { name: "GetMedia document damaged on the way", plan: damaged },
        Fault { name: "GetMedia refused", plan: refused },
        Fault { name: "GetMedia error tags", plan: error_tags },
        Fault { name: "GetMedia's endpoint moved", plan: endpoint_moved },
        Fault { name: "processor throttled and failing", plan: processor_fails },
        Fault { name: "processor's FunctionError and statusCode 500", plan: processor_errors },
        Fault { name: "processor killed mid-invocation", plan: processor_killed },
        Fault { name: "processor takes, and its answer is lost", plan: answers_lost },
        Fault { name: "processor down for minutes", plan: processor_down },
        Fault { name: "processor slow", plan: processor_slow },
        Fault { name: "processor frozen beyond its timeout", plan: processor_frozen },
        Fault { name: "DynamoDB throttles", plan: table_throttles },
        Fault { name: "DynamoDB away for 30 s", plan: table_away },
        Fault { name: "consumer throttled at its concurrency limit", plan: consumer_throttled },
        Fault { name: "consumer throttled at ENDED", plan: throttled_at_the_end },
        Fault { name: "PutEvents throttled per entry", plan: events_throttled },
        Fault { name: "ACTIVE ten times at once", plan: ten_times },
        Fault { name: "ACTIVE after ENDED", plan: active_after_ended },
        Fault { name: "ACTIVE and ENDED not delivered", plan: not_delivered },
        Fault { name: "archived events replayed", plan: replayed },
        Fault { name: "producer starts anew after a break, consumer killed", plan: starts_anew },
        Fault { name: "stream deleted under the reader", plan: stream_deleted },
        Fault { name: "fragments of 10 s, killed", plan: ten_seconds_killed },
        Fault { name: "fragments of 10 s, hand-offs", plan: ten_seconds_hand_offs },
        Fault { name: "fragments sent again after reconnects", plan: sent_again },
        Fault { name: "fragments sent again, killed", plan: sent_again_killed },
        Fault { name: "block times jitter", plan: |random| stamped(random, stamps::small_jitter) },
        Fault {
            name: "blocks stamped in bursts",
            plan: |random| stamped(random, stamps::rising_bursts),
        },
        Fault { name: "producer's clock drifts", plan: |random| stamped(random, stamps::drift) },
        Fault {
            name: "block times step by another length",
            plan: |random| stamped(random, stamps::steps),
        },
    ]
}

/// A moment in the recording's 37 s, in real time.
fn moment(random: &mut Random, times: u64) -> Duration {
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
    let delay = 50 + moment(random, 1).as_millis();
    let kill = consumer(json!({ "kind": "kill", "delayMs": delay }));
    Plan { times: 4, faults: vec![kill], patience: RETRY, consumers: 2, ..Plan::default() }
}

fn killed_twice(random: &mut Random) -> Plan {
    let delay = |random: &mut Random| 50 + moment(random, 1).as_millis();
    let kill = |delay| consumer(json!({ "kind": "kill", "delayMs": delay }));
    let faults = vec![kill(delay(random)), kill(delay(random))];
    // The second retry comes two minutes later.
    let patience = Duration::from_secs(150);
    Plan { times: 6, faults, patience, consumers: 2, ..Plan::default() }
}

/// Frozen until Lambda has had enough of it.
fn timed_out(random: &mut Random) -> Plan {
    let timeout = Duration::from_secs(120);
    let freeze = Act::Freeze(moment(random, 1), CONSUMER, timeout / SCALE);
    Plan { acts: vec![freeze], patience: timeout + RETRY, consumers: 2, ..links(4) }
}

/// Consumers that live two minutes and hand on after a minute and a quarter.
fn links(times: usize) -> Plan {
    let parameters = vec!["ConsumerTimeoutSeconds=120".to_owned()];
    Plan { times, parameters, ..Plan::default() }
}

fn twenty_hand_offs(_: &mut Random) -> Plan {
    Plan { consumers: 21, ..links(54) }
}

fn hand_off_throttled(random: &mut Random) -> Plan {
    let status = [429, 500, 503][usize::try_from(random.below(3)).unwrap()];
    let refusal = hand_off(json!({
        "status": status, "code": "TooManyRequestsException", "skip": 1, "times": 1 + random.below(4)
    }));
    Plan { faults: vec![refusal], consumers: 2, ..links(5) }
}

fn hand_off(more: Value) -> Value {
    fault("lambda", "InvokeAsync", CONSUMER, more)
}

fn hand_off_lost(_: &mut Random) -> Plan {
    let lost = hand_off(json!({ "kind": "answer", "skip": 1 }));
    Plan { faults: vec![lost], consumers: 2, ..links(6) }
}

/// No consumer hands on until its timeout; Lambda's own retry or the health check goes on.
fn hand_off_refused(random: &mut Random) -> Plan {
    let code = ["TooManyRequestsException", "ServiceException"][random.below(2) as usize];
    let refused = hand_off(json!({ "status": 500, "code": code, "skip": 1, "times": 100_000 }));
    let acts = vec![Act::Calm(Duration::from_secs(125) / SCALE)];
    Plan { faults: vec![refused], acts, patience: HEALTH_CHECK, consumers: 2, ..links(6) }
}

fn successor_killed(random: &mut Random) -> Plan {
    let kill = consumer(json!({ "kind": "kill", "skip": 1, "delayMs": random.below(500) }));
    Plan { faults: vec![kill], patience: RETRY, consumers: 2, ..links(6) }
}

fn zombie(random: &mut Random) -> Plan {
    let (at, asleep) = (moment(random, 1), Duration::from_millis(500 + random.below(2_500)));
    let acts = vec![
        // A repeated event finds the lease standing still, waits it out and takes over.
        Act::Repeat(at + Duration::from_millis(1), 1),
        Act::Freeze(at, CONSUMER, asleep),
    ];
    Plan { times: 4, acts, patience: RETRY, ..Plan::default() }
}

fn cut(random: &mut Random) -> Plan {
    let count = 1 + random.below(6);
    let cut = |random: &mut Random| {
        get_media(json!({ "kind": "cut", "extra": { "afterBytes": random.below(60_000) } }))
    };
    let faults = (0..count).map(|_| cut(random)).collect();
    Plan { faults, patience: Duration::from_secs(60), ..Plan::default() }
}

fn ended(random: &mut Random) -> Plan {
    let count = 1 + random.below(6);
    let end = |random: &mut Random| {
        get_media(json!({ "kind": "end", "extra": { "afterBytes": random.below(60_000) } }))
    };
    let faults = (0..count).map(|_| end(random)).collect();
    Plan { faults, patience: Duration::from_secs(60), ..Plan::default() }
}

/// The beginning of the first document that a connection brings.
fn damaged(random: &mut Random) -> Plan {
    let damage = |random: &mut Random| {
        let extra = json!({ "afterBytes": random.below(40), "bytes": 1 + random.below(40) });
        get_media(json!({ "kind": "damage", "extra": extra }))
    };
    let cut = get_media(json!({ "kind": "cut", "extra": { "afterBytes": random.below(60_000) } }));
    let faults = vec![damage(random), cut, damage(random)];
    Plan { faults, patience: Duration::from_secs(60), ..Plan::default() }
}

fn stalled(random: &mut Random) -> Plan {
    let stall = get_media(json!({
        "kind": "stall", "delayMs": random.below(2_000), "extra": { "afterBytes": random.below(60_000) }
    }));
    Plan { faults: vec![stall], patience: Duration::from_secs(60), ..Plan::default() }
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
    Plan { faults: faults.collect(), patience: Duration::from_secs(60), ..Plan::default() }
}

fn error_tags(random: &mut Random) -> Plan {
    let ids = [3002, 4000, 4500, 4503, 4506, 5000];
    let faults = (0..1 + random.below(4)).map(|_| {
        let id = ids[usize::try_from(random.below(6)).unwrap()];
        let extra = json!({ "errorId": id, "afterBytes": random.below(60_000) });
        get_media(json!({ "kind": "error-tag", "extra": extra }))
    });
    Plan { faults: faults.collect(), patience: Duration::from_secs(60), ..Plan::default() }
}

fn endpoint_moved(random: &mut Random) -> Plan {
    // Port 9 of this machine is nobody's.
    let dead = json!({ "kind": "answer", "extra": { "answer": { "DataEndpoint": "http://127.0.0.1:9" } } });
    let moved = fault("kinesisvideo", "GetDataEndpoint", "session-", dead);
    let cut = get_media(json!({ "kind": "cut", "extra": { "afterBytes": random.below(30_000) } }));
    Plan {
        faults: vec![moved.clone(), moved, cut],
        patience: Duration::from_secs(60),
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
    Plan { faults: faults.collect(), patience: Duration::from_secs(90), ..Plan::default() }
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
    Plan { faults: faults.into(), patience: Duration::from_secs(90), ..Plan::default() }
}

fn processor_killed(random: &mut Random) -> Plan {
    let kill = |random: &mut Random| {
        processor(
            json!({ "kind": "kill", "skip": random.below(DELIVERIES), "delayMs": random.below(5) }),
        )
    };
    let faults = vec![kill(random), kill(random), kill(random)];
    Plan { faults, patience: Duration::from_secs(60), ..Plan::default() }
}

fn answers_lost(random: &mut Random) -> Plan {
    let lost = processor(json!({
        "kind": "answer-lost", "status": 500, "code": "ServiceException",
        "skip": random.below(DELIVERIES), "times": 1 + random.below(4)
    }));
    Plan { faults: vec![lost], patience: Duration::from_secs(60), ..Plan::default() }
}

fn processor_down(random: &mut Random) -> Plan {
    let (at, outage) = (moment(random, 1), Duration::from_millis(3_000 + random.below(9_000)));
    let down = processor(json!({ "status": 500, "code": "ServiceException", "times": 100_000 }));
    let acts = vec![Act::Fault(at, down), Act::Calm(at + outage)];
    // While it is down, and the breaker's 15 s.
    let patience = outage * SCALE + Duration::from_secs(60);
    Plan { acts, patience, ..Plan::default() }
}

fn processor_slow(random: &mut Random) -> Plan {
    let slow = processor(json!({
        "kind": "delay", "delayMs": 50 + random.below(150), "times": 10 + random.below(10)
    }));
    Plan { faults: vec![slow], ..Plan::default() }
}

/// 30 s is the function's timeout.
fn processor_frozen(random: &mut Random) -> Plan {
    let time = Duration::from_secs(10 + random.below(80));
    let freeze = Act::Freeze(moment(random, 1), PROCESSOR, time / SCALE);
    Plan { acts: vec![freeze], patience: time + Duration::from_secs(60), ..Plan::default() }
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
    Plan { faults: faults.collect(), patience: RETRY, ..Plan::default() }
}

fn table_away(random: &mut Random) -> Plan {
    let at = moment(random, 1);
    let acts = vec![
        Act::Fault(
            at,
            table(json!({ "times": 100_000, "status": 500, "code": "InternalServerError" })),
        ),
        Act::Calm(at + Duration::from_secs(30) / SCALE),
    ];
    Plan { acts, patience: Duration::from_secs(30) + RETRY, ..Plan::default() }
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
    Plan { faults: vec![entry], patience: HEALTH_CHECK, ..Plan::default() }
}

fn ten_times(random: &mut Random) -> Plan {
    Plan { acts: vec![Act::Repeat(moment(random, 1), 10)], ..Plan::default() }
}

/// The first attempts to deliver ACTIVE fail, and EventBridge tries again after the session's end.
fn active_after_ended(random: &mut Random) -> Plan {
    let late = json!({
        "service": "events", "operation": "Deliver", "target": "session-lifecycle",
        "times": 1 + random.below(2), "status": 500, "code": "InternalFailure"
    });
    Plan { faults: vec![late], patience: HEALTH_CHECK, ..Plan::default() }
}

fn replayed(random: &mut Random) -> Plan {
    Plan { acts: vec![Act::Replay(moment(random, 2))], ..Plan::default() }
}

fn starts_anew(random: &mut Random) -> Plan {
    let pause = Duration::from_millis(random.below(6_000));
    let kill = consumer(json!({ "kind": "kill", "delayMs": 50 + moment(random, 1).as_millis() }));
    let patience = RETRY + pause * SCALE;
    Plan { breaks: vec![pause], faults: vec![kill], patience, consumers: 2, ..Plan::default() }
}

fn stream_deleted(random: &mut Random) -> Plan {
    let acts = vec![Act::DeleteStream(moment(random, 1))];
    Plan { acts, beginning_only: true, patience: HEALTH_CHECK, ..Plan::default() }
}

fn not_delivered(_: &mut Random) -> Plan {
    // The rule's two retries and the first attempt fail, for ACTIVE and for ENDED.
    let lost = json!({
        "service": "events", "operation": "Deliver", "target": "session-lifecycle", "times": 6,
        "status": 500, "code": "InternalFailure"
    });
    Plan { faults: vec![lost], patience: HEALTH_CHECK, ..Plan::default() }
}

/// Fragments as WebRTC ingestion makes them; one is readable once it is whole.
fn ten_seconds(plan: Plan) -> Plan {
    Plan { fragment_ms: 10_000, patience: plan.patience + Duration::from_secs(10), ..plan }
}

fn ten_seconds_killed(random: &mut Random) -> Plan {
    ten_seconds(killed(random))
}

fn ten_seconds_hand_offs(_: &mut Random) -> Plan {
    ten_seconds(Plan { consumers: 4, ..links(10) })
}

/// The producer's connection breaks, and each time it goes back by some fragments.
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
    // The producer's own pauses before it connects again.
    Plan { times: 2, faults, speaker, patience: Duration::from_secs(60), ..Plan::default() }
}

fn sent_again_killed(random: &mut Random) -> Plan {
    let mut plan = sent_again(random);
    plan.faults.extend(killed(random).faults);
    Plan { times: 4, patience: RETRY + plan.patience, consumers: 2, ..plan }
}

fn stamped(random: &mut Random, stamps: Stamps) -> Plan {
    Plan { stamps: Some((stamps, random.next_u64())), ..Plan::default() }
}
