//! GetMedia faults: ends, cuts, stalls, refusals, error tags, and damaged bytes.

use std::time::Duration;

use session::ErrorKind;
use simulator::kvs::{Break, How, open_error};
use testkit::pcm::Random;

use super::{SimulatedFault, seconds};
use crate::scenario::Scenario;

/// Several failed calls in a row, each followed by a back-off with full jitter up to 10 s.
const RECONNECTS: Duration = seconds(60);

pub(super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "GetMedia ended cleanly at any byte", scenario: ended },
    SimulatedFault { name: "GetMedia cut at any byte", scenario: cut },
    SimulatedFault { name: "GetMedia stalled", scenario: stalled },
    SimulatedFault { name: "GetMedia refused", scenario: refused },
    SimulatedFault { name: "GetMedia: stream not found for a while", scenario: not_found },
    SimulatedFault { name: "GetMedia ended at its maximum duration", scenario: short_connections },
    SimulatedFault { name: "GetMedia error tags 3002, 4000, 45xx, 5000", scenario: error_tags },
    SimulatedFault { name: "GetMedia document damaged on the way", scenario: damaged },
    SimulatedFault { name: "stream deleted under the reader", scenario: deleted },
    SimulatedFault { name: "stream reused by another session", scenario: reused },
];

/// Returns faults of the next `count` bodies, each in the first half minute of audio.
fn breaks(random: &mut Random, count: u64, how: impl Fn(&mut Random) -> How) -> Vec<Break> {
    (0..count)
        .map(|_| {
            let after = usize::try_from(random.below(60_000)).unwrap();
            Break { after, how: how(random) }
        })
        .collect()
}

fn disturbed(random: &mut Random, how: impl Fn(&mut Random) -> How) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let count = 1 + random.below(8);
    let breaks = breaks(random, count, how);
    scenario.prepare(move |lambda| lambda.world.state().kvs.breaks = breaks.into());
    scenario.max_pause = RECONNECTS;
    scenario
}

fn ended(random: &mut Random) -> Scenario {
    disturbed(random, |_| How::End)
}

fn cut(random: &mut Random) -> Scenario {
    disturbed(random, |_| How::Cut)
}

fn stalled(random: &mut Random) -> Scenario {
    disturbed(random, |random| How::Stall(Duration::from_millis(random.below(60_000))))
}

fn error_tags(random: &mut Random) -> Scenario {
    disturbed(random, |random| {
        let ids = [3002, 4000, 4500, 4501, 4502, 4503, 4504, 4505, 4506, 5000];
        How::Tag(ids[usize::try_from(random.below(10)).unwrap()])
    })
}

fn damaged(random: &mut Random) -> Scenario {
    disturbed(random, |_| How::DamagedHeader)
}

fn refused(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let errors = [
        open_error(ErrorKind::Throttled, "ClientLimitExceededException"),
        open_error(ErrorKind::Throttled, "ConnectionLimitExceededException"),
        open_error(ErrorKind::Denied, "NotAuthorizedException"),
        open_error(ErrorKind::Denied, "InternalFailure"),
    ];
    let count = 1 + random.below(8);
    let drawn: Vec<_> =
        (0..count).map(|_| errors[usize::try_from(random.below(4)).unwrap()].clone()).collect();
    let when = scenario.random_time(random);
    // The end of the body causes the next call.
    scenario.at(when, move |lambda| {
        let kvs = &mut lambda.world.state().kvs;
        kvs.open_errors = drawn.into();
        kvs.longest = Duration::ZERO;
    });
    scenario.at(when + Duration::from_millis(100), |lambda| {
        lambda.world.state().kvs.longest = seconds(2_700);
    });
    scenario.max_pause = RECONNECTS;
    scenario
}

fn not_found(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let count = usize::try_from(1 + random.below(6)).unwrap();
    scenario.prepare(move |lambda| {
        let errors = std::iter::repeat_n(
            open_error(ErrorKind::NotFound, "ResourceNotFoundException"),
            count,
        );
        lambda.world.state().kvs.open_errors = errors.collect();
    });
    scenario.max_pause = RECONNECTS;
    scenario
}

fn short_connections(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let longest = Duration::from_millis(1_000 + random.below(15_000));
    scenario.prepare(move |lambda| lambda.world.state().kvs.longest = longest);
    scenario.max_pause = seconds(5);
    // A connection that ends before KVS's idle time does not prove that the stream is drained.
    scenario.extra_drain_time = Duration::from_secs(25);
    scenario
}

fn deleted(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let when = scenario.random_time(random);
    scenario.at(when, |lambda| lambda.world.state().kvs.deleted = true);
    scenario.prefix_only = true;
    // The consumer treats a stream as deleted only after GetMedia has reported it for a while.
    scenario.extra_drain_time = Duration::from_secs(25);
    scenario
}

fn reused(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::ordinary(random);
    let own = scenario.stream();
    let other = testkit::getmedia::Framing {
        session_id: Some("other-speaker-7".into()),
        ..testkit::getmedia::Framing::default()
    };
    let intruders = Scenario::of(20, 1_000).fragments();
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
    scenario.stored = Some(stored);
    scenario
}

/// Returns the fragment number directly before `number`.
fn before(number: &str) -> String {
    let (head, tail) = number.split_at(number.len() - 15);
    let tail: u64 = tail.parse().unwrap();
    format!("{head}{:015}", tail.saturating_sub(1))
}
