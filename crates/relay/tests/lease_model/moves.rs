//! The possible moves, and the two that belong to no run.

use crate::rules::Model;
use crate::state::{FROZEN, Run, State};
use crate::{acquire, leased, network};

/// One move. The number is the slot of the run that it affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// A tick of time passes for all.
    Tick,
    /// ENDED sets the desired state to STOP (`LeaseTable::request_stop`, by an event or by the
    /// holder).
    Stop,
    /// `lease::acquire` finds the lease free, or lapsed by its own wall clock, and sends its take.
    SendTake(usize),
    /// `LeaseRenewer::renew_loop` sends a renewal.
    SendRenewal(usize),
    /// `delivery::Deliverer::settle` may deliver and sends a payload.
    SendDelivery(usize),
    /// The deadline is near or a successor has announced itself: `delivery::deliver` yields, and
    /// `leased_run::finish` releases.
    HandOff(usize),
    /// `handoff::hand_off` gives up the invocation in flight.
    Abandon(usize),
    /// A renewal, take or release arrives and is answered.
    WriteArrives(usize),
    /// A take arrives; its response is lost.
    TakeUnanswered(usize),
    /// A write never arrives, and its sender receives an error.
    WriteLost(usize),
    /// The sender of a write stops waiting; the write may still arrive.
    WriteGivenUp(usize),
    /// A payload arrives and is answered.
    DeliveryArrives(usize),
    /// A payload never arrives, and its sender receives an error.
    DeliveryLost(usize),
    /// The sender of a payload stops waiting (`Config::attempt_timeout`); it may still arrive.
    DeliveryGivenUp(usize),
    /// A write arrives whose sender no longer waits.
    LateWrite,
    /// A payload arrives whose sender no longer waits.
    LateDelivery,
    /// The invocation crashes.
    Crash(usize),
    /// A holder's machine freezes, and its monotonic clock with it.
    Freeze(usize),
}

/// The number of kinds of moves.
pub(crate) const KINDS: usize = 18;

/// A move and the resulting state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: Move,
    /// Without further faults, the step happens before time passes.
    pub(crate) healthy: bool,
    pub(crate) to: State,
}

/// Collects the steps from one state.
pub(crate) struct Steps<'a> {
    pub(crate) model: &'a Model,
    pub(crate) from: &'a State,
    pub(crate) found: &'a mut Vec<Step>,
}

impl Steps<'_> {
    /// Adds a step that always happens if there is no fault.
    pub(crate) fn healthy(&mut self, name: Move, to: State) {
        self.found.push(Step {
            name,
            healthy: true,
            to: network::drop_void_messages(to, self.model),
        });
    }

    /// Adds a step that may happen: a fault, a delay, a deadline, a duplicate event.
    pub(crate) fn possible(&mut self, name: Move, to: State) {
        self.found.push(Step {
            name,
            healthy: false,
            to: network::drop_void_messages(to, self.model),
        });
    }
}

impl Model {
    /// Collects all steps from `from`.
    pub(crate) fn steps(&self, from: &State, found: &mut Vec<Step>) {
        found.clear();
        let mut steps = Steps { model: self, from, found };
        if !from.table.stop {
            let mut to = *from;
            to.table.stop = true;
            steps.healthy(Move::Stop, to);
        }
        for slot in 0..from.runs.len() {
            // Runs that only poll are interchangeable, so one of them is enough.
            if slot > 0 && from.runs[slot - 1] == from.runs[slot] && from.runs[slot] == Run::Looking
            {
                continue;
            }
            match from.runs[slot] {
                Run::Looking => acquire::looking(&mut steps, slot),
                Run::Acquiring(take) => acquire::acquiring(&mut steps, slot, take),
                Run::Holding(holder) => leased::holding(&mut steps, slot, holder),
                Run::Releasing(release) => leased::releasing(&mut steps, slot, release),
            }
        }
        network::late(&mut steps);
        self.tick(from, found);
    }

    /// A tick passes. Without faults this happens only when no other healthy step is possible.
    fn tick(&self, from: &State, found: &mut Vec<Step>) {
        let mut to = *from;
        let past = self.long_lapsed();
        let lapse = |expires_in: &mut i8| *expires_in = (*expires_in - 1).max(past);
        let run_out = |valid_for: &mut i8| {
            if *valid_for != FROZEN {
                *valid_for = (*valid_for - 1).max(0);
            }
        };
        lapse(&mut to.table.expires_in);
        for run in &mut to.runs {
            match run {
                Run::Looking | Run::Releasing(_) => {}
                Run::Acquiring(take) => {
                    lapse(&mut take.expires_in);
                    run_out(&mut take.valid_for);
                }
                Run::Holding(holder) => {
                    if let Some(renewal) = &mut holder.renewal {
                        lapse(&mut renewal.write.expires_in);
                        run_out(&mut renewal.valid_for);
                    }
                    run_out(&mut holder.valid_for);
                }
            }
        }
        to.late_writes.iter_mut().flatten().for_each(|write| lapse(&mut write.expires_in));
        let to = network::drop_void_messages(to, self);
        if to != *from {
            let healthy = !found.iter().any(|step| step.healthy);
            found.push(Step { name: Move::Tick, healthy, to });
        }
    }
}
