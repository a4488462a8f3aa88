//! What a producer sends to KVS, in the order in which KVS takes it.

use std::time::Duration;

use simulator::kvs::Stored;
use simulator::{EPOCH_MS, PRE_SKIP};
use testkit::getmedia::{self, Fragment, Framing};
use testkit::pcm::Random;

use super::super::seconds;
use crate::scene::Scene;

/// Fragments, each under a number of its own and not before the one ahead of it.
#[derive(Debug, Default)]
pub(super) struct Upload {
    framing: Framing,
    stored: Vec<Stored>,
}

impl Upload {
    /// Fragments that are written so.
    pub(super) fn framed(framing: Framing) -> Self {
        Self { framing, stored: Vec::new() }
    }

    /// A fragment that can be read at `at`.
    pub(super) fn put(&mut self, at: Duration, fragment: &Fragment) {
        let number = getmedia::number(self.stored.len() as u64);
        let fragment = Fragment { number: Some(number), ..fragment.clone() };
        let at = self.stored.last().map_or(at, |last| last.at.max(at));
        self.stored.push(Stored::new(at, &self.framing, &fragment));
    }

    /// A fragment that KVS has already: the same but for its number and when KVS got it.
    pub(super) fn put_again(&mut self, at: Duration, fragment: &Fragment) {
        let server_ms = EPOCH_MS + u64::try_from(at.as_millis()).unwrap();
        let server_ms = Some(i64::try_from(server_ms).unwrap());
        self.put(at, &Fragment { server_ms, ..fragment.clone() });
        if let Some(last) = self.stored.last_mut() {
            last.repeated = true;
        }
    }

    /// Makes it the stream of `scene`, whose speaker ends the session a second after the last
    /// fragment.
    pub(super) fn into_stream_of(self, scene: &mut Scene) {
        scene.end = self.stored.last().map_or(scene.end, |last| last.at) + seconds(1);
        scene.ended = vec![scene.end];
        scene.stored = Some(self.stored);
    }
}

/// A session long enough for a hand-off of [`disturb`], in fragments of any length that producers
/// make.
pub(super) fn scene(random: &mut Random) -> Scene {
    Scene::of(60 + random.below(40), random.pick(&[1_000, 2_000, 2_000, 5_000, 10_000, 20_000]))
}

/// When consumers of [`disturb`] hand on.
pub(super) const HAND_OFF: Duration = seconds(45);

/// How much longer a drain takes in which a consumer hands on: the end of a fragment that filled no
/// chunk is new to the next one, which waits for two fragments, at most 25 s, once more, and asks
/// KVS once more.
pub(super) fn drained_by_a_successor(scene: &Scene) -> Duration {
    seconds(3) + seconds(25).min(2 * Duration::from_millis(scene.fragment_ms.into()))
}

/// What happens to the consumer besides: nothing, its death within two seconds of `around`,
/// hand-offs, or connections that end again and again.
pub(super) fn disturb(scene: &mut Scene, random: &mut Random, around: Duration) {
    match random.below(4) {
        0 => {}
        1 => {
            let when = around + Duration::from_millis(random.below(4_000));
            scene.at(when.saturating_sub(seconds(2)), |lambda| lambda.kill_all());
            scene.patience = seconds(75);
        }
        2 => {
            scene.prepare(|lambda| lambda.timeout = HAND_OFF + seconds(15));
            scene.drained_later = drained_by_a_successor(scene);
        }
        _ => {
            let longest = Duration::from_millis(1_000 + random.below(15_000));
            scene.prepare(move |lambda| lambda.world.state().kvs.longest = longest);
            scene.patience = seconds(5);
            // Below KVS's idle time no end says that there is nothing more.
            scene.drained_later = seconds(25);
        }
    }
}

/// What the producer of `scene` says, with `pauses`.
pub(super) fn line_with(
    scene: &Scene,
    pauses: &[testkit::line::Pause],
) -> testkit::line::ExpectedLine {
    testkit::line::ExpectedLine::with_pauses(&scene.packets, PRE_SKIP, pauses)
}
