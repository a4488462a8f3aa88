//! Compares the audio that the processor accepted with the audio that the producer sent.

use std::time::Duration;

use testkit::line::{Comparison, ExpectedLine};

use crate::state::World;

/// The result of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckReport {
    /// The accepted samples compared with the expected ones: missing, surplus, and SNR.
    pub line: Comparison,
    /// Samples that were accepted more than once.
    pub accepted_twice: u64,
    /// Samples that were offered again after they had been accepted.
    pub offered_twice: u64,
    /// Longest time without an accepted sample while KVS held new audio.
    pub waited: Duration,
    /// When the final chunk was accepted, since the simulation began.
    pub drained: Option<Duration>,
    /// Whether the Streams item is ENDED.
    pub ended: bool,
}

/// Checks a session against `expected`, the samples that its producer sent.
pub fn check(world: &World, expected: &ExpectedLine) -> CheckReport {
    let begun = tokio::time::Instant::now() - world.elapsed();
    let waited = waited(world);
    let state = world.state();
    let processor = &state.processor;
    let skipped = processor.gaps.iter().map(|(_, length)| length).sum::<u64>();
    let seams: Vec<_> = processor.seams.iter().map(|&at| usize::try_from(at).unwrap()).collect();
    CheckReport {
        line: expected.compare(&processor.accepted, &seams),
        accepted_twice: (processor.taken + skipped).abs_diff(processor.next),
        offered_twice: processor.offered_twice,
        waited,
        drained: processor.final_at.map(|at| at.saturating_duration_since(begun)),
        ended: state.table.item.as_ref().is_some_and(|item| item.ended),
    }
}

/// Returns the longest time between two acceptances, counted from when the first unread fragment
/// became readable. Repeated fragments do not count: they contain nothing to accept.
fn waited(world: &World) -> Duration {
    let begun = tokio::time::Instant::now() - world.elapsed();
    let state = world.state();
    let fragments = &state.kvs.fragments;
    let index = |number: &str| fragments.iter().position(|fragment| fragment.number == number);
    let mut longest = Duration::ZERO;
    let mut before = (begun, None);
    for ((at, _), number) in state.processor.deliveries.iter().zip(&state.processor.fragments) {
        let Some(reached) = index(number) else { continue };
        let unread = before.1.map_or(0, |known: usize| known + 1);
        let fresh = (unread..=reached).find(|&index| !fragments[index].repeated);
        if let Some(fresh) = fresh {
            let readable = begun + fragments[fresh].at;
            longest = longest.max(at.saturating_duration_since(readable.max(before.0)));
        }
        before = (*at, Some(before.1.map_or(reached, |known| known.max(reached))));
    }
    longest
}
