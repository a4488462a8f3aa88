//! The consumer dies, is frozen, hands on, or has the wrong time.

use std::time::Duration;

use simulator::Odds;
use simulator::lambda::Call;
use testkit::pcm::Random;

use super::{Fault, seconds};
use crate::scene::Scene;

/// Lambda tries a failed event again after a minute; the dead holder's lease has lapsed by then.
const RETRY: Duration = seconds(75);
/// What the health check needs when nothing else helps.
const HEALTH_CHECK: Duration = seconds(360);
/// A timeout that makes many links of a short session.
const SHORT: Duration = seconds(60);

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "consumer killed", scene: killed },
    Fault { name: "consumer killed again and again", scene: killed_again },
    Fault { name: "consumer killed, every retry lost", scene: killed_for_good },
    Fault { name: "consumer dies at its start", scene: stillborn },
    Fault { name: "Lambda timeout earlier than announced", scene: timed_out },
    Fault { name: "20 hand-offs", scene: twenty_hand_offs },
    Fault { name: "hand-offs between two builds", scene: two_builds },
    Fault { name: "hand-off throttled", scene: hand_off_throttled },
    Fault { name: "hand-off accepted and lost", scene: hand_off_lost },
    Fault { name: "hand-off refused until the end", scene: hand_off_refused },
    Fault { name: "hand-off announced twice", scene: hand_off_doubled },
    Fault { name: "successor dies", scene: successor_dies },
    Fault { name: "zombie wakes after its lease was taken", scene: zombie },
    Fault { name: "clocks 5 s apart, killed", scene: clocks_apart },
    Fault { name: "clocks 5 s apart, hand-offs", scene: clocks_apart_hand_offs },
];

/// Long enough that nothing but the retry or the health check can come to the rescue.
fn long(random: &mut Random, seconds: u64) -> Scene {
    Scene::of(seconds + random.below(60), 2_000)
}

fn killed(random: &mut Random) -> Scene {
    let mut scene = long(random, 100);
    let when = scene.moment(random);
    scene.at(when, |lambda| lambda.kill_all());
    scene.patience = RETRY;
    scene
}

fn killed_again(random: &mut Random) -> Scene {
    let mut scene = long(random, 300);
    for _ in 0..2 + random.below(3) {
        let when = scene.moment(random);
        scene.at(when, |lambda| lambda.kill_all());
    }
    scene.patience = HEALTH_CHECK;
    scene
}

fn killed_for_good(random: &mut Random) -> Scene {
    let mut scene = long(random, 400);
    let when = scene.moment(random);
    scene.at(when, |lambda| lambda.kill_all_for_good());
    scene.patience = HEALTH_CHECK;
    scene
}

fn stillborn(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let attempts = 1 + u32::try_from(random.below(2)).unwrap();
    scene.prepare(move |lambda| lambda.stillborn = attempts);
    // Two attempts lost: the third comes three minutes after the event.
    scene.patience = seconds(181);
    scene
}

fn timed_out(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let timeout = seconds(5 + random.below(20));
    scene.at(timeout, |lambda| lambda.kill_all());
    scene.patience = RETRY;
    scene
}

fn links(seconds: u64, fragment_ms: u32) -> Scene {
    let mut scene = Scene::of(seconds, fragment_ms);
    scene.prepare(|lambda| lambda.timeout = SHORT);
    // A link that takes over in the drain asks KVS once more.
    scene.drained_later = Duration::from_secs(3);
    scene
}

fn twenty_hand_offs(_: &mut Random) -> Scene {
    // Links of 60 s begin to hand on after 45 s.
    links(46 * 21, 2_000)
}

/// Every other link is of the build before: it writes checkpoints of the version before.
fn two_builds(random: &mut Random) -> Scene {
    let mut scene = links(180 + random.below(60), 2_000);
    scene.prepare(|lambda| lambda.world.state().table.builds_differ = true);
    let when = scene.moment(random);
    scene.at(when, |lambda| lambda.kill_newest());
    scene.patience = RETRY;
    scene
}

fn hand_off_throttled(random: &mut Random) -> Scene {
    let mut scene = links(60 + random.below(60), 1_000);
    let errors = 1 + random.below(6);
    scene.prepare(move |lambda| lambda.world.state().link_errors = errors);
    scene
}

fn hand_off_lost(random: &mut Random) -> Scene {
    let mut scene = links(60 + random.below(60), 1_000);
    scene.prepare(|lambda| lambda.world.state().links_lost = 1);
    scene.patience = seconds(3);
    scene
}

fn hand_off_refused(random: &mut Random) -> Scene {
    let mut scene = links(90 + random.below(30), 1_000);
    scene.prepare(|lambda| lambda.world.state().link_odds = Odds::DOWN);
    scene.at(seconds(65), |lambda| lambda.world.state().link_odds = Odds::UP);
    scene.patience = HEALTH_CHECK;
    scene
}

fn hand_off_doubled(random: &mut Random) -> Scene {
    let mut scene = links(60 + random.below(60), 1_000);
    let delay = random.below(30_000);
    scene.at(seconds(40) + Duration::from_millis(delay), |lambda| {
        lambda.invoke(Call::Continue(1));
        lambda.invoke(Call::Continue(1));
    });
    scene
}

fn successor_dies(random: &mut Random) -> Scene {
    let mut scene = links(60 + random.below(60), 1_000);
    let delay = random.below(4_000);
    scene.at(seconds(45) + Duration::from_millis(delay), |lambda| lambda.kill_newest());
    scene.patience = RETRY;
    scene
}

fn zombie(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let when = scene.moment(random);
    let asleep = Duration::from_millis(1_000 + random.below(60_000));
    scene.at(when, |lambda| lambda.freeze_all(true));
    // A repeated event finds the lease lapsing and takes over.
    scene.at(when + seconds(3), |lambda| lambda.invoke(Call::Start));
    scene.at(when + asleep, |lambda| lambda.freeze_all(false));
    scene.patience = RETRY;
    scene
}

fn clocks_apart(random: &mut Random) -> Scene {
    let mut scene = killed(random);
    scene.prepare(|lambda| lambda.skew_ms = 5_000);
    // The stop's time is another clock's.
    scene.drained_later += seconds(5);
    scene
}

fn clocks_apart_hand_offs(random: &mut Random) -> Scene {
    let mut scene = links(100 + random.below(60), 2_000);
    scene.prepare(|lambda| lambda.skew_ms = 5_000);
    // The stop's time is another clock's.
    scene.drained_later += seconds(5);
    scene
}
