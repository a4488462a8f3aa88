//! Events come late, often, in the wrong order, or not at all; the consumer is throttled.

use std::time::Duration;

use simulator::lambda::Call;
use testkit::pcm::Random;
use tokio::time::Instant;

use super::{Fault, seconds};
use crate::scene::Scene;

/// What the health check needs when nothing else helps.
const HEALTH_CHECK: Duration = seconds(360);

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "ACTIVE ten times at once", scene: ten_times },
    Fault { name: "ACTIVE an hour late", scene: an_hour_late },
    Fault { name: "ACTIVE never", scene: never },
    Fault { name: "ACTIVE after ENDED", scene: after_ended },
    Fault { name: "ENDED lost", scene: ended_lost },
    Fault { name: "ENDED repeated", scene: ended_repeated },
    Fault { name: "ACTIVE and ENDED lost", scene: both_lost },
    Fault { name: "archived events replayed", scene: replayed },
    Fault { name: "consumer throttled at its concurrency limit", scene: throttled },
    Fault { name: "consumer throttled at ENDED", scene: throttled_at_the_end },
];

fn ten_times(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    scene.active = (0..10).map(|_| Duration::from_millis(random.below(200))).collect();
    scene
}

fn an_hour_late(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    scene.active = vec![seconds(3_600)];
    scene.patience = scene.end + seconds(5);
    scene
}

fn never(random: &mut Random) -> Scene {
    let mut scene = Scene::of(400, 5_000);
    scene.end += seconds(random.below(10));
    scene.ended = vec![scene.end];
    scene.active.clear();
    scene.patience = HEALTH_CHECK;
    scene
}

fn after_ended(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    scene.active = vec![scene.end + Duration::from_millis(random.below(60_000))];
    scene.patience = scene.end + seconds(5);
    scene
}

fn ended_lost(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    scene.ended.clear();
    scene
}

fn ended_repeated(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let again = |random: &mut Random| Duration::from_millis(random.below(90_000));
    scene.ended = (0..5).map(|_| scene.end + again(random)).collect();
    scene
}

fn both_lost(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    scene.active.clear();
    scene.ended.clear();
    scene.patience = HEALTH_CHECK;
    scene
}

fn replayed(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    for _ in 0..4 {
        let when = scene.moment(random);
        scene.at(when, |lambda| lambda.invoke(Call::Start));
    }
    let after = scene.end + seconds(60 + random.below(600));
    scene.at(after, |lambda| {
        lambda.invoke(Call::Start);
        lambda.invoke(Call::Stop);
    });
    scene
}

fn throttle(scene: &mut Scene, when: Duration, time: Duration) {
    scene.at(when, move |lambda| lambda.throttled_until = Some(Instant::now() + time));
    // Lambda tries again after 1, 2, 4 … s: the last wait is as long as all before it.
    scene.patience = 2 * time + seconds(5);
}

fn throttled(random: &mut Random) -> Scene {
    let mut scene = Scene::of(60 + random.below(60), 1_000);
    scene.prepare(|lambda| lambda.timeout = seconds(60));
    let (when, time) = (seconds(random.below(60)), seconds(1 + random.below(120)));
    throttle(&mut scene, when, time);
    scene
}

fn throttled_at_the_end(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let (when, time) = (scene.end - seconds(1), seconds(1 + random.below(600)));
    throttle(&mut scene, when, time);
    scene
}
