//! The lease protocol, checked in every state that it can reach.
//!
//! The other tests run the code in chosen and in random worlds; this one runs a model of it in all of
//! them. Each move names the function that it stands for, and the durations are those of
//! `Config::scaled(1.0)`: a guard that is too long for the lease fails here.
//!
//! # What is modelled
//! One session of three chunks; two invocations at a time, any number over time; the Streams item with
//! its conditional writes; the processor with its watermark. Anything may happen at any point: a crash,
//! an order given twice, a hand-off, wall clocks that jump within 5 s of each other at every reading, a
//! message that is lost, whose answer is lost, that its sender gives up and that arrives at any later
//! time, and a machine whose monotonic clock stands still, so that its run wakes in the belief that it
//! still holds the lease. In flight at once: a write and a payload for each run, and one message of
//! either kind to which nobody listens any more.
//!
//! # What is left out, and why that hides nothing
//! - *The reader.* What is not read yet is not delivered yet, and a run may be slow at any point. That
//!   two runs cut the same chunks is `killed_anywhere`'s to show; that gaps, dead letters and pauses move
//!   the ledger only past what is settled, `delivery`'s. Batches are cut differently by every run, so
//!   payloads overlap in part.
//! - *Who waits for the lease* is a run that has written nothing. It may come, leave or die unseen, and
//!   the successor's name decides only when the holder yields: here that may be at any time.
//! - *When a stop is heard.* A holder that has not heard of it is a slow one.
//! - *Answers take no time*, for a run may act on one at any time later. The right to deliver counts
//!   from when a renewal was sent, so an answer that comes at once gives more of it, never less.
//! - *A renewal or payload whose answer is lost* is one that its sender gives up and that then arrives.
//! - *A processor that forgets* breaks the premise; `delivery` and `ending` deal with it.
//!
//! # What is found
//! Some 3.4 million states and 47 million steps between them; every promise of `promises.rs` holds in
//! all of them, and from each the session ends within 24 s once nothing fails any more. A check that
//! cannot fail is worth nothing: the other tests take one rule away each and are shown what for.
//!
//! The search is ours because the crate for it (stateright 0.31) brings a second `rand` and an HTTP
//! server, and its "eventually" does not see circles, while this model, with its polling and its
//! endless sessions, is full of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod acquire;
mod carry;
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
    // From the worst state on, all that is to be waited for is the end of a lease just renewed.
    let waited_out = model.timing.soonest_take + model.timing.doubt;
    assert_eq!(explored.ticks_to_the_end, u32::try_from(waited_out).unwrap());
}

/// The check must find that `model` breaks `promise`.
fn breaks(promise: Promise, model: Model) {
    let example = check(&model).expect_err("the check did not notice");
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
fn a_margin_that_does_not_cover_the_clocks_gives_two_the_right() {
    let too_short = |durations: &mut Durations| {
        durations.margin = durations.guard + durations.skew - durations.lease;
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
    breaks(Promise::CheckpointGoesForward, with_rules(Rules { revision: false, ..RULES }));
}

#[test]
fn a_write_that_does_not_look_at_the_epoch_gives_away_the_lease_of_another() {
    breaks(Promise::OneRight, with_rules(Rules { epoch: false, ..RULES }));
}

#[test]
fn a_ledger_that_counts_what_was_sent_loses_samples() {
    breaks(Promise::CheckpointTellsTheTruth, with_rules(Rules { accepted_first: false, ..RULES }));
}

#[test]
fn a_delivery_before_the_first_renewal_leaves_position_zero_open() {
    breaks(Promise::OriginComesFirst, with_rules(Rules { anchored: false, ..RULES }));
}

#[test]
fn a_lease_that_nobody_waits_out_leaves_the_session_without_an_end() {
    breaks(Promise::ReachesTheEnd, with_rules(Rules { waits_out: false, ..RULES }));
}
