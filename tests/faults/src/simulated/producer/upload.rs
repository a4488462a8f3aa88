//! The fragments that a producer sends, in the order in which KVS stores them.

use std::time::Duration;

use simulator::kvs::Stored;
use simulator::{EPOCH_MS, PRE_SKIP};
use testkit::getmedia::{self, Fragment, Framing};
use testkit::pcm::Random;

use super::super::seconds;
use crate::scenario::Scenario;

/// Fragments with unique numbers, none readable before its predecessor.
#[derive(Debug, Default)]
pub(super) struct Upload {
    framing: Framing,
    stored: Vec<Stored>,
}

impl Upload {
    /// Returns an upload with this framing.
    pub(super) fn framed(framing: Framing) -> Self {
        Self { framing, stored: Vec::new() }
    }

    /// Adds a fragment that is readable from `at`.
    pub(super) fn put(&mut self, at: Duration, fragment: &Fragment) {
        let number = getmedia::number(self.stored.len() as u64);
        let fragment = Fragment { number: Some(number), ..fragment.clone() };
        let at = self.stored.last().map_or(at, |last| last.at.max(at));
        self.stored.push(Stored::new(at, &self.framing, &fragment));
    }

    /// Adds a fragment that KVS already holds, with a new number and server time.
    pub(super) fn put_again(&mut self, at: Duration, fragment: &Fragment) {
        let server_ms = EPOCH_MS + u64::try_from(at.as_millis()).unwrap();
        let server_ms = Some(i64::try_from(server_ms).unwrap());
        self.put(at, &Fragment { server_ms, ..fragment.clone() });
        if let Some(last) = self.stored.last_mut() {
            last.repeated = true;
        }
    }

    /// Makes this the stream of `scenario`, whose session ends a second after the last fragment.
    pub(super) fn into_stream_of(self, scenario: &mut Scenario) {
        scenario.end = self.stored.last().map_or(scenario.end, |last| last.at) + seconds(1);
        scenario.ended = vec![scenario.end];
        scenario.stored = Some(self.stored);
    }
}

/// Returns a session that is long enough for a hand-off of [`disturb`], with fragments of any
/// length that producers use.
pub(super) fn scenario(random: &mut Random) -> Scenario {
    Scenario::of(60 + random.below(40), random.pick(&[1_000, 2_000, 2_000, 5_000, 10_000, 20_000]))
}

/// When consumers of [`disturb`] start a hand-off.
pub(super) const HAND_OFF: Duration = seconds(45);

/// Returns the additional time of a drain with a hand-off: the end of a fragment that filled no
/// chunk is new to the successor, which again waits for two fragments, at most 25 s, and calls
/// GetMedia once more.
pub(super) fn drained_by_a_successor(scenario: &Scenario) -> Duration {
    seconds(3) + seconds(25).min(2 * Duration::from_millis(scenario.fragment_ms.into()))
}

/// Adds a random consumer fault: none, a kill within two seconds of `around`, hand-offs, or short
/// connections.
pub(super) fn disturb(scenario: &mut Scenario, random: &mut Random, around: Duration) {
    match random.below(4) {
        0 => {}
        1 => {
            let when = around + Duration::from_millis(random.below(4_000));
            scenario.at(when.saturating_sub(seconds(2)), |lambda| lambda.kill_all());
            scenario.max_pause = seconds(75);
        }
        2 => {
            scenario.prepare(|lambda| lambda.timeout = HAND_OFF + seconds(15));
            scenario.extra_drain_time = drained_by_a_successor(scenario);
        }
        _ => {
            let longest = Duration::from_millis(1_000 + random.below(15_000));
            scenario.prepare(move |lambda| lambda.world.state().kvs.longest = longest);
            scenario.max_pause = seconds(5);
            // A connection that ends before KVS's idle time does not prove that the stream is
            // drained.
            scenario.extra_drain_time = seconds(25);
        }
    }
}

/// Returns the expected audio of `scenario`, with `pauses`.
pub(super) fn line_with(
    scenario: &Scenario,
    pauses: &[testkit::line::Pause],
) -> testkit::line::ExpectedLine {
    testkit::line::ExpectedLine::with_pauses(&scenario.packets, PRE_SKIP, pauses)
}
