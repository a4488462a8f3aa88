//! Model check of the lease protocol over all reachable states.
//!
//! The other tests run the code in chosen and in random scenarios; this test explores all scenarios
//! of a model of the code. Each move names the function that it represents, and the durations are
//! those of `Config::scaled(1.0)`: a guard too long for the lease fails here.
//!
//! # What is modelled
//! One session of three chunks; two concurrent invocations, any number over time; the Streams item
//! with its conditional writes; the processor with its watermark. The following may happen at any
//! point: a crash; a duplicate event; a hand-off; wall clocks that jump within 5 s of each other at
//! every reading; a message that is lost, whose response is lost, or that its sender gives up and
//! that arrives at any later time; and a machine whose monotonic clock freezes, so that its run
//! wakes and assumes that it still holds the lease. In flight at once are a write and a payload for
//! each run, and one message of either kind without a waiting sender.
//!
//! # What is not modelled, and why that hides no errors
//! - *The reader.* Audio that is not read yet is not delivered yet, and a run may be slow at any
//!   point. `killed_anywhere` tests that two runs produce the same chunks; `delivery` tests that
//!   gaps, dead letters and pauses move the progress only past settled audio. Every run batches
//!   differently, so payloads overlap partly.
//! - *A run that waits for the lease* has written nothing. It may start, return or crash without
//!   effect, and the successor's name only determines when the holder hands off: here that may
//!   be at any time.
//! - *When a stop is read.* A holder that has not read it behaves like a slow one.
//! - *The latency of responses.* A run may act on a response at any later time. The right to
//!   deliver starts when a renewal was sent, so an immediate response leaves more of it, never
//!   less.
//! - *A renewal or payload whose response is lost* equals one that its sender gives up and that
//!   arrives afterwards.
//! - *A processor that loses its state* violates the assumptions; `delivery` and `ending` test it.
//!
//! # Results
//! The model has 1.7 million states and 24 million steps between them. Every property in
//! `promises.rs` holds in all of them, and from each the session ends within 48 s once no more
//! faults occur. To show that the check can fail, the other tests remove one rule each and expect a
//! violation.
//!
//! The search is implemented here because the existing crate (stateright 0.31) depends on a second
//! version of `rand` and an HTTP server, and its "eventually" properties ignore cycles, which
//! polling and unbounded sessions make common in this model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod acquire;
mod leased;
mod moves;
mod network;
mod processor;
mod progress;
mod promises;
mod rules;
mod search;
mod state;
mod table;
mod timing;

use moves::KINDS;
use promises::Promise;
use rules::{Model, RULES, Rules};
use search::check;
use timing::Durations;

#[test]
fn whatever_fails_each_sample_is_accepted_once_and_the_session_ends() {
    let model = Model::of_the_code();
    let explored = check(&model).unwrap_or_else(|example| panic!("{example}"));
    println!("{} states, {} steps", explored.states, explored.steps);
    assert_eq!(explored.kinds, KINDS, "some kind of move never happens: the model is too narrow");
    // In the worst state, only the end of a lease just renewed has to be waited for.
    let waited_out = model.timing.soonest_take + model.timing.doubt;
    assert_eq!(explored.ticks_to_the_end, u32::try_from(waited_out).unwrap());
}

/// Asserts that the check finds a violation of `promise` in `model`.
fn breaks(promise: Promise, model: Model) {
    let example = check(&model).expect_err("no violation was found");
    assert_eq!(example.promise, promise, "{example}");
}

fn with_durations(change: impl FnOnce(&mut Durations)) -> Model {
    let mut durations = Durations::of_the_code();
    change(&mut durations);
    Model { timing: durations.timing(), rules: RULES }
}

fn with_rules(rules: Rules) -> Model {
    Model { rules, ..Model::of_the_code() }
}

#[test]
fn a_guard_longer_than_lease_and_margin_less_skew_gives_two_the_right() {
    let too_long = |durations: &mut Durations| {
        durations.guard = durations.soonest_take() + durations.guard / 2;
    };
    breaks(Promise::OneRight, with_durations(too_long));
}

#[test]
fn a_lease_and_margin_that_do_not_cover_the_clocks_give_two_the_right() {
    let too_short = |durations: &mut Durations| {
        durations.lease = durations.guard + durations.skew - durations.margin;
    };
    breaks(Promise::OneRight, with_durations(too_short));
}

#[test]
fn a_processor_that_does_not_look_at_epochs_takes_from_a_zombie() {
    breaks(Promise::OneDeliverer, with_rules(Rules { fence: false, ..RULES }));
}

#[test]
fn a_processor_without_a_watermark_takes_samples_twice() {
    breaks(Promise::AcceptedOnce, with_rules(Rules { watermark: false, ..RULES }));
}

#[test]
fn a_renewal_that_does_not_look_at_the_revision_puts_an_old_checkpoint_back() {
    breaks(Promise::CheckpointMonotonic, with_rules(Rules { revision: false, ..RULES }));
}

#[test]
fn a_write_that_does_not_look_at_the_epoch_gives_away_the_lease_of_another() {
    breaks(Promise::OneRight, with_rules(Rules { epoch: false, ..RULES }));
}

#[test]
fn progress_that_counts_sent_samples_loses_them() {
    breaks(Promise::CheckpointNeverAhead, with_rules(Rules { accepted_first: false, ..RULES }));
}

#[test]
fn a_delivery_before_the_first_renewal_leaves_position_zero_open() {
    breaks(Promise::OriginComesFirst, with_rules(Rules { origin_persisted: false, ..RULES }));
}

#[test]
fn a_session_whose_lease_is_never_waited_out_does_not_end() {
    breaks(Promise::ReachesTheEnd, with_rules(Rules { waits_out: false, ..RULES }));
}
