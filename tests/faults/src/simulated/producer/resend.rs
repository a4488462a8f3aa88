//! The producer sends again what KVS has already: after a reconnect AWS's producer SDKs go back to
//! the last fragment that KVS acknowledged, or further. The same producer time, the same bytes,
//! another fragment number.

use std::time::Duration;

use testkit::getmedia::Fragment;
use testkit::pcm::Random;

use super::super::{Fault, seconds};
use super::upload::{HAND_OFF, Upload, disturb};
use crate::scene::Scene;

pub(in super::super) const FAULTS: &[Fault] = &[
    Fault { name: "fragments sent again after a reconnect", scene: again },
    Fault { name: "half a fragment, then the whole", scene: half_then_whole },
    Fault { name: "fragments sent again by two reconnects in a row", scene: twice },
    Fault { name: "fragments sent again as a new producer session", scene: new_session },
    Fault { name: "half and fragments sent again, sessions anew", scene: everything },
];

/// Fragments that a producer goes back by at most.
const MOST_BACK: u64 = 5;

/// How a producer reconnects.
#[derive(Debug, Clone, Copy, Default)]
struct Reconnect {
    /// The fragment at hand was stored in part.
    half: bool,
    /// The connection breaks once more after what was sent again.
    twice: bool,
    /// Timecodes start at 0 again, with another producer start: the producer's time is the same.
    new_session: bool,
}

fn again(random: &mut Random) -> Scene {
    reconnects(random, Reconnect::default())
}

fn half_then_whole(random: &mut Random) -> Scene {
    reconnects(random, Reconnect { half: true, ..Reconnect::default() })
}

fn twice(random: &mut Random) -> Scene {
    reconnects(random, Reconnect { twice: true, ..Reconnect::default() })
}

fn new_session(random: &mut Random) -> Scene {
    reconnects(random, Reconnect { new_session: true, ..Reconnect::default() })
}

fn everything(random: &mut Random) -> Scene {
    reconnects(random, Reconnect { half: true, twice: true, new_session: true })
}

fn reconnects(random: &mut Random, how: Reconnect) -> Scene {
    // Five of 10 s reach back 50 s; repeats must be recognised over 60 s.
    let fragment_ms = random.pick(&[1_000, 2_000, 2_000, 5_000, 10_000]);
    let mut scene = Scene::of(60 + random.below(40), fragment_ms);
    let length = Duration::from_millis(fragment_ms.into());
    let fragments = scene.fragments();
    // One reconnect where a hand-off would be, so that the next consumer gets what the last one
    // had.
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
                let back = usize::try_from(1 + random.below(MOST_BACK)).unwrap().min(index);
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
    upload.into_stream_of(&mut scene);
    disturb(&mut scene, random, length * u32::try_from(hand_off).unwrap() + length / 2);
    if how.half {
        // What of the half fills no chunk waits for the whole.
        scene.patience = scene.patience.max(seconds(2) + length / 2);
    }
    scene
}

/// The fragment as a session writes it that started at `session` by the first one's timecodes.
fn in_session(fragment: &Fragment, session: i64) -> Fragment {
    Fragment { cluster_ms: fragment.cluster_ms.map(|ms| ms - session), ..fragment.clone() }
}

/// What was stored of a fragment whose connection broke: a quarter to three quarters.
fn half(fragment: &Fragment, random: &mut Random) -> Fragment {
    let packets = fragment.packets.len();
    let kept = packets / 4 + usize::try_from(random.below(1 + packets as u64 / 2)).unwrap();
    Fragment { packets: fragment.packets[..kept].to_vec(), ..fragment.clone() }
}
