//! Messages in flight whose sender no longer waits: they arrive at any time or never.

use crate::moves::{Move, Steps};
use crate::rules::{Model, Rules};
use crate::state::{
    Delivery, FROZEN, Item, LATE, Renewal, Run, SLOTS, State, Watermark, Write, WriteKind,
};
use crate::{processor, table};

/// The two futures of a write whose sender no longer waits: it is lost or arrives late.
pub(crate) fn abandon_write(to: &State, write: Option<Write>, mut then: impl FnMut(State)) {
    then(*to);
    if let Some(write) = write
        && room(to)
        && let Some(late_writes) = added(to.late_writes, write)
    {
        then(State { late_writes, ..*to });
    }
}

/// The same for a payload.
pub(crate) fn abandon_delivery(to: &State, payload: Option<Delivery>, mut then: impl FnMut(State)) {
    then(*to);
    if let Some(payload) = payload
        && room(to)
        && let Some(late_deliveries) = added(to.late_deliveries, payload)
    {
        then(State { late_deliveries, ..*to });
    }
}

/// Returns whether another message may become late: there is one at a time.
fn room(to: &State) -> bool {
    to.late_writes.iter().flatten().count() + to.late_deliveries.iter().flatten().count() < LATE
}

fn added<T: Copy>(mut late: [Option<T>; LATE], message: T) -> Option<[Option<T>; LATE]> {
    *late.iter_mut().find(|place| place.is_none())? = Some(message);
    Some(late)
}

/// Adds the arrival of each late message.
pub(crate) fn late(steps: &mut Steps<'_>) {
    let rules = steps.model.rules;
    for place in 0..LATE {
        if let Some(write) = steps.from.late_writes[place] {
            let mut to = *steps.from;
            to.late_writes[place] = None;
            match write.kind {
                WriteKind::Take => take(&mut to, write),
                WriteKind::Renew => {
                    table::renew(&mut to, write, rules);
                }
                WriteKind::Release { ended } => table::release(&mut to, write, ended, rules),
            }
            steps.healthy(Move::LateWrite, to);
        }
        if let Some(payload) = steps.from.late_deliveries[place] {
            let mut to = *steps.from;
            to.late_deliveries[place] = None;
            processor::accept(&mut to, payload, rules);
            steps.healthy(Move::LateDelivery, to);
        }
    }
}

/// Applies the take of a run that has ended.
fn take(to: &mut State, write: Write) {
    let (stale, got, valid_for) = (false, None, 0);
    table::take(to, crate::state::Take { stale, got, expires_in: write.expires_in, valid_for });
}

/// Drops late messages that can no longer change anything, and normalises the state.
pub(crate) fn drop_void_messages(mut state: State, model: &Model) -> State {
    let rules = model.rules;
    let (item, at) = (state.table, state.processor);
    for late in &mut state.late_writes {
        // A past or released epoch never returns, and a stored revision never decreases.
        let void = late.is_some_and(|write| match write.kind {
            WriteKind::Take => item.ended,
            WriteKind::Renew | WriteKind::Release { .. } if !rules.epoch => false,
            WriteKind::Renew => {
                !item.held
                    || item.epoch != write.epoch
                    || rules.revision && write.revision <= item.revision
            }
            WriteKind::Release { .. } => !item.held || item.epoch != write.epoch,
        });
        if void {
            *late = None;
        }
    }
    for late in &mut state.late_deliveries {
        let void = late.is_some_and(|payload| {
            let refused = rules.fence && payload.epoch < at.epoch;
            let repeated = rules.watermark && payload.to <= at.next && payload.epoch <= at.epoch;
            refused || repeated
        });
        if void {
            *late = None;
        }
    }
    normalise_ended(&mut state, model);
    state.settled()
}

/// Clears values that no longer matter, so that states with the same future compare equal.
fn normalise_ended(state: &mut State, model: &Model) {
    if !state.table.held {
        // A free lease can be taken at any expiry.
        state.table.expires_in = model.long_lapsed();
    }
    let item = state.table;
    if item.ended {
        // An ended session cannot be taken, no other write applies without an owner, and the
        // processor has all samples: nothing can change any more.
        state.runs = [Run::Looking; SLOTS];
        state.late_writes = [None; LATE];
        state.late_deliveries = [None; LATE];
    }
    for run in &mut state.runs {
        if let Run::Acquiring(take) = run
            && (take.stale || take.got.is_some())
        {
            take.expires_in = 0;
            take.valid_for = if take.got.is_some() { take.valid_for } else { 0 };
        }
        normalise_lost_lease(run, item, state.processor, model.rules);
    }
}

/// A run that lost its lease can write nothing any more; only its deliveries still matter.
fn normalise_lost_lease(run: &mut Run, item: Item, at: Watermark, rules: Rules) {
    let lost = |epoch| rules.epoch && !(item.held && item.epoch == epoch);
    match run {
        Run::Releasing(release) if lost(release.epoch) => *run = Run::Looking,
        Run::Holding(holder) if lost(holder.epoch) => {
            // The response to its renewal can only report that the run lost the lease.
            if let Some(Renewal { write, valid_for }) = &mut holder.renewal {
                *write = Write { expires_in: 0, revision: 0, next: 0, ..*write };
                *valid_for = 0;
            }
            let refused = rules.fence && holder.epoch < at.epoch;
            let silent =
                holder.valid_for == 0 || rules.origin_persisted && !holder.origin_persisted;
            // A right to deliver that should have expired is kept, so that the property check sees
            // it.
            let righted = holder.valid_for > 0 && holder.valid_for != FROZEN;
            if (refused || silent && holder.delivery.is_none()) && !righted {
                *run = Run::Looking;
            }
        }
        Run::Looking | Run::Acquiring(_) | Run::Releasing(_) | Run::Holding(_) => {}
    }
}
