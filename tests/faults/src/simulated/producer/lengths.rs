//! Fragments of 1 to 20 s, where their length shows: in hand-offs, in catching up, and in the
//! drain.

use std::time::Duration;

use simulator::Odds;
use testkit::pcm::Random;

use super::super::{Fault, seconds};
use super::upload::{HAND_OFF, drained_by_a_successor};
use crate::scene::Scene;

pub(in super::super) const FAULTS: &[Fault] = &[
    Fault { name: "fragments of 1 to 20 s, hand-offs", scene: hand_offs },
    Fault { name: "fragments of 1 to 20 s, catching up", scene: catching_up },
    Fault { name: "fragments of 1 to 20 s, ended within one", scene: drained },
    Fault { name: "fragments of 1 to 20 s, ended within the first", scene: drained_early },
    Fault { name: "fragments of 1 to 20 s, killed in the drain", scene: killed_in_the_drain },
];

fn scene(random: &mut Random, least: u64) -> Scene {
    let mut scene =
        Scene::of(least + random.below(60), random.pick(&[1_000, 2_000, 10_000, 20_000]));
    scene.end += Duration::from_millis(random.below(1_000));
    scene.ended = vec![scene.end];
    scene
}

/// Consumers hand on at any place in a fragment, also while nothing was readable for 20 s.
fn hand_offs(random: &mut Random) -> Scene {
    let mut scene = scene(random, 100);
    let cold_start = Duration::from_millis(random.below(3_000));
    scene.prepare(move |lambda| {
        lambda.timeout = HAND_OFF + seconds(15);
        lambda.cold_start = cold_start;
    });
    // Without a reader until the next consumer runs.
    scene.patience = seconds(2) + cold_start;
    scene.drained_later = drained_by_a_successor(&scene) + cold_start;
    scene
}

/// The processor is away, and what KVS holds by then is read in one go, hand-offs in between.
fn catching_up(random: &mut Random) -> Scene {
    let mut scene = scene(random, 120);
    let (when, outage) = (seconds(20 + random.below(20)), seconds(30 + random.below(60)));
    if random.below(2) == 0 {
        scene.prepare(|lambda| lambda.timeout = HAND_OFF + seconds(15));
    }
    scene.at(when, |lambda| lambda.world.state().processor.odds = Odds::DOWN);
    scene.at(when + outage, |lambda| lambda.world.state().processor.odds = Odds::UP);
    // The breaker lets one chunk try every 15 s.
    scene.patience = outage + seconds(30);
    scene
}

/// The session ends anywhere in the last fragment, which KVS has only at its end. At least one was
/// read before: its length says how long to wait.
fn drained(random: &mut Random) -> Scene {
    let mut scene = scene(random, 45);
    let early = Duration::from_millis(random.below(u64::from(scene.fragment_ms)));
    scene.ended = vec![scene.end.saturating_sub(early), scene.end];
    scene
}

/// DELETE comes while KVS has nothing yet: what was said before it is in the fragment to come.
fn drained_early(random: &mut Random) -> Scene {
    let length = random.pick(&[10_000, 20_000]);
    let mut scene = Scene::of(u64::from(length) / 1_000, length);
    scene.ended = vec![Duration::from_millis(u64::from(length) / 2), scene.end];
    scene
}

fn killed_in_the_drain(random: &mut Random) -> Scene {
    let mut scene = scene(random, 20);
    let when = scene.end + Duration::from_millis(random.below(10_000));
    scene.at(when, |lambda| lambda.kill_all());
    scene.patience = seconds(75);
    scene.drained_later = seconds(75);
    scene
}
