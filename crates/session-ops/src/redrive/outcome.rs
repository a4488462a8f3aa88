//! What became of letters, and the delivery that decides it.

use relay::answer::Reply;

use super::letter::Delivery;
use crate::aws::Aws;
use crate::cli::QueueKind;

/// What became of a letter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// Accepted and deleted; with `--dry-run`, it would be delivered.
    Delivered,
    /// Deleted and not processed: the processor answered `duplicate`, or with `--discard`.
    Deleted,
    /// Kept: the filter does not select it.
    Filtered,
    /// Kept, for this reason.
    Kept(String),
}

/// What became of the letters of a queue.
#[derive(Debug, Default)]
pub(super) struct Total {
    delivered: usize,
    deleted: usize,
    filtered: usize,
    kept: usize,
    /// Letters that were not read.
    pub(super) left: usize,
    /// Whether another reader had the letters that were not read.
    pub(super) elsewhere: bool,
}

impl Total {
    pub(super) fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Delivered => self.delivered += 1,
            Outcome::Deleted => self.deleted += 1,
            Outcome::Filtered => self.filtered += 1,
            Outcome::Kept(_) => self.kept += 1,
        }
    }

    /// Returns whether nothing is left that was to be delivered.
    pub(super) fn is_complete(&self) -> bool {
        self.kept + self.left == 0
    }

    /// Returns how many of the letters that were read are still in the queue.
    pub(super) fn in_queue(&self, dry_run: bool) -> usize {
        self.kept + self.filtered + if dry_run { self.delivered + self.deleted } else { 0 }
    }

    pub(super) fn text(&self, kind: QueueKind, dry_run: bool) -> String {
        let Self { delivered, deleted, filtered, kept, left, elsewhere } = self;
        let verb = if dry_run { "to deliver" } else { "delivered" };
        let deleted = match deleted {
            0 => String::new(),
            count if dry_run => format!(" {count} to delete,"),
            count => format!(" {count} deleted without a delivery,"),
        };
        let why = if *elsewhere { ": another reader has them" } else { "" };
        format!(
            "{}: {delivered} {verb},{deleted} {kept} kept, {filtered} not selected, {left} not \
             read{why}",
            kind.name()
        )
    }
}

/// Delivers a letter: an event asynchronously, so that Lambda retries it and sends a new letter if
/// it fails again; a chunk synchronously, because only the answer says whether it was accepted.
pub(super) async fn deliver(aws: &Aws, delivery: &Delivery, duplicates: bool) -> Outcome {
    let Delivery { function, payload, .. } = delivery;
    let Some(end) = delivery.chunk_end else {
        return match aws.queue(function, payload).await {
            Ok(()) => Outcome::Delivered,
            Err(error) => Outcome::Kept(error.to_string()),
        };
    };
    let invoked = match aws.call(function, payload).await {
        Ok(invoked) => invoked,
        Err(error) => return Outcome::Kept(error.to_string()),
    };
    let kept = |reason: &str| Outcome::Kept(reason.to_owned());
    match Reply::from_invoke(invoked.function_error.as_deref(), &invoked.body) {
        Reply::Accepted(Some(answer)) if answer.next_sample < end => {
            let next = answer.next_sample;
            kept(&format!("not accepted: nextSample {next} is before the chunk's end {end}"))
        }
        Reply::Accepted(Some(answer)) if answer.duplicate && duplicates => Outcome::Deleted,
        Reply::Accepted(Some(answer)) if answer.duplicate => kept(
            "duplicate: the processor has accepted or rejected it before, and did not process it \
             now; deliver it with --to",
        ),
        Reply::Accepted(_) => Outcome::Delivered,
        Reply::StaleEpoch => kept("StaleEpoch: another run has the session; deliver it with --to"),
        Reply::OutOfOrder { next_sample } => kept(&format!("OutOfOrder: expected {next_sample}")),
        Reply::Invalid(reason) | Reply::Failed(reason) => Outcome::Kept(reason),
    }
}
