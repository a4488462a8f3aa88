//! `lease::acquire`: poll, wait, take or return.

use crate::moves::{Move, Steps};
use crate::network::abandon_write;
use crate::state::{Holder, Run, Take, Write, WriteKind};
use crate::table;

/// One poll. The decision is immediate: a take sent later than the poll either meets the same item
/// or is rejected. A run that returns because another active run holds the lease has written
/// nothing and may come again (a retry, the next invocation, the health check), so returning and
/// crashing are not separate moves here.
pub(crate) fn looking(steps: &mut Steps<'_>, slot: usize) {
    let (timing, item) = (steps.model.timing, steps.from.table);
    if item.ended {
        return;
    }
    // From `soonest_take` on, a wall clock may show the lease as lapsed; after `doubt`, all do.
    let waits_out = steps.model.rules.waits_out;
    let may = !item.held || item.expires_in <= 0 && waits_out;
    let must = !item.held || item.expires_in <= -timing.doubt && waits_out;
    if may {
        let (stale, got) = (false, None);
        let take =
            Take { stale, got, expires_in: timing.soonest_take, valid_for: timing.guard + 1 };
        let mut to = *steps.from;
        to.runs[slot] = Run::Acquiring(take);
        if must {
            steps.healthy(Move::SendTake(slot), to);
        } else {
            steps.possible(Move::SendTake(slot), to);
        }
    }
}

/// A take in flight. `retry::retry` resends it until it is answered, so a late copy is rejected;
/// only a late take whose sender crashed matters.
pub(crate) fn acquiring(steps: &mut Steps<'_>, slot: usize, take: Take) {
    let mut to = *steps.from;
    let got = table::take(&mut to, take);
    to.runs[slot] = match got {
        Some(epoch) => Run::Holding(Holder {
            epoch,
            valid_for: take.valid_for,
            next: to.table.next,
            origin_persisted: false,
            revision: 0,
            renewal: None,
            delivery: None,
        }),
        None => Run::Looking,
    };
    steps.healthy(Move::WriteArrives(slot), to);
    if take.got.is_none() && !take.stale {
        let mut to = *steps.from;
        let got = table::take(&mut to, take);
        if let Run::Acquiring(take) = &mut to.runs[slot] {
            take.got = got;
        }
        steps.possible(Move::TakeUnanswered(slot), to);
    }
    let mut gone = *steps.from;
    gone.runs[slot] = Run::Looking;
    if take.got.is_none() && !take.stale {
        let epoch = steps.from.table.epoch;
        let kind = WriteKind::Take;
        let write = Write { kind, epoch, revision: 0, expires_in: take.expires_in, next: 0 };
        abandon_write(&gone, Some(write), |to| steps.possible(Move::Crash(slot), to));
    } else {
        steps.possible(Move::Crash(slot), gone);
    }
}
