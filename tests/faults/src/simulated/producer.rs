//! The producer pauses, starts anew, or has its clock set; and the consumer is killed on top of it.

use std::ops::RangeInclusive;
use std::time::Duration;

use testkit::getmedia::Fragment;
use testkit::line::Pause;
use testkit::pcm::Random;

use super::{Fault, seconds};
use crate::scene::Scene;

pub(super) mod lengths;
pub(super) mod lies;
pub(super) mod resend;
pub(super) mod stamps;

mod upload;
use upload::{Upload, line_with};

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "producer pauses for minutes, consumer killed", scene: pauses },
    Fault { name: "producer starts anew, consumer killed", scene: starts_anew },
    Fault { name: "producer's clock jumps, consumer killed", scene: clock_jumps },
    Fault { name: "silence by DTX, consumer killed", scene: dtx },
];

/// The scene's fragments; `change` may move what follows from any of them on: by the producer's
/// clock, by KVS's, and what becomes of the Matroska time.
fn changed(random: &mut Random, mut change: impl FnMut(&mut Random) -> Option<Change>) -> Scene {
    let mut scene = Scene::ordinary(random);
    let length = i64::from(scene.fragment_ms);
    let (mut producer, mut server, mut media) = (0, 0, 0);
    let (mut upload, mut pauses, mut after) = (Upload::default(), Vec::new(), 0);
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
            pauses.push(Pause { after, samples: change.pause() });
        }
        after += fragment.packets.len();
        shift(&mut fragment, producer, server, media);
        let at = Duration::from_millis((nth * length + server).unsigned_abs());
        upload.put(at, &fragment);
    }
    upload.into_stream_of(&mut scene);
    scene.line = Some(line_with(&scene, &pauses));
    scene.undisturbed = true;
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

impl Change {
    /// The time between what was said before and after, in samples: as long as both clocks say, or
    /// where only the producer's says so, any part of it. Below 60 ms it may pass for jitter.
    /// Within 2 ms, which is what rounding to milliseconds on both sides may add, it may be taken
    /// for so many lost packets.
    fn pause(&self) -> RangeInclusive<usize> {
        let samples = usize::try_from(self.producer_ms.max(0)).unwrap() * 16;
        if self.producer_ms != self.server_ms || self.producer_ms < 60 {
            return 0..=samples;
        }
        let rounding = if samples.is_multiple_of(320) { 0 } else { 2 * 16 };
        samples - rounding..=samples + rounding
    }
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

/// Packets of 20 ms that bear out a pause before them; where the session ends sooner it may pass
/// for jitter.
const BORNE_OUT: usize = 6;
/// Samples of a pause that is none of jitter's: half a second.
const FAR: usize = 8_000;

fn dtx(random: &mut Random) -> Scene {
    let mut scene = Scene::ordinary(random);
    let length = Duration::from_millis(scene.fragment_ms.into());
    let (mut upload, mut pauses, mut said) = (Upload::default(), Vec::new(), Vec::new());
    let (mut silent, mut silence) = (0, 0);
    for (mut fragment, nth) in scene.fragments().into_iter().zip(1..) {
        fragment.packets.retain(|packet| {
            if silent == 0 && random.below(40) == 0 {
                silent = random.below(90);
            }
            silent = silent.saturating_sub(1);
            if silent > 0 {
                silence += 20;
                return false;
            }
            // The session begins with its first packet.
            if silence > 0 && !said.is_empty() {
                pauses.push(Pause::of_ms(said.len(), silence));
            }
            silence = 0;
            said.push(packet.data.clone());
            true
        });
        upload.put((length * nth).min(scene.end), &fragment);
    }
    upload.into_stream_of(&mut scene);
    if let Some(last) = pauses.last_mut()
        && said.len() - last.after < BORNE_OUT
        && *last.samples.end() < FAR
    {
        last.samples = 0..=*last.samples.end();
    }
    scene.packets = said;
    scene.line = Some(line_with(&scene, &pauses));
    scene.undisturbed = true;
    let when = scene.moment(random);
    scene.at(when, |lambda| lambda.kill_all());
    scene.patience = seconds(75);
    scene
}
