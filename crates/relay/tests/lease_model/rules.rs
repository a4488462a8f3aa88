//! The model: timing, and the rules of the protocol, each of which can be taken away to see whether
//! the check notices.

use crate::timing::{Durations, Timing};

/// What the parts check. All of them in the code; a test that takes one away must find a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The processor refuses older epochs (`watermark::Step::applies_to`, first condition).
    pub(crate) fence: bool,
    /// The processor takes each sample once (`watermark::Step::applies_to`, the other two).
    pub(crate) watermark: bool,
    /// A renewal is refused when a later one is stored (`LeaseTable::renew`).
    pub(crate) revision: bool,
    /// A write of the holder is refused when its epoch is over (`LeaseTable::{renew, release}`).
    pub(crate) epoch: bool,
    /// The ledger moves when the processor has accepted, not when the payload is sent
    /// (`delivery::Deliverer::accepted`).
    pub(crate) accepted_first: bool,
    /// Nothing is delivered before the origin is stored (`delivery::Deliverer::ready`).
    pub(crate) anchored: bool,
    /// A lease that stands still is waited out and taken (`lease::acquire`).
    pub(crate) waits_out: bool,
}

/// All rules, as in the code.
pub(crate) const RULES: Rules = Rules {
    fence: true,
    watermark: true,
    revision: true,
    epoch: true,
    accepted_first: true,
    anchored: true,
    waits_out: true,
};

/// The protocol to check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    pub(crate) timing: Timing,
    pub(crate) rules: Rules,
}

impl Model {
    /// What the code does.
    pub(crate) fn of_the_code() -> Self {
        Self { timing: Durations::of_the_code().timing(), rules: RULES }
    }

    /// An expiry so far back that every taker, however slow its clock, calls it lapsed.
    pub(crate) fn long_lapsed(&self) -> i8 {
        -self.timing.doubt
    }
}
