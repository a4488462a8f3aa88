//! What is under way without anyone who listens: it arrives at any time, or never.

use crate::moves::{Move, Steps};
use crate::rules::{Model, Rules};
use crate::state::{
    Delivery, Item, LATE, Renewal, Run, SLOTS, STANDING, State, Watermark, Write, WriteKind,
};
use crate::{processor, table};

/// The futures of a write: nobody listens to it any more, so it is lost or comes late.
pub(crate) fn bury_write(to: &State, write: Option<Write>, mut then: impl FnMut(State)) {
    then(*to);
    if let Some(write) = write
        && room(to)
        && let Some(late_writes) = added(to.late_writes, write)
    {
        then(State { late_writes, ..*to });
    }
}

/// The same for a payload.
pub(crate) fn bury_delivery(to: &State, payload: Option<Delivery>, mut then: impl FnMut(State)) {
    then(*to);
    if let Some(payload) = payload
        && room(to)
        && let Some(late_deliveries) = added(to.late_deliveries, payload)
    {
        then(State { late_deliveries, ..*to });
    }
}

/// One late message at a time.
fn room(to: &State) -> bool {
    to.late_writes.iter().flatten().count() + to.late_deliveries.iter().flatten().count() < LATE
}

fn added<T: Copy>(mut late: [Option<T>; LATE], message: T) -> Option<[Option<T>; LATE]> {
    *late.iter_mut().find(|place| place.is_none())? = Some(message);
    Some(late)
}

/// Late messages arrive.
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

/// The take of a run that is no more.
fn take(to: &mut State, write: Write) {
    let (stale, got, term) = (false, None, 0);
    table::take(to, crate::state::Take { stale, got, expires_in: write.expires_in, term });
}

/// Drops late messages that can change nothing any more, whatever follows, and settles the state.
pub(crate) fn forget_the_void(mut state: State, model: &Model) -> State {
    let rules = model.rules;
    let (item, at) = (state.table, state.processor);
    for late in &mut state.late_writes {
        // An epoch that is over, or released, stays so; and a revision that is stored never shrinks.
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
    forget_what_is_over(&mut state, model);
    state.settled()
}

/// Clears what nobody will look at again, so that states with the same future are the same state.
fn forget_what_is_over(state: &mut State, model: &Model) {
    if !state.table.held {
        // Free is free, whatever the expiry.
        state.table.expires_in = model.long_lapsed();
    }
    let item = state.table;
    if item.ended {
        // Nobody takes what has ended, without an owner no other write applies, and the processor
        // has all there is: nothing can change any more.
        state.runs = [Run::Looking; SLOTS];
        state.late_writes = [None; LATE];
        state.late_deliveries = [None; LATE];
    }
    for run in &mut state.runs {
        if let Run::Taking(take) = run
            && (take.stale || take.got.is_some())
        {
            take.expires_in = 0;
            take.term = if take.got.is_some() { take.term } else { 0 };
        }
        forget_a_lost_lease(run, item, state.processor, model.rules);
    }
}

/// A run whose lease is over can write nothing any more; what is left of it are its deliveries.
fn forget_a_lost_lease(run: &mut Run, item: Item, at: Watermark, rules: Rules) {
    let lost = |epoch| rules.epoch && !(item.held && item.epoch == epoch);
    match run {
        Run::Releasing(release) if lost(release.epoch) => *run = Run::Looking,
        Run::Holding(holder) if lost(holder.epoch) => {
            // All that its renewal can bring is the news.
            if let Some(Renewal { write, term }) = &mut holder.renewal {
                *write = Write { expires_in: 0, revision: 0, next: 0, ..*write };
                *term = 0;
            }
            let refused = rules.fence && holder.epoch < at.epoch;
            let silent = holder.term == 0 || rules.anchored && !holder.anchored;
            // A right that should not be there any more is left for the promises to see.
            let righted = holder.term > 0 && holder.term != STANDING;
            if (refused || silent && holder.delivery.is_none()) && !righted {
                *run = Run::Looking;
            }
        }
        Run::Looking | Run::Taking(_) | Run::Releasing(_) | Run::Holding(_) => {}
    }
}
