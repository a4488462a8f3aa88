//! GetMedia that fails or delivers damaged media.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::pcm::Random;

use super::fault;
use crate::processes::Plan;

fn get_media(more: Value) -> Value {
    fault("kinesisvideo", "GetMedia", "session-", more)
}

pub(super) fn cut(random: &mut Random) -> Plan {
    let count = 1 + random.below(6);
    let cut = |random: &mut Random| {
        get_media(json!({ "kind": "cut", "extra": { "afterBytes": random.below(60_000) } }))
    };
    let faults = (0..count).map(|_| cut(random)).collect();
    Plan { faults, max_pause: Duration::from_secs(60), ..Plan::default() }
}

pub(super) fn ended(random: &mut Random) -> Plan {
    let count = 1 + random.below(6);
    let end = |random: &mut Random| {
        get_media(json!({ "kind": "end", "extra": { "afterBytes": random.below(60_000) } }))
    };
    let faults = (0..count).map(|_| end(random)).collect();
    Plan { faults, max_pause: Duration::from_secs(60), ..Plan::default() }
}

/// Damages the start of a connection's first document.
pub(super) fn damaged(random: &mut Random) -> Plan {
    let damage = |random: &mut Random| {
        let extra = json!({ "afterBytes": random.below(40), "bytes": 1 + random.below(40) });
        get_media(json!({ "kind": "damage", "extra": extra }))
    };
    let cut = get_media(json!({ "kind": "cut", "extra": { "afterBytes": random.below(60_000) } }));
    let faults = vec![damage(random), cut, damage(random)];
    Plan { faults, max_pause: Duration::from_secs(60), ..Plan::default() }
}

pub(super) fn stalled(random: &mut Random) -> Plan {
    let stall = get_media(json!({
        "kind": "stall", "delayMs": random.below(2_000), "extra": { "afterBytes": random.below(60_000) }
    }));
    Plan { faults: vec![stall], max_pause: Duration::from_secs(60), ..Plan::default() }
}

pub(super) fn refused(random: &mut Random) -> Plan {
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

pub(super) fn error_tags(random: &mut Random) -> Plan {
    let ids = [3002, 4000, 4500, 4503, 4506, 5000];
    let faults = (0..1 + random.below(4)).map(|_| {
        let id = ids[usize::try_from(random.below(6)).unwrap()];
        let extra = json!({ "errorId": id, "afterBytes": random.below(60_000) });
        get_media(json!({ "kind": "error-tag", "extra": extra }))
    });
    Plan { faults: faults.collect(), max_pause: Duration::from_secs(60), ..Plan::default() }
}

pub(super) fn endpoint_moved(random: &mut Random) -> Plan {
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
