//! The producer says what is not so: of its clock, its track, or its blocks' times.

use std::time::Duration;

use testkit::getmedia::{AudioElement, Framing};
use testkit::line::Pause;
use testkit::opus;
use testkit::pcm::Random;

use super::super::Fault;
use super::upload::{HAND_OFF, Upload, disturb, line_with, scene};
use crate::scene::Scene;

pub(in super::super) const FAULTS: &[Fault] = &[
    Fault { name: "clock set back at a new producer session", scene: set_back },
    Fault { name: "track declared with other channels and durations", scene: declared },
    Fault { name: "fragments whose blocks all say time 0", scene: at_zero },
    Fault { name: "fragment of 30 s whose blocks all say time 0", scene: too_much },
];

/// The clock is set back while nothing is said again: all of it is new.
fn set_back(random: &mut Random) -> Scene {
    let mut scene = scene(random);
    let back = random.pick(&[90_000, 3_600_000]);
    let length = Duration::from_millis(scene.fragment_ms.into());
    let fragments = scene.fragments();
    let hand_off = usize::try_from(HAND_OFF.as_millis() / length.as_millis()).unwrap();
    let first = random.pick(&[1, hand_off]);
    let mut upload = Upload::default();
    for (mut fragment, index) in fragments.clone().into_iter().zip(0..) {
        if index >= first {
            let base = fragments[first].cluster_ms.unwrap_or_default();
            fragment.cluster_ms = fragment.cluster_ms.map(|ms| ms - base);
            fragment.producer_ms = fragment.producer_ms.map(|ms| ms - back);
        }
        upload.put(length * (u32::try_from(index).unwrap() + 1), &fragment);
    }
    let after = fragments[..first].iter().map(|fragment| fragment.packets.len()).sum();
    // The server's clock may put the new session later, by as much as it need not agree.
    scene.line = Some(line_with(&scene, &[Pause { after, samples: 0..=2_000 * 16 }]));
    scene.undisturbed = true;
    upload.into_stream_of(&mut scene);
    disturb(&mut scene, random, length * u32::try_from(first).unwrap());
    scene
}

fn declared(random: &mut Random) -> Scene {
    let mut scene = scene(random);
    let rate = random.pick(&[8_000.0, 44_100.0, 48_000.0]);
    let channels = random.pick(&[1, 2, 6]);
    let framing = Framing {
        codec_private: Some(opus::head(random.pick(&[1, 2]), 312, 0)),
        audio: Some(AudioElement { rate, channels, bit_depth: Some(24) }),
        default_duration: Some(random.pick(&[1_000_000, 10_000_000, 1_000_000_000])),
        block_groups: true,
        block_duration: random.pick(&[0, 1, 40, 1_000]),
        ..Framing::default()
    };
    let length = Duration::from_millis(scene.fragment_ms.into());
    let mut upload = Upload::framed(framing);
    for (fragment, nth) in scene.fragments().iter().zip(1..) {
        upload.put(length * nth, fragment);
    }
    upload.into_stream_of(&mut scene);
    disturb(&mut scene, random, HAND_OFF);
    scene
}

/// Blocks, and for some producers Clusters too, without a time of their own.
fn at_zero(random: &mut Random) -> Scene {
    let length = random.pick(&[1_000, 2_000, 3_000, 5_000, 10_000, 20_000]);
    let mut scene = Scene::of(60 + random.below(40), length);
    let (one_in, clusters_too) = (random.pick(&[1, 4]), random.below(2) == 0);
    let length = Duration::from_millis(scene.fragment_ms.into());
    let mut upload = Upload::default();
    for (mut fragment, nth) in scene.fragments().into_iter().zip(1..) {
        if random.below(one_in) == 0 {
            fragment.packets.iter_mut().for_each(|packet| packet.offset_ms = 0);
        }
        if clusters_too {
            fragment.cluster_ms = Some(0);
        }
        upload.put(length * nth, &fragment);
    }
    upload.into_stream_of(&mut scene);
    disturb(&mut scene, random, HAND_OFF);
    scene
}

/// A fragment without a clock holds [`WITHOUT_A_CLOCK`] of audio: what it claims beyond is refused,
/// and the next fragment stands where its time says.
fn too_much(random: &mut Random) -> Scene {
    let mut scene = Scene::of(60, 2_000);
    let length = Duration::from_millis(scene.fragment_ms.into());
    let mut fragments = scene.fragments();
    let first = usize::try_from(1 + random.below(10)).unwrap();
    let claimed = fragments.drain(first..first + CLAIMED).collect::<Vec<_>>();
    let mut wrong = claimed[0].clone();
    wrong.packets = claimed.into_iter().flat_map(|fragment| fragment.packets).collect();
    wrong.packets.iter_mut().for_each(|packet| packet.offset_ms = 0);
    let said: usize = fragments[..first].iter().map(|fragment| fragment.packets.len()).sum();
    let (taken, all) = (said + WITHOUT_A_CLOCK, said + wrong.packets.len());
    fragments.insert(first, wrong);
    let mut upload = Upload::default();
    for (fragment, nth) in fragments.iter().zip(1..) {
        let behind = if nth > first { CLAIMED - 1 } else { 0 };
        upload.put(length * u32::try_from(nth + behind).unwrap(), fragment);
    }
    upload.into_stream_of(&mut scene);
    scene.packets.drain(taken..all);
    let pause = Pause::of_ms(taken, (all - taken) * 20);
    // Twice the longest fragment, which this one is.
    scene.drained_later = Duration::from_secs(20);
    scene.refused = *pause.samples.start() as u64;
    scene.line = Some(line_with(&scene, &[pause]));
    scene
}

/// Fragments that become one.
const CLAIMED: usize = 15;
/// Packets that are taken of a fragment whose blocks have one time: 20 s of them.
const WITHOUT_A_CLOCK: usize = 1000;
