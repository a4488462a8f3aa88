//! The producer pauses, starts anew, or has its clock set; and the consumer is killed on top of it.

use std::time::Duration;

use testkit::getmedia::{Fragment, Framing};
use testkit::pcm::Random;
use world::kvs::Stored;

use super::{Fault, seconds};
use crate::scene::{Expectation, Scene};

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "producer pauses for minutes, consumer killed", scene: pauses },
    Fault { name: "producer starts anew, consumer killed", scene: starts_anew },
    Fault { name: "producer's clock jumps, consumer killed", scene: clock_jumps },
    Fault { name: "silence by DTX, consumer killed", scene: dtx },
];

/// The scene's fragments; `change` may move what follows from any of them on: by the producer's clock,
/// by KVS's, and what becomes of the Matroska time.
fn changed(random: &mut Random, mut change: impl FnMut(&mut Random) -> Option<Change>) -> Scene {
    let mut scene = Scene::ordinary(random);
    let length = i64::from(scene.fragment_ms);
    let (mut producer, mut server, mut media) = (0, 0, 0);
    let mut stored = Vec::new();
    for (mut fragment, nth) in scene.fragments().into_iter().zip(1_i64..) {
        if nth > 1
            && let Some(change) = change(random)
        {
            producer += change.producer_ms;
            server += change.server_ms;
            media = match change.media {
                Media::GoesOnAfter(ms) => media + ms,
                Media::StartsAtZero => -fragment.cluster_ms.unwrap_or_default(),
            };
        }
        shift(&mut fragment, producer, server, media);
        let at = Duration::from_millis((nth * length + server).unsigned_abs());
        stored.push(Stored::new(at, &Framing::default(), &fragment));
    }
    scene.end = stored.last().map_or(scene.end, |last| last.at) + seconds(1);
    scene.ended = vec![scene.end];
    scene.stored = Some(stored);
    scene.expectation = Expectation::Undisturbed;
    let when = scene.moment(random);
    scene.at(when, |lambda| lambda.kill_all());
    scene.patience = seconds(75);
    scene
}

/// What changes from a fragment on.
struct Change {
    producer_ms: i64,
    server_ms: i64,
    media: Media,
}

/// What becomes of the Cluster's time.
enum Media {
    GoesOnAfter(i64),
    StartsAtZero,
}

fn shift(fragment: &mut Fragment, producer_ms: i64, server_ms: i64, media_ms: i64) {
    for (time, by) in [
        (&mut fragment.producer_ms, producer_ms),
        (&mut fragment.server_ms, server_ms),
        (&mut fragment.cluster_ms, media_ms),
    ] {
        *time = time.map(|time| time + by);
    }
}

/// True once in `one_in` times.
fn now_and_then(random: &mut Random, one_in: u64) -> bool {
    random.below(one_in) == 0
}

fn pauses(random: &mut Random) -> Scene {
    changed(random, |random| {
        now_and_then(random, 6).then(|| {
            let pause = i64::try_from(random.below(180_000)).unwrap();
            Change { producer_ms: pause, server_ms: pause, media: Media::GoesOnAfter(pause) }
        })
    })
}

fn starts_anew(random: &mut Random) -> Scene {
    changed(random, |random| {
        now_and_then(random, 6).then(|| {
            let away = i64::try_from(random.below(10_000)).unwrap();
            Change { producer_ms: away, server_ms: away, media: Media::StartsAtZero }
        })
    })
}

fn clock_jumps(random: &mut Random) -> Scene {
    changed(random, |random| {
        now_and_then(random, 6).then(|| {
            let jump = i64::try_from(random.below(240_000)).unwrap() - 120_000;
            Change { producer_ms: jump, server_ms: 0, media: Media::GoesOnAfter(0) }
        })
    })
}

fn dtx(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let length = Duration::from_millis(scene.fragment_ms.into());
    let mut stored = Vec::new();
    let mut silent = 0;
    for (mut fragment, nth) in scene.fragments().into_iter().zip(1..) {
        fragment.packets.retain(|_| {
            if silent == 0 && random.below(40) == 0 {
                silent = random.below(90);
            }
            silent = silent.saturating_sub(1);
            silent == 0
        });
        stored.push(Stored::new((length * nth).min(scene.end), &Framing::default(), &fragment));
    }
    scene.stored = Some(stored);
    scene.expectation = Expectation::Undisturbed;
    let when = scene.moment(random);
    scene.at(when, |lambda| lambda.kill_all());
    scene.patience = seconds(75);
    // What concealment makes of lost time depends on all that the decoder heard before it.
    scene.decibels = 20.0;
    scene
}
