//! Troubles around the end of a session, where what is missed once is missed for good, and several
//! at a time.

use std::time::Duration;

use session::ErrorKind;
use simulator::Odds;
use simulator::kvs::{Break, How, open_error};
use simulator::lambda::Call;
use testkit::pcm::Random;

use super::{Fault, seconds};
use crate::scene::Scene;

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "tail's connection stalls at its first byte", scene: stall_tail },
    Fault { name: "ended cleanly then stalled, after the stop", scene: end_then_stall },
    Fault { name: "three connections stand still after the stop", scene: three_stalls },
    Fault { name: "one 404 when only ENDED came", scene: one_404_ended },
    Fault { name: "one 404 after the stop, catching up", scene: one_404_catching_up },
    Fault { name: "404 for minutes in mid session", scene: long_404 },
    Fault { name: "consumer frozen around the tail", scene: frozen_tail },
    Fault { name: "killed in hand-off, table loses, processor down", scene: killed_in_trouble },
    Fault { name: "ENDED while the breaker is open, hand-offs", scene: ended_with_open_breaker },
    Fault { name: "table away during the drain", scene: away_in_the_drain },
];

fn stall(ms: u64) -> Break {
    Break { after: 0, how: How::Stall(Duration::from_millis(ms)) }
}

fn stall_tail(random: &mut Random) -> Scene {
    let n = 4 + random.below(4);
    let mut scene = Scene::of(n * 5 + 4, 5_000);
    let t = 10_500 + random.below(30_000);
    scene.at(seconds(n * 5 + 1), move |lambda| {
        lambda.world.state().kvs.breaks = vec![stall(t)].into()
    });
    scene.patience = seconds(120);
    scene
}

fn end_then_stall(random: &mut Random) -> Scene {
    // Two seconds' fragments, everything in KVS, only ENDED came; one clean end between documents,
    // one stall.
    let mut scene = Scene::of(40, 2_000);
    scene.active.clear();
    let t = 5_000 + random.below(9_000);
    scene.prepare(move |lambda| {
        lambda.world.state().kvs.breaks = vec![Break { after: 0, how: How::End }, stall(t)].into();
    });
    scene.patience = seconds(120);
    scene
}

fn three_stalls(random: &mut Random) -> Scene {
    let mut scene = Scene::of(40, 2_000);
    scene.active.clear();
    let t = 16_000 + random.below(9_000);
    scene.prepare(move |lambda| {
        lambda.world.state().kvs.breaks = vec![stall(t), stall(t), stall(t)].into()
    });
    scene.patience = seconds(180);
    scene
}

fn one_404_ended(_: &mut Random) -> Scene {
    let mut scene = Scene::of(40, 2_000);
    scene.active.clear();
    scene.prepare(|lambda| {
        lambda.world.state().kvs.open_errors =
            vec![open_error(ErrorKind::NotFound, "ResourceNotFoundException")].into()
    });
    scene.patience = seconds(120);
    scene
}

fn one_404_catching_up(random: &mut Random) -> Scene {
    // Processor away at the end; a connection cut after the stop; its reconnect meets one 404.
    let mut scene = Scene::of(60, 2_000);
    let when = seconds(25 + random.below(10));
    scene.at(when, |lambda| lambda.world.state().processor.odds = Odds::DOWN);
    scene.at(seconds(90), |lambda| {
        lambda.world.state().processor.odds = Odds::UP;
        lambda.world.state().kvs.longest = Duration::ZERO;
        lambda.world.state().kvs.open_errors =
            vec![open_error(ErrorKind::NotFound, "ResourceNotFoundException")].into();
    });
    scene.at(seconds(110), |lambda| lambda.world.state().kvs.longest = seconds(2700));
    scene.patience = seconds(180);
    scene
}

fn long_404(_: &mut Random) -> Scene {
    let mut scene = Scene::of(300, 2_000);
    scene.at(seconds(50), |lambda| {
        lambda.world.state().kvs.longest = Duration::ZERO;
        lambda.world.state().kvs.open_errors = std::iter::repeat_n(
            open_error(ErrorKind::NotFound, "ResourceNotFoundException"),
            10_000,
        )
        .collect();
    });
    scene.at(seconds(200), |lambda| {
        lambda.world.state().kvs.longest = seconds(2700);
        lambda.world.state().kvs.open_errors.clear();
    });
    scene.patience = seconds(300);
    scene
}

fn frozen_tail(random: &mut Random) -> Scene {
    let n = 4 + random.below(4);
    let mut scene = Scene::of(n * 5 + 4, 5_000);
    let from = seconds(n * 5) + Duration::from_millis(3_400 + random.below(1_000));
    let t = Duration::from_millis(9_000 + random.below(9_000));
    scene.at(from, |lambda| lambda.freeze_all(true));
    scene.at(from + t, |lambda| lambda.freeze_all(false));
    scene.patience = seconds(120);
    scene
}

fn fragment_ms(random: &mut Random) -> u32 {
    1_000 * (1 + u32::try_from(random.below(5)).unwrap())
}

/// Links of a minute, and a processor that may be away for minutes.
fn short(scene: &mut Scene) {
    scene.prepare(|lambda| lambda.timeout = seconds(60));
    scene.patience = seconds(720);
}

fn killed_in_trouble(random: &mut Random) -> Scene {
    let mut scene = Scene::of(120 + random.below(120), fragment_ms(random));
    short(&mut scene);
    let (lost, silent) = (random.below(300), random.below(60));
    scene.prepare(move |lambda| {
        lambda.world.state().table.odds = Odds { refused: 50, lost, silent }
    });
    for _ in 0..1 + random.below(3) {
        let at = seconds(45 + 46 * random.below(3)) + Duration::from_millis(random.below(4_000));
        let newest = random.below(2) == 0;
        scene.at(at, move |lambda| if newest { lambda.kill_newest() } else { lambda.kill_all() });
    }
    let when = scene.moment(random);
    let away = seconds(20 + random.below(200));
    scene.at(when, |lambda| lambda.world.state().processor.odds = Odds::DOWN);
    scene.at(when + away, |lambda| {
        lambda.world.state().processor.odds = Odds { refused: 100, lost: 200, silent: 0 }
    });
    scene
}

fn ended_with_open_breaker(random: &mut Random) -> Scene {
    let mut scene = Scene::of(40 + random.below(60), fragment_ms(random));
    short(&mut scene);
    let before = seconds(1 + random.below(20));
    scene.at(scene.end - before, |lambda| lambda.world.state().processor.odds = Odds::DOWN);
    scene.at(scene.end + seconds(random.below(400)), |lambda| {
        lambda.world.state().processor.odds = Odds::UP
    });
    if random.below(2) == 0 {
        let at = scene.end + Duration::from_millis(random.below(60_000));
        scene.at(at, |lambda| lambda.kill_all());
    }
    scene
}

fn away_in_the_drain(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    short(&mut scene);
    let at = scene.end - seconds(3) + Duration::from_millis(random.below(8_000));
    scene.at(at, |lambda| lambda.world.state().table.odds = Odds::DOWN);
    scene.at(at + seconds(5 + random.below(40)), |lambda| {
        lambda.world.state().table.odds = Odds { refused: 100, lost: 200, silent: 20 }
    });
    for _ in 0..random.below(3) {
        let at = scene.end + Duration::from_millis(random.below(20_000));
        scene.at(at, |lambda| lambda.invoke(Call::Stop));
    }
    scene
}
