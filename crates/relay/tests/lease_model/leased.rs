//! `leased_run::run_with_lease` and `leased_run::finish`: a run with the lease.

use crate::moves::{Move, Steps};
use crate::network::{abandon_delivery, abandon_write};
use crate::processor::{self, Reply};
use crate::state::{CHUNKS, Delivery, FROZEN, Holder, Renewal, Run, State, Write, WriteKind};
use crate::table;

/// All moves of a holder, and all faults that can affect it.
pub(crate) fn holding(steps: &mut Steps<'_>, slot: usize, holder: Holder) {
    over(steps, slot, holder, Run::Looking, Move::Crash(slot), false);
    if let Some(renewal) = holder.renewal {
        renewal_under_way(steps, slot, holder, renewal);
    }
    if let Some(delivery) = holder.delivery {
        delivery_under_way(steps, slot, holder, delivery);
    }
    freeze(steps, slot, holder);
    send_renewal(steps, slot, holder);
    send_deliveries(steps, slot, holder);
    hand_off(steps, slot, holder);
}

/// The holder's machine freezes and may become a zombie. Whether and when it wakes does not matter:
/// until a renewal that it sends afterwards is answered, its clock may be behind by any amount.
fn freeze(steps: &mut Steps<'_>, slot: usize, holder: Holder) {
    let stand = |valid_for: i8| if valid_for > 0 { FROZEN } else { 0 };
    let renewal = holder
        .renewal
        .map(|under_way| Renewal { valid_for: stand(under_way.valid_for), ..under_way });
    let to = with(steps, slot, Holder { valid_for: stand(holder.valid_for), renewal, ..holder });
    if to != *steps.from {
        steps.possible(Move::Freeze(slot), to);
    }
}

/// Returns the same state with another holder.
fn with(steps: &Steps<'_>, slot: usize, holder: Holder) -> State {
    let mut to = *steps.from;
    to.runs[slot] = Run::Holding(holder);
    to
}

/// The holder stops for any reason and becomes `then`. Its messages in flight stay in flight or are
/// lost.
fn over(steps: &mut Steps<'_>, slot: usize, holder: Holder, then: Run, name: Move, healthy: bool) {
    let mut to = *steps.from;
    to.runs[slot] = then;
    abandon_write(&to, holder.renewal.map(|renewal| renewal.write), |to| {
        abandon_delivery(&to, holder.delivery, |to| {
            if healthy {
                steps.healthy(name, to);
            } else {
                steps.possible(name, to);
            }
        });
    });
}

/// `LeaseRenewer::renew_loop`: the first renewal and all later ones. `Config::renew` is as long
/// as a tick. Here a renewal may be sent at any time; without faults one in a tick is enough.
fn send_renewal(steps: &mut Steps<'_>, slot: usize, holder: Holder) {
    let timing = steps.model.timing;
    if holder.renewal.is_some() {
        return;
    }
    let revision = holder.revision + 1;
    let write = Write {
        kind: WriteKind::Renew,
        epoch: holder.epoch,
        revision,
        expires_in: timing.soonest_take,
        next: holder.next,
    };
    let renewal = Some(Renewal { write, valid_for: timing.guard + 1 });
    let to = with(steps, slot, Holder { revision, renewal, ..holder });
    let due = holder.valid_for <= timing.guard || holder.valid_for == FROZEN;
    if !holder.origin_persisted || due {
        steps.healthy(Move::SendRenewal(slot), to);
    } else {
        steps.possible(Move::SendRenewal(slot), to);
    }
}

/// The responses to a renewal, including no response.
fn renewal_under_way(steps: &mut Steps<'_>, slot: usize, holder: Holder, renewal: Renewal) {
    let rules = steps.model.rules;
    let without_renewal = Holder { renewal: None, ..holder };
    let mut to = *steps.from;
    if table::renew(&mut to, renewal.write, rules) {
        to.runs[slot] = Run::Holding(Holder {
            valid_for: renewal.valid_for,
            origin_persisted: true,
            ..without_renewal
        });
        steps.healthy(Move::WriteArrives(slot), to);
    } else {
        // `RunEnd::LeaseLost`: another run holds the lease.
        over(steps, slot, without_renewal, Run::Looking, Move::WriteArrives(slot), true);
    }
    let lost = with(steps, slot, without_renewal);
    steps.possible(Move::WriteLost(slot), lost);
    abandon_write(&lost, Some(renewal.write), |to| steps.possible(Move::WriteGivenUp(slot), to));
}

