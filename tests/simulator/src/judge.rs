//! What arrived, against what was spoken.

use std::time::Duration;

use testkit::line::{Comparison, ExpectedLine};

use crate::state::World;

/// The sum of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What was accepted, against what was said: holes, repeats, and how close the rest is.
    pub line: Comparison,
    /// Samples accepted although they had been accepted before.
    pub accepted_twice: u64,
    /// Samples offered although they had been accepted before.
    pub offered_twice: u64,
    /// Longest time that new audio lay in KVS while nothing was accepted.
    pub waited: Duration,
    /// When the final chunk was accepted, counted from the beginning.
    pub drained: Option<Duration>,
    /// The session came to its end.
    pub ended: bool,
}

/// Judges a session of which `expected` is what its producer said.
pub fn judge(world: &World, expected: &ExpectedLine) -> Verdict {
    let begun = tokio::time::Instant::now() - world.elapsed();
    let waited = waited(world);
    let state = world.state();
    let processor = &state.processor;
    let skipped = processor.gaps.iter().map(|(_, length)| length).sum::<u64>();
    let seams: Vec<_> = processor.seams.iter().map(|&at| usize::try_from(at).unwrap()).collect();
    Verdict {
        line: expected.compare(&processor.accepted, &seams),
        accepted_twice: (processor.taken + skipped).abs_diff(processor.next),
        offered_twice: processor.offered_twice,
        waited,
        drained: processor.final_at.map(|at| at.saturating_duration_since(begun)),
        ended: state.table.item.as_ref().is_some_and(|item| item.ended),
    }
}

/// The longest time between two acceptances, counted from when the first fragment that was not yet
/// begun could be read; fragments that repeat others bring nothing to accept.
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
