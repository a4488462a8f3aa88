//! DynamoDB throttles, is away, or answers nothing.

use simulator::Odds;
use simulator::lambda::Call;
use testkit::pcm::Random;

use super::{Fault, seconds};
use crate::scene::Scene;

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "DynamoDB throttles", scene: throttles },
    Fault { name: "DynamoDB takes writes and loses answers", scene: loses_answers },
    Fault { name: "DynamoDB silent now and then", scene: silent },
    Fault { name: "DynamoDB away for 30 s", scene: away },
    Fault { name: "DynamoDB away during a hand-off", scene: away_during_a_hand_off },
];

fn with_odds(random: &mut Random, odds: Odds) -> Scene {
    let mut scene = Scene::ordinary(random);
    scene.prepare(move |lambda| lambda.world.state().table.odds = odds);
    scene.patience = seconds(75);
    scene
}

fn throttles(random: &mut Random) -> Scene {
    let refused = random.below(400);
    with_odds(random, Odds { refused, ..Odds::UP })
}

fn loses_answers(random: &mut Random) -> Scene {
    let lost = random.below(400);
    with_odds(random, Odds { lost, ..Odds::UP })
}

fn silent(random: &mut Random) -> Scene {
    let silent = random.below(100);
    with_odds(random, Odds { silent, ..Odds::UP })
}

fn away(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let when = scene.moment(random);
    scene.at(when, |lambda| lambda.world.state().table.odds = Odds::DOWN);
    scene.at(when + seconds(30), |lambda| lambda.world.state().table.odds = Odds::UP);
    scene.patience = seconds(30 + 75);
    scene
}

fn away_during_a_hand_off(random: &mut Random) -> Scene {
    let mut scene = Scene::of(90 + random.below(30), 1_000);
    scene.prepare(|lambda| lambda.timeout = seconds(60));
    let when = seconds(40 + random.below(20));
    scene.at(when, |lambda| lambda.world.state().table.odds = Odds::DOWN);
    scene.at(when + seconds(30), |lambda| lambda.world.state().table.odds = Odds::UP);
    // Another start may come in the middle of it.
    scene.at(when + seconds(random.below(40)), |lambda| lambda.invoke(Call::Start));
    scene.patience = seconds(360);
    scene
}
