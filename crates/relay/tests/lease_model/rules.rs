//! The model: timing, and the rules of the protocol. Each rule can be removed to test that the
//! check detects it.

use crate::timing::{Durations, Timing};

/// The checks that the components make. The code makes all of them; a test that removes one must
/// find a violation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The processor rejects older epochs (`watermark::Step::applies_to`, first condition).
    pub(crate) fence: bool,
    /// The processor accepts each sample once (`watermark::Step::applies_to`, the other two).
    pub(crate) watermark: bool,
    /// A renewal is rejected if a later one is stored (`LeaseTable::renew`).
    pub(crate) revision: bool,
    /// A write of a past epoch is rejected (`LeaseTable::{renew, release}`).
    pub(crate) epoch: bool,
    /// The progress advances when the processor has accepted a payload, not when the payload is
    /// sent (`delivery::Deliverer::accepted`).
    pub(crate) accepted_first: bool,
    /// Nothing is delivered before the origin is stored (`delivery::Deliverer::may_deliver`).
    pub(crate) origin_persisted: bool,
    /// A lease that does not change is waited out and taken (`lease::acquire`).
    pub(crate) waits_out: bool,
}

/// All rules, as in the code.
pub(crate) const RULES: Rules = Rules {
    fence: true,
    watermark: true,
    revision: true,
    epoch: true,
    accepted_first: true,
    origin_persisted: true,
    waits_out: true,
};

/// The protocol to check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    pub(crate) timing: Timing,
    pub(crate) rules: Rules,
}

impl Model {
    /// Returns the model with the durations and rules of the code.
    pub(crate) fn of_the_code() -> Self {
        Self { timing: Durations::of_the_code().timing(), rules: RULES }
    }

    /// Returns an expiry so long ago that even the slowest clock shows the lease as lapsed.
    pub(crate) fn long_lapsed(&self) -> i8 {
        -self.timing.doubt
    }
}
