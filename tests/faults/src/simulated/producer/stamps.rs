//! Every packet is there, in order and whole; only the blocks' times are not what the packets last.
//! Nothing of it may be heard.

use std::time::Duration;

use simulator::EPOCH_MS;
use testkit::getmedia::{Fragment, Timed};
use testkit::pcm::Random;

use super::super::Fault;
use super::upload::{HAND_OFF, Upload, disturb, scene};
use crate::scene::Scene;
use crate::stamps::{self, PACKET_MS, Stamps};

pub(in super::super) const FAULTS: &[Fault] = &[
    Fault { name: "block times jitter", scene: |random| stamped(random, stamps::jitter) },
    Fault { name: "single blocks stamped late", scene: |random| stamped(random, stamps::hiccups) },
    Fault {
        name: "blocks stamped on arrival, in bursts",
        scene: |random| stamped(random, stamps::bursts),
    },
    Fault { name: "producer's clock drifts", scene: |random| stamped(random, stamps::drift) },
    Fault {
        name: "block times step by another length",
        scene: |random| stamped(random, stamps::steps),
    },
];

/// From a fragment's first block to KVS.
const UPLINK_MS: i64 = 600;

/// A session whose packets are stamped so.
fn stamped(random: &mut Random, stamps: Stamps) -> Scene {
    let mut scene = scene(random);
    let start = i64::try_from(EPOCH_MS).unwrap();
    let length = Duration::from_millis(scene.fragment_ms.into());
    let per_fragment = usize::try_from(i64::from(scene.fragment_ms) / PACKET_MS).unwrap();
    let stamps = stamps(random, scene.packets.len());
    let mut upload = Upload::default();
    let mut at = Duration::ZERO;
    let fragments = scene.packets.chunks(per_fragment).zip(stamps.chunks(per_fragment));
    for (packets, stamps) in fragments {
        // A Cluster has no time before 0.
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
    upload.into_stream_of(&mut scene);
    disturb(&mut scene, random, HAND_OFF);
    scene
}
