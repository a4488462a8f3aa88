//! Properties that must hold in every state and for every step.

use crate::state::{CHUNKS, FROZEN, Fault, Run, State};

/// A property of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// No run takes the lease while the holder may still deliver by its own monotonic clock, unless
    /// that clock froze (in that case only the processor's fence protects).
    OneRight,
    /// The processor accepts no sample twice.
    AcceptedOnce,
    /// The processor accepts the samples in order, without a hole.
    AcceptedInOrder,
    /// Once a lease has delivered, nothing new is accepted from an older one.
    OneDeliverer,
    /// A stored checkpoint never goes back.
    CheckpointMonotonic,
    /// A checkpoint, stored or about to be, never covers a sample that was not accepted.
    CheckpointNeverAhead,
    /// Nothing is accepted before position 0 is fixed for all runs.
    OriginComesFirst,
    /// A session ends only after all of it was accepted, and it never restarts.
    EndedIsFinal,
    /// Without further faults the session reaches its end.
    ReachesTheEnd,
}

/// Returns the property that the step from `before` to `after` violates, if any.
pub(crate) fn broken(before: &State, after: &State) -> Option<Promise> {
    let (table, truth) = (after.table, after.truth);
    match truth.fault {
        Some(Fault::Twice) => return Some(Promise::AcceptedOnce),
        Some(Fault::Hole) => return Some(Promise::AcceptedInOrder),
        Some(Fault::OldLease) => return Some(Promise::OneDeliverer),
        None => {}
    }
    let two_rights = after.runs.iter().any(|run| match run {
        Run::Holding(holder) => {
            let may_deliver = holder.valid_for > 0 && holder.valid_for != FROZEN;
            may_deliver && !(table.held && table.epoch == holder.epoch)
        }
        Run::Looking | Run::Acquiring(_) | Run::Releasing(_) => false,
    });
    let ahead_of_truth = after.runs.iter().any(|run| match run {
        Run::Holding(holder) => holder.next > truth.next,
        Run::Releasing(release) => release.next > truth.next,
        Run::Looking | Run::Acquiring(_) => false,
    });
    let faults = [
        (two_rights, Promise::OneRight),
        (table.next < before.table.next, Promise::CheckpointMonotonic),
        (ahead_of_truth || table.next > truth.next, Promise::CheckpointNeverAhead),
        (truth.next > 0 && !table.origin, Promise::OriginComesFirst),
        (table.ended && truth.next < CHUNKS, Promise::EndedIsFinal),
        (before.table.ended && !table.ended, Promise::EndedIsFinal),
    ];
    faults.into_iter().find_map(|(broken, promise)| broken.then_some(promise))
}
