//! The processor fails, is away, is slow, or does not say what it did.

use std::time::Duration;

use simulator::Odds;
use testkit::pcm::Random;

use super::{Fault, seconds};
use crate::scene::Scene;

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "processor fails now and then", scene: fails },
    Fault { name: "processor takes, and its answer is lost", scene: answers_lost },
    Fault { name: "processor never answers now and then", scene: silent },
    Fault { name: "processor down for minutes", scene: down },
    Fault { name: "processor at half the speed, then fast", scene: slow },
    Fault { name: "processor down over hand-offs", scene: down_over_hand_offs },
];

fn with_odds(random: &mut Random, odds: Odds, patience: Duration) -> Scene {
    let mut scene = Scene::ordinary(random);
    scene.prepare(move |lambda| lambda.world.state().processor.odds = odds);
    scene.patience = patience;
    scene
}

fn fails(random: &mut Random) -> Scene {
    let refused = random.below(400);
    with_odds(random, Odds { refused, ..Odds::UP }, seconds(90))
}

fn answers_lost(random: &mut Random) -> Scene {
    let lost = random.below(400);
    with_odds(random, Odds { lost, ..Odds::UP }, seconds(90))
}

fn silent(random: &mut Random) -> Scene {
    // Each silence costs an attempt's 62 s.
    let silent = random.below(60);
    with_odds(random, Odds { silent, ..Odds::UP }, seconds(64 * 3))
}

/// Down from `when` for `outage`.
fn outage(scene: &mut Scene, when: Duration, outage: Duration) {
    scene.at(when, |lambda| lambda.world.state().processor.odds = Odds::DOWN);
    scene.at(when + outage, |lambda| lambda.world.state().processor.odds = Odds::UP);
    // The breaker lets one chunk try every 15 s.
    scene.patience = outage + seconds(30);
}

fn down(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let (when, minutes) = (scene.moment(random), 1 + random.below(10));
    outage(&mut scene, when, seconds(60 * minutes));
    scene
}

fn slow(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let when = scene.moment(random);
    let for_a_while = seconds(20 + random.below(40));
    scene.at(when, |lambda| {
        lambda.world.state().processor.takes_per_second = seconds(2);
    });
    scene.at(when + for_a_while, |lambda| {
        lambda.world.state().processor.takes_per_second = Duration::ZERO;
    });
    // A payload of 4 s takes it 8 s.
    scene.patience = seconds(17);
    // It may be slow beyond the end.
    scene.drained_later = (when + for_a_while).saturating_sub(scene.end);
    scene
}

fn down_over_hand_offs(random: &mut Random) -> Scene {
    let mut scene = Scene::of(60 + random.below(60), 1_000);
    scene.prepare(|lambda| lambda.timeout = seconds(60));
    let when = scene.moment(random);
    outage(&mut scene, when, seconds(60 + random.below(240)));
    scene
}
