//! All packets are present and in order, but the block times do not match the packets' durations.
//! The audio must not be affected.

use std::time::Duration;

use simulator::EPOCH_MS;
use testkit::getmedia::{Fragment, Timed};
use testkit::pcm::Random;

use super::super::SimulatedFault;
use super::upload::{HAND_OFF, Upload, disturb, scenario};
use crate::scenario::Scenario;
use crate::stamps::{self, PACKET_MS, Stamps};

pub(in super::super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault {
        name: "block times jitter",
        scenario: |random| stamped(random, stamps::jitter),
    },
    SimulatedFault {
        name: "single blocks stamped late",
        scenario: |random| stamped(random, stamps::hiccups),
    },
    SimulatedFault {
        name: "blocks stamped on arrival, in bursts",
        scenario: |random| stamped(random, stamps::bursts),
    },
    SimulatedFault {
        name: "producer's clock drifts",
        scenario: |random| stamped(random, stamps::drift),
    },
    SimulatedFault {
        name: "block times step by another length",
        scenario: |random| stamped(random, stamps::steps),
    },
];

/// Delay from a fragment's first block to KVS.
const UPLINK_MS: i64 = 600;

/// Returns a session whose packets have these time stamps.
fn stamped(random: &mut Random, stamps: Stamps) -> Scenario {
    let mut scenario = scenario(random);
    let start = i64::try_from(EPOCH_MS).unwrap();
    let length = Duration::from_millis(scenario.fragment_ms.into());
    let per_fragment = usize::try_from(i64::from(scenario.fragment_ms) / PACKET_MS).unwrap();
    let stamps = stamps(random, scenario.packets.len());
    let mut upload = Upload::default();
    let mut at = Duration::ZERO;
    let fragments = scenario.packets.chunks(per_fragment).zip(stamps.chunks(per_fragment));
    for (packets, stamps) in fragments {
        // A Cluster's time is not negative.
        let base = stamps[0].max(0);
        let timed = packets.iter().zip(stamps).map(|(data, stamp)| Timed {
            offset_ms: stamp - base,
            data: data.clone(),
            discard_padding: 0,
        });
        let fragment = Fragment {
            number: None,
            server_ms: Some(start + i64::try_from(at.as_millis()).unwrap() + UPLINK_MS),
            producer_ms: Some(start + base),
            cluster_ms: Some(base),
            packets: timed.collect(),
            millis_behind_now: Some(0),
        };
        at += length;
        upload.put(at, &fragment);
    }
    upload.into_stream_of(&mut scenario);
    disturb(&mut scenario, random, HAND_OFF);
    scenario
}
