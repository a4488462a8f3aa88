//! What must hold in every state, and of every step.

use crate::state::{CHUNKS, Fault, Run, STANDING, State};

/// A promise of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nobody takes over from a holder that may still deliver by its own monotonic clock, unless that
    /// clock stood still (then the processor's fence is all there is).
    OneRight,
    /// The processor accepts no sample twice.
    AcceptedOnce,
    /// The processor accepts no sample before the one in front of it.
    AcceptedInOrder,
    /// Once a lease has delivered, nothing new is accepted from an older one.
    OneDeliverer,
    /// A stored checkpoint never goes back.
    CheckpointGoesForward,
    /// A checkpoint, stored or about to be, passes no sample that was not accepted.
    CheckpointTellsTheTruth,
    /// Nothing is accepted before position 0 is fixed for all runs.
    OriginComesFirst,
    /// A session has ended only when all of it was accepted, and then for good.
    EndIsTheEnd,
    /// Without further faults the session reaches its end.
    ReachesTheEnd,
}

/// The promise that the step from `before` to `after` breaks, if there is one.
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
            let may_deliver = holder.term > 0 && holder.term != STANDING;
            may_deliver && !(table.held && table.epoch == holder.epoch)
        }
        Run::Looking | Run::Taking(_) | Run::Releasing(_) => false,
    });
    let ahead_of_truth = after.runs.iter().any(|run| match run {
        Run::Holding(holder) => holder.next > truth.next,
        Run::Releasing(release) => release.next > truth.next,
        Run::Looking | Run::Taking(_) => false,
    });
    let faults = [
        (two_rights, Promise::OneRight),
        (table.next < before.table.next, Promise::CheckpointGoesForward),
        (ahead_of_truth || table.next > truth.next, Promise::CheckpointTellsTheTruth),
        (truth.next > 0 && !table.origin, Promise::OriginComesFirst),
        (table.ended && truth.next < CHUNKS, Promise::EndIsTheEnd),
        (before.table.ended && !table.ended, Promise::EndIsTheEnd),
    ];
    faults.into_iter().find_map(|(broken, promise)| broken.then_some(promise))
}
