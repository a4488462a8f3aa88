//! The conditional writes of the Streams table (aws-adapters, `dynamodb/streams.rs`); each is
//! atomic.

use crate::rules::Rules;
use crate::state::{Item, Run, State, Take, Write, WriteKind};

/// `LeaseTable::take`: returns the new epoch, or `None` if the item has changed since it was read.
pub(crate) fn take(state: &mut State, take: Take) -> Option<u8> {
    // The resend of a take whose response was lost finds its own write.
    if let Some(epoch) = take.got {
        return (state.table.held && state.table.epoch == epoch).then_some(epoch);
    }
    if take.stale || state.table.ended {
        return None;
    }
    let item = &mut state.table;
    item.held = true;
    item.epoch += 1;
    item.expires_in = take.expires_in;
    item.revision = 0;
    let epoch = item.epoch;
    seen_no_more(state);
    Some(epoch)
}

/// `LeaseTable::renew`: returns whether the sender still holds the lease.
pub(crate) fn renew(state: &mut State, write: Write, rules: Rules) -> bool {
    let item = &mut state.table;
    if !owns(item, write, rules) {
        return false;
    }
    // A write that was already applied or overtaken counts as success.
    if item.revision < write.revision || !rules.revision {
        *item = Item {
            expires_in: write.expires_in,
            revision: write.revision,
            next: write.next,
            origin: true,
            ..*item
        };
        seen_no_more(state);
    }
    true
}

/// `LeaseTable::release`.
pub(crate) fn release(state: &mut State, write: Write, ended: bool, rules: Rules) {
    let item = &mut state.table;
    if !owns(item, write, rules) {
        return;
    }
    *item =
        Item { held: false, next: write.next, origin: true, ended: item.ended | ended, ..*item };
    seen_no_more(state);
}

/// Returns whether owner and epoch match the write.
fn owns(item: &Item, write: Write, rules: Rules) -> bool {
    item.held && item.epoch == write.epoch || !rules.epoch
}

/// Owner, epoch or expiry changed: takes based on an earlier read are stale.
fn seen_no_more(state: &mut State) {
    for run in &mut state.runs {
        if let Run::Acquiring(take) = run {
            take.stale = true;
        }
    }
    // A late take that can no longer apply equals a lost one.
    for late in &mut state.late_writes {
        if late.is_some_and(|write| write.kind == WriteKind::Take) {
            *late = None;
        }
    }
}