/// `Deliverer::may_deliver` returns, and a batch of one or two chunks is sent. Which chunk is the
/// last is known only after the stream is stopped and drained.
fn send_deliveries(steps: &mut Steps<'_>, slot: usize, holder: Holder) {
    let ready =
        holder.valid_for > 0 && (holder.origin_persisted || !steps.model.rules.origin_persisted);
    if holder.delivery.is_some() || !ready {
        return;
    }
    let known = if steps.from.table.stop { CHUNKS } else { CHUNKS - 1 };
    for to in (holder.next + 1..=known).take(2) {
        let delivery = Some(Delivery { epoch: holder.epoch, from: holder.next, to });
        let next = if steps.model.rules.accepted_first { holder.next } else { to };
        let to = with(steps, slot, Holder { delivery, next, ..holder });
        steps.healthy(Move::SendDelivery(slot), to);
    }
}

/// `Deliverer::offer`: the responses to a payload, including no response.
fn delivery_under_way(steps: &mut Steps<'_>, slot: usize, holder: Holder, delivery: Delivery) {
    let rules = steps.model.rules;
    let failed = Holder { delivery: None, ..holder };
    let mut taken = *steps.from;
    let reply = processor::accept(&mut taken, delivery, rules);
    let mut settle = |after: Run| {
        let mut to = taken;
        to.runs[slot] = after;
        // A renewal in flight is dropped with the renewer when the run ends.
        let dropped = if matches!(after, Run::Holding(_)) { None } else { holder.renewal };
        abandon_write(&to, dropped.map(|renewal| renewal.write), |to| {
            steps.healthy(Move::DeliveryArrives(slot), to);
        });
    };
    match reply {
        // `DeliveryEnd::Drained`.
        Reply::Accepted { next } if next >= delivery.to && delivery.to == CHUNKS => {
            settle(releasing_of(failed, delivery.to, true));
        }
        Reply::Accepted { next } if next >= delivery.to => {
            settle(Run::Holding(Holder { next: failed.next.max(delivery.to), ..failed }));
        }
        // `Deliverer::out_of_order`: back to the processor's position, unless it is ahead of the
        // payload.
        Reply::Accepted { next } | Reply::OutOfOrder { next } => {
            let next = if next > delivery.from { failed.next } else { next };
            settle(Run::Holding(Holder { next, ..failed }));
        }
        // `DeliveryEnd::StaleEpoch`.
        Reply::StaleEpoch => settle(Run::Looking),
    }
    let lost = with(steps, slot, failed);
    steps.possible(Move::DeliveryLost(slot), lost);
    abandon_delivery(&lost, Some(delivery), |to| steps.possible(Move::DeliveryGivenUp(slot), to));
}

/// `handoff::hand_off` and the resulting end of `delivery::deliver`. The successor's name only
/// determines its time (at its announcement or near the deadline); here it may be at any time.
fn hand_off(steps: &mut Steps<'_>, slot: usize, holder: Holder) {
    let name = if holder.delivery.is_none() { Move::HandOff(slot) } else { Move::Abandon(slot) };
    over(steps, slot, holder, releasing_of(holder, holder.next, false), name, false);
}

fn releasing_of(holder: Holder, next: u8, ended: bool) -> Run {
    let kind = WriteKind::Release { ended };
    // A release checks no revision, and its expiry is never compared.
    let release = Write { kind, epoch: holder.epoch, revision: 0, expires_in: 0, next };
    Run::Releasing(release)
}

/// `LeaseRenewer::release` in flight. `retry::retry` resends it until it is answered; a late copy
/// finds the lease released and changes nothing, so only a late release whose sender crashed
/// matters.
pub(crate) fn releasing(steps: &mut Steps<'_>, slot: usize, release: Write) {
    let WriteKind::Release { ended } = release.kind else { return };
    let mut arrived = *steps.from;
    table::release(&mut arrived, release, ended, steps.model.rules);
    let mut to = arrived;
    to.runs[slot] = Run::Looking;
    steps.healthy(Move::WriteArrives(slot), to);
    let mut gone = *steps.from;
    gone.runs[slot] = Run::Looking;
    abandon_write(&gone, Some(release), |to| steps.possible(Move::Crash(slot), to));
}
