//! The processor (audio-processor, `processor.rs` and `watermark.rs`): one conditional step per
//! payload. Payloads of this model declare no gap, so a step's floor is its start.

use crate::rules::Rules;
use crate::state::{Delivery, Fault, State};

/// `relay::answer::Reply`, limited to the replies of this processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Accepted { next: u8 },
    StaleEpoch,
    OutOfOrder { next: u8 },
}

/// `Processor::accept`.
///
/// Its second write, the fence, is part of the same step here. In reality a payload handled between
/// the two writes gets the same reply as if it had arrived before the first, because the fence
/// returns the state that it finds.
pub(crate) fn accept(state: &mut State, payload: Delivery, rules: Rules) -> Reply {
    let reply = step(state, payload, rules);
    if let Reply::Accepted { .. } = reply {
        state.truth.epoch = state.truth.epoch.max(payload.epoch);
    }
    reply
}

fn step(state: &mut State, payload: Delivery, rules: Rules) -> Reply {
    let at = &mut state.processor;
    // `Step::applies_to`.
    let fenced = rules.fence && at.epoch > payload.epoch;
    let fits = payload.from <= at.next && at.next < payload.to || !rules.watermark;
    if !fenced && fits {
        let first = if rules.watermark { at.next } else { payload.from };
        (at.next, at.epoch) = (payload.to, payload.epoch);
        record(state, first, payload);
        return Reply::Accepted { next: payload.to };
    }
    if at.epoch < payload.epoch && (at.next, at.epoch) != (0, 0) {
        at.epoch = payload.epoch;
    }
    if fenced {
        return Reply::StaleEpoch;
    }
    if at.next < payload.from {
        return Reply::OutOfOrder { next: at.next };
    }
    Reply::Accepted { next: at.next }
}

/// Records that chunks `first..payload.to` were accepted.
fn record(state: &mut State, first: u8, payload: Delivery) {
    let truth = &mut state.truth;
    if payload.epoch < truth.epoch {
        truth.fault = Some(Fault::OldLease);
    }
    if first != truth.next {
        truth.fault = Some(if first < truth.next { Fault::Twice } else { Fault::Hole });
    }
    truth.next = truth.next.max(payload.to);
}
