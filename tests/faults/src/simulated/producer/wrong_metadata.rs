//! Producers with wrong metadata: a wrong clock, track header, or block times.

use std::time::Duration;

use testkit::getmedia::{AudioElement, Framing};
use testkit::line::Pause;
use testkit::opus;
use testkit::pcm::Random;

use super::super::SimulatedFault;
use super::upload::{HAND_OFF, Upload, disturb, line_with, scenario};
use crate::scenario::Scenario;

pub(in super::super) const FAULTS: &[SimulatedFault] = &[
    SimulatedFault { name: "clock set back at a new producer session", scenario: set_back },
    SimulatedFault { name: "track declared with other channels and durations", scenario: declared },
    SimulatedFault { name: "fragments whose blocks all say time 0", scenario: at_zero },
    SimulatedFault { name: "fragment of 30 s whose blocks all say time 0", scenario: too_much },
];

/// The clock is set back, and the audio after it is new.
fn set_back(random: &mut Random) -> Scenario {
    let mut scenario = scenario(random);
    let back = random.pick(&[90_000, 3_600_000]);
    let length = Duration::from_millis(scenario.fragment_ms.into());
    let fragments = scenario.fragments();
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
    // The server's clock may place the new session up to 2 s later.
    scenario.line = Some(line_with(&scenario, &[Pause { after, samples: 0..=2_000 * 16 }]));
    scenario.undisturbed = true;
    upload.into_stream_of(&mut scenario);
    disturb(&mut scenario, random, length * u32::try_from(first).unwrap());
    scenario
}

fn declared(random: &mut Random) -> Scenario {
    let mut scenario = scenario(random);
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
    let length = Duration::from_millis(scenario.fragment_ms.into());
    let mut upload = Upload::framed(framing);
    for (fragment, nth) in scenario.fragments().iter().zip(1..) {
        upload.put(length * nth, fragment);
    }
    upload.into_stream_of(&mut scenario);
    disturb(&mut scenario, random, HAND_OFF);
    scenario
}

/// All blocks have time 0, and for some producers all Clusters too.
fn at_zero(random: &mut Random) -> Scenario {
    let length = random.pick(&[1_000, 2_000, 3_000, 5_000, 10_000, 20_000]);
    let mut scenario = Scenario::of(60 + random.below(40), length);
    let (one_in, clusters_too) = (random.pick(&[1, 4]), random.below(2) == 0);
    let length = Duration::from_millis(scenario.fragment_ms.into());
    let mut upload = Upload::default();
    for (mut fragment, nth) in scenario.fragments().into_iter().zip(1..) {
        if random.below(one_in) == 0 {
            fragment.packets.iter_mut().for_each(|packet| packet.offset_ms = 0);
        }
        if clusters_too {
            fragment.cluster_ms = Some(0);
        }
        upload.put(length * nth, &fragment);
    }
    upload.into_stream_of(&mut scenario);
    disturb(&mut scenario, random, HAND_OFF);
    scenario
}

/// A fragment without block times contains at most [`WITHOUT_A_CLOCK`] of audio: more is refused,
/// and the next fragment is placed by its own time.
fn too_much(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::of(60, 2_000);
    let length = Duration::from_millis(scenario.fragment_ms.into());
    let mut fragments = scenario.fragments();
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
    upload.into_stream_of(&mut scenario);
    scenario.packets.drain(taken..all);
    let pause = Pause::of_ms(taken, (all - taken) * 20);
    // Twice the longest fragment, which is this one.
    scenario.extra_drain_time = Duration::from_secs(20);
    scenario.refused = *pause.samples.start() as u64;
    scenario.line = Some(line_with(&scenario, &[pause]));
    scenario
}

/// Number of fragments that are merged into one.
const CLAIMED: usize = 15;
/// Packets that are accepted from a fragment whose blocks all have the same time: 20 s.
const WITHOUT_A_CLOCK: usize = 1000;
