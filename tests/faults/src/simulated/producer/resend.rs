//! The producer sends stored audio again: after a reconnect, AWS's producer SDKs go back to the
//! last fragment that KVS acknowledged, or further. Producer time and bytes are the same; the
//! fragment number is new.

use std::time::Duration;

use testkit::getmedia::Fragment;
use testkit::pcm::Random;

use super::super::{SimulatedFault, seconds};
use super::upload::{HAND_OFF, Upload, disturb};
use crate::scenario::Scenario;

pub(in super::super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "fragments sent again after a reconnect", scenario: again },
    SimulatedFault { name: "half a fragment, then the whole", scenario: half_then_whole },
    SimulatedFault { name: "fragments sent again by two reconnects in a row", scenario: twice },
    SimulatedFault {
        name: "fragments sent again as a new producer session",
        scenario: new_session,
    },
    SimulatedFault { name: "half and fragments sent again, sessions anew", scenario: everything },
];

/// Maximum number of fragments that a producer sends again.
const MAX_ROLLBACK: u64 = 5;

/// How a producer reconnects.
#[derive(Debug, Clone, Copy, Default)]
struct Reconnect {
    /// The current fragment was stored in part.
    half: bool,
    /// The connection fails again after the repeated fragments.
    twice: bool,
    /// Timecodes restart at 0 with another producer start, so the producer time is unchanged.
    new_session: bool,
}

fn again(random: &mut Random) -> Scenario {
    reconnects(random, Reconnect::default())
}

fn half_then_whole(random: &mut Random) -> Scenario {
    reconnects(random, Reconnect { half: true, ..Reconnect::default() })
}

fn twice(random: &mut Random) -> Scenario {
    reconnects(random, Reconnect { twice: true, ..Reconnect::default() })
}

fn new_session(random: &mut Random) -> Scenario {
    reconnects(random, Reconnect { new_session: true, ..Reconnect::default() })
}

fn everything(random: &mut Random) -> Scenario {
    reconnects(random, Reconnect { half: true, twice: true, new_session: true })
}

fn reconnects(random: &mut Random, how: Reconnect) -> Scenario {
    // Five fragments of 10 s reach back 50 s; repeats must be recognised over 60 s.
    let fragment_ms = random.pick(&[1_000, 2_000, 2_000, 5_000, 10_000]);
    let mut scenario = Scenario::of(60 + random.below(40), fragment_ms);
    let length = Duration::from_millis(fragment_ms.into());
    let fragments = scenario.fragments();
    // One reconnect at the time of a hand-off, so that the successor receives audio that its
    // predecessor delivered.
    let hand_off = usize::try_from(HAND_OFF.as_millis() / length.as_millis()).unwrap();
    let mut reconnects = vec![hand_off];
    for _ in 0..random.below(3) {
        reconnects.push(1 + usize::try_from(random.below(fragments.len() as u64 - 1)).unwrap());
    }
    let mut upload = Upload::default();
    let mut session = 0;
    for (index, fragment) in fragments.iter().enumerate() {
        let whole = length * (u32::try_from(index).unwrap() + 1);
        if reconnects.contains(&index) {
            let broken = whole - length / 2;
            if how.half {
                upload.put(broken, &in_session(&half(fragment, random), session));
            }
            for _ in 0..=u8::from(how.twice) {
                let back = usize::try_from(1 + random.below(MAX_ROLLBACK)).unwrap().min(index);
                let again = &fragments[index - back..index];
                if how.new_session {
                    session = again[0].cluster_ms.unwrap_or_default();
                }
                for fragment in again {
                    upload.put_again(broken, &in_session(fragment, session));
                }
            }
        }
        upload.put(whole, &in_session(fragment, session));
    }
    upload.into_stream_of(&mut scenario);
    disturb(&mut scenario, random, length * u32::try_from(hand_off).unwrap() + length / 2);
    if how.half {
        // The last part of the half fills no chunk and waits for the whole fragment.
        scenario.max_pause = scenario.max_pause.max(seconds(2) + length / 2);
    }
    scenario
}

/// Returns the fragment with timecodes of a producer session that started at `session`.
fn in_session(fragment: &Fragment, session: i64) -> Fragment {
    Fragment { cluster_ms: fragment.cluster_ms.map(|ms| ms - session), ..fragment.clone() }
}

/// Returns the stored part of an interrupted fragment: a quarter to three quarters.
fn half(fragment: &Fragment, random: &mut Random) -> Fragment {
    let packets = fragment.packets.len();
    let kept = packets / 4 + usize::try_from(random.below(1 + packets as u64 / 2)).unwrap();
    Fragment { packets: fragment.packets[..kept].to_vec(), ..fragment.clone() }
}
