//! Producers that reconnect, repeat fragments, send whole fragments, or have a wrong clock.

use std::time::Duration;

use serde_json::json;
use testkit::pcm::Random;

use super::runs::{killed, short_invocations};
use super::{RETRY, consumer, fault, random_time};
use crate::processes::{Plan, SCALE};
use crate::stamps::Stamps;

pub(super) fn starts_anew(random: &mut Random) -> Plan {
    let pause = Duration::from_millis(random.below(6_000));
    let kill =
        consumer(json!({ "kind": "kill", "delayMs": 50 + random_time(random, 1).as_millis() }));
    let max_pause = RETRY + pause * SCALE;
    Plan { breaks: vec![pause], faults: vec![kill], max_pause, ..Plan::default() }
}

/// Uses whole fragments of 10 s, as WebRTC ingestion may.
fn ten_seconds(plan: Plan) -> Plan {
    let speaker = vec!["--whole-fragments".to_owned()];
    let max_pause = plan.max_pause + Duration::from_secs(10);
    Plan { fragment_ms: 10_000, speaker, max_pause, ..plan }
}

pub(super) fn ten_seconds_killed(random: &mut Random) -> Plan {
    ten_seconds(killed(random))
}

pub(super) fn ten_seconds_hand_offs(_: &mut Random) -> Plan {
    ten_seconds(Plan { consumers: 4, ..short_invocations(10) })
}

/// The producer's connection fails, and the producer sends some fragments again each time.
pub(super) fn sent_again(random: &mut Random) -> Plan {
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

pub(super) fn sent_again_killed(random: &mut Random) -> Plan {
    let mut plan = sent_again(random);
    plan.faults.extend(killed(random).faults);
    Plan { times: 4, max_pause: RETRY + plan.max_pause, ..plan }
}

pub(super) fn stamped(random: &mut Random, stamps: Stamps) -> Plan {
    Plan { stamps: Some((stamps, random.next_u64())), ..Plan::default() }
}
