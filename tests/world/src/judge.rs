//! What arrived, against what was spoken.

use std::time::Duration;

use crate::state::World;

/// The sum of one session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Samples that were spoken and neither accepted nor named as skipped, or that came too many.
    pub lost: u64,
    /// Samples accepted although they had been accepted before.
    pub accepted_twice: u64,
    /// Samples offered although they had been accepted before.
    pub offered_twice: u64,
    /// Longest time that new audio lay in KVS while nothing was accepted.
    pub waited: Duration,
    /// When the final chunk was accepted, counted from the beginning.
    pub drained: Option<Duration>,
    /// How close the audio is to what was spoken, dB; infinite when it is the same.
    pub decibels: f64,
    /// The session came to its end.
    pub ended: bool,
}

/// Judges a session of which `expected` is the whole line of samples and `gaps` its skipped stretches.
pub fn judge(world: &World, expected: &[i16], gaps: &[(u64, u64)]) -> Verdict {
    let begun = tokio::time::Instant::now() - world.elapsed();
    let waited = waited(world);
    let state = world.state();
    let processor = &state.processor;
    let skipped = |gaps: &[(u64, u64)]| gaps.iter().map(|(_, length)| length).sum::<u64>();
    let length = processor.accepted.len() as u64;
    let misplaced = if processor.gaps == gaps {
        0
    } else {
        skipped(gaps).abs_diff(skipped(&processor.gaps)).max(1)
    };
    let same_length = processor.accepted.len() == expected.len();
    Verdict {
        lost: length.abs_diff(expected.len() as u64) + misplaced,
        accepted_twice: (processor.taken + skipped(&processor.gaps)).abs_diff(processor.next),
        offered_twice: processor.offered_twice,
        waited,
        drained: processor.final_at.map(|at| at.saturating_duration_since(begun)),
        decibels: if same_length {
            testkit::snr::decibels(expected, &processor.accepted)
        } else {
            f64::NEG_INFINITY
        },
        ended: state.table.item.as_ref().is_some_and(|item| item.ended),
    }
}

/// The longest time between two acceptances, counted from when the first fragment that was not yet
/// begun could be read.
fn waited(world: &World) -> Duration {
    let begun = tokio::time::Instant::now() - world.elapsed();
    let state = world.state();
    let fragments = &state.kvs.fragments;
    let index = |number: &str| fragments.iter().position(|fragment| fragment.number == number);
    let mut longest = Duration::ZERO;
    let mut before = (begun, None);
    for ((at, _), number) in state.processor.deliveries.iter().zip(&state.processor.fragments) {
        let Some(reached) = index(number) else { continue };
        let fresh = before.1.map_or(0, |known: usize| known + 1);
        if fresh <= reached {
            let readable = begun + fragments[fresh].at;
            longest = longest.max(at.saturating_duration_since(readable.max(before.0)));
        }
        before = (*at, Some(before.1.map_or(reached, |known| known.max(reached))));
    }
    longest
}
