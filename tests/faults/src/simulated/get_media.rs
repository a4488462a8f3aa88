//! GetMedia ends, breaks, stalls, refuses, reports errors, or sends damaged bytes.

use std::time::Duration;

use session::ErrorKind;
use simulator::kvs::{Break, How, open_error};
use testkit::pcm::Random;

use super::{Fault, seconds};
use crate::scene::Scene;

/// A few failed calls in a row, each waited for with full jitter up to 10 s.
const RECONNECTS: Duration = seconds(60);

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "GetMedia ended cleanly at any byte", scene: ended },
    Fault { name: "GetMedia cut at any byte", scene: cut },
    Fault { name: "GetMedia stalled", scene: stalled },
    Fault { name: "GetMedia refused", scene: refused },
    Fault { name: "GetMedia: stream not found for a while", scene: not_found },
    Fault { name: "GetMedia ended at its maximum duration", scene: short_connections },
    Fault { name: "GetMedia error tags 3002, 4000, 45xx, 5000", scene: error_tags },
    Fault { name: "GetMedia document damaged on the way", scene: damaged },
    Fault { name: "stream deleted under the reader", scene: deleted },
    Fault { name: "stream reused by another session", scene: reused },
];

/// `count` bodies in a row, each disturbed somewhere in its first half minute of audio.
fn breaks(random: &mut Random, count: u64, how: impl Fn(&mut Random) -> How) -> Vec<Break> {
    (0..count)
        .map(|_| {
            let after = usize::try_from(random.below(60_000)).unwrap();
            Break { after, how: how(random) }
        })
        .collect()
}

fn disturbed(random: &mut Random, how: impl Fn(&mut Random) -> How) -> Scene {
    let mut scene = Scene::ordinary(random);
    let count = 1 + random.below(8);
    let breaks = breaks(random, count, how);
    scene.prepare(move |lambda| lambda.world.state().kvs.breaks = breaks.into());
    scene.patience = RECONNECTS;
    scene
}

fn ended(random: &mut Random) -> Scene {
    disturbed(random, |_| How::End)
}

fn cut(random: &mut Random) -> Scene {
    disturbed(random, |_| How::Cut)
}

fn stalled(random: &mut Random) -> Scene {
    disturbed(random, |random| How::Stall(Duration::from_millis(random.below(60_000))))
}

fn error_tags(random: &mut Random) -> Scene {
    disturbed(random, |random| {
        let ids = [3002, 4000, 4500, 4501, 4502, 4503, 4504, 4505, 4506, 5000];
        How::Tag(ids[usize::try_from(random.below(10)).unwrap()])
    })
}

fn damaged(random: &mut Random) -> Scene {
    disturbed(random, |_| How::DamagedHeader)
}

fn refused(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let errors = [
        open_error(ErrorKind::Throttled, "ClientLimitExceededException"),
        open_error(ErrorKind::Throttled, "ConnectionLimitExceededException"),
        open_error(ErrorKind::Denied, "NotAuthorizedException"),
        open_error(ErrorKind::Denied, "InternalFailure"),
    ];
    let count = 1 + random.below(8);
    let drawn: Vec<_> =
        (0..count).map(|_| errors[usize::try_from(random.below(4)).unwrap()].clone()).collect();
    let when = scene.moment(random);
    // A body that ends makes the reader call again.
    scene.at(when, move |lambda| {
        let kvs = &mut lambda.world.state().kvs;
        kvs.open_errors = drawn.into();
        kvs.longest = Duration::ZERO;
    });
    scene.at(when + Duration::from_millis(100), |lambda| {
        lambda.world.state().kvs.longest = seconds(2_700);
    });
    scene.patience = RECONNECTS;
    scene
}

fn not_found(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let count = usize::try_from(1 + random.below(6)).unwrap();
    scene.prepare(move |lambda| {
        let errors = std::iter::repeat_n(
            open_error(ErrorKind::NotFound, "ResourceNotFoundException"),
            count,
        );
        lambda.world.state().kvs.open_errors = errors.collect();
    });
    scene.patience = RECONNECTS;
    scene
}

fn short_connections(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let longest = Duration::from_millis(1_000 + random.below(15_000));
    scene.prepare(move |lambda| lambda.world.state().kvs.longest = longest);
    scene.patience = seconds(5);
    // Below KVS's idle time no end says that there is nothing more.
    scene.drained_later = Duration::from_secs(25);
    scene
}

fn deleted(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let when = scene.moment(random);
    scene.at(when, |lambda| lambda.world.state().kvs.gone = true);
    scene.beginning_only = true;
    // A stream that is not there is believed to be gone when that lasts.
    scene.drained_later = Duration::from_secs(25);
    scene
}

fn reused(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let own = scene.stream();
    let other = testkit::getmedia::Framing {
        session_id: Some("other-speaker-7".into()),
        ..testkit::getmedia::Framing::default()
    };
    let intruders = Scene::of(20, 1_000).fragments();
    let mut stored = Vec::new();
    for (index, fragment) in own.into_iter().enumerate() {
        if random.below(3) == 0
            && let Some(intruder) = intruders.get(index)
        {
            // Its number lies between those of the fragments around it.
            let mut intruder = intruder.clone();
            intruder.number = Some(before(&fragment.number));
            stored.push(simulator::kvs::Stored::new(fragment.at, &other, &intruder));
        }
        stored.push(fragment);
    }
    scene.stored = Some(stored);
    scene
}

/// The fragment number right before `number`.
fn before(number: &str) -> String {
    let (head, tail) = number.split_at(number.len() - 15);
    let tail: u64 = tail.parse().unwrap();
    format!("{head}{:015}", tail.saturating_sub(1))
}
