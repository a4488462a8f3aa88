//! One queue, ten letters at a time.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use super::interrupts::Interrupts;
use super::letter::Delivery;
use super::outcome::{Outcome, Total, deliver};
use crate::aws::{Counts, Letter, Queue};
use crate::cli::{QueueKind, Redrive};
use crate::commands::Context;
use crate::error::Error;
use crate::output::{Row, Table, note};
use crate::times::shown;

/// How often a queue that seems empty is asked again while another reader, such as the health
/// check, has letters: longer than it hides them.
const EMPTY_RECEIVES: usize = 15;
/// The most characters of a reason in the table.
const REASON: usize = 80;

/// Redrives the letters that a queue has now. Returns what became of them, also after an error, and
/// whether Ctrl-C ended it early.
pub(super) async fn queue(
    context: &Context,
    options: &Redrive,
    kind: QueueKind,
    table: &mut Table<8>,
    interrupts: &mut Interrupts,
) -> (Total, Result<bool, Error>) {
    let name = match kind {
        QueueKind::Events => context.env.events_queue(),
        QueueKind::Chunks => context.env.chunks_queue(),
    };
    let mut total = Total::default();
    let queue = match context.aws.queue_named(&name).await {
        Ok(queue) => queue,
        Err(error) => return (total, Err(error)),
    };
    let mut run = Run { context, options, kind, queue, seen: HashSet::new(), held: Vec::new() };
    let result = run.letters(&mut total, table, interrupts).await;
    // Also after an error, as far as the queue can be reached.
    let put_back = run.queue.put_back(&run.held).await;
    (total, result.and_then(|interrupted| put_back.map(|()| interrupted)))
}

/// A redrive of one queue.
struct Run<'a> {
    context: &'a Context,
    options: &'a Redrive,
    kind: QueueKind,
    queue: Queue<'a>,
    /// The ids of the letters that were received.
    seen: HashSet<String>,
    /// The receipts of those that are not deleted: they are hidden until the end, so that each is
    /// received once.
    held: Vec<String>,
}

impl Run<'_> {
    /// Works on as many letters as there were at the start: those that arrive meanwhile, because a
    /// function failed again, are for the next redrive.
    async fn letters(
        &mut self,
        total: &mut Total,
        table: &mut Table<8>,
        interrupts: &mut Interrupts,
    ) -> Result<bool, Error> {
        let Counts { visible, hidden } = self.queue.counts().await?;
        let at_start = visible + hidden;
        let result = self.batches(at_start, total, table, interrupts).await;
        total.left = at_start.saturating_sub(self.seen.len());
        if let Ok(Counts { visible, hidden }) = self.queue.counts().await {
            let in_queue = (visible + hidden).saturating_sub(total.in_queue(self.options.dry_run));
            total.left = total.left.min(in_queue);
        }
        total.elsewhere &= total.left > 0;
        result
    }

    async fn batches(
        &mut self,
        at_start: usize,
        total: &mut Total,
        table: &mut Table<8>,
        interrupts: &mut Interrupts,
    ) -> Result<bool, Error> {
        let mut empty = 0;
        while self.seen.len() < at_start && empty < EMPTY_RECEIVES {
            // A receive is never cancelled: it may have hidden letters already.
            let letters = self.queue.receive().await?;
            if interrupts.pending() {
                self.held.extend(letters.into_iter().map(|letter| letter.receipt));
                return Ok(true);
            }
            if letters.is_empty() {
                empty += 1;
                total.elsewhere = self.queue.counts().await?.hidden > self.held.len();
                match total.elsewhere {
                    false => break,
                    true if empty == 1 => note(&format!(
                        "{}: another reader, for example another redrive, has letters; waiting \
                         up to 30 s",
                        self.kind.name()
                    )),
                    true => {}
                }
                continue;
            }
            let (rows, interrupted) = self.batch(letters, total, interrupts).await;
            table.page(&rows)?;
            if interrupted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Delivers the letters of one receive at the same time. Returns their rows, and whether there
    /// was a Ctrl-C.
    async fn batch(
        &mut self,
        letters: Vec<Letter>,
        total: &mut Total,
        interrupts: &mut Interrupts,
    ) -> (Vec<Row<8>>, bool) {
        let (new, again): (Vec<_>, Vec<_>) =
            letters.into_iter().partition(|letter| self.seen.insert(letter.id.clone()));
        self.held.extend(again.into_iter().map(|letter| letter.receipt));
        let work = join_all(new.iter().map(|letter| self.letter(letter)));
        let (outcomes, interrupted) = interrupts.finish(work).await;
        let abandoned = || {
            let outcome = Outcome::Kept("interrupted: perhaps delivered".to_owned());
            new.iter().map(|_| (None, outcome.clone())).collect()
        };
        let outcomes = outcomes.unwrap_or_else(abandoned);
        let mut rows = Vec::new();
        for (letter, (delivery, outcome)) in new.iter().zip(outcomes) {
            total.count(&outcome);
            rows.push(self.row(letter, delivery.as_ref(), &outcome));
            let is_gone = matches!(outcome, Outcome::Delivered | Outcome::Deleted);
            if self.options.dry_run || !is_gone {
                self.held.push(letter.receipt.clone());
            }
        }
        (rows, interrupted)
    }

    /// Delivers a letter, and then deletes it.
    async fn letter(&self, letter: &Letter) -> (Option<Delivery>, Outcome) {
        let filter = self.options.filter.as_deref().unwrap_or_default();
        let mut texts = letter.attributes.values().chain([&letter.body]);
        if !texts.any(|text| text.contains(filter)) {
            return (None, Outcome::Filtered);
        }
        let to = self.options.to.as_deref();
        let delivery = match Delivery::of(letter, &self.context.env, to) {
            Ok(delivery) => delivery,
            Err(reason) => return (None, Outcome::Kept(reason.to_owned())),
        };
        if self.options.dry_run {
            let (function, payload) = (&delivery.function, &delivery.payload);
            match delivery.is_answered {
                true => self.context.aws.show_called(function, payload),
                false => self.context.aws.show_queued(function, payload),
            }
            self.queue.show_deletion(letter);
            return (Some(delivery), Outcome::Delivered);
        }
        let outcome = deliver(&self.context.aws, &delivery, self.options.delete_duplicates).await;
        let outcome = match outcome {
            Outcome::Delivered | Outcome::Deleted => match self.queue.delete(letter).await {
                Ok(()) => outcome,
                Err(error) => Outcome::Kept(format!("delivered, not deleted: {error}")),
            },
            other => other,
        };
        (Some(delivery), outcome)
    }

    fn row(&self, letter: &Letter, delivery: Option<&Delivery>, outcome: &Outcome) -> Row<8> {
        let of = |get: fn(&Delivery) -> &str| delivery.map_or("-", get).to_owned();
        let outcome = match outcome {
            Outcome::Delivered if self.options.dry_run => "to deliver".to_owned(),
            Outcome::Delivered => "delivered".to_owned(),
            Outcome::Deleted => "deleted: duplicate".to_owned(),
            Outcome::Filtered => "not selected".to_owned(),
            Outcome::Kept(reason) => format!("kept: {reason}"),
        };
        let function = of(|it| it.function.rsplit(':').next().unwrap_or_default());
        let cells = [
            self.kind.name().to_owned(),
            letter.id.clone(),
            shown(letter.sent),
            of(|it| it.form),
            of(|it| &it.session),
            function,
            outcome,
            shortened(&of(|it| &it.reason)),
        ];
        let object = json!({
            "queue": cells[0], "messageId": cells[1], "sent": cells[2], "letter": cells[3],
            "sessionId": cells[4], "function": cells[5], "outcome": cells[6],
            "reason": of(|it| &it.reason),
        });
        (cells, object)
    }
}

/// Returns the beginning of a text, for the last column of the table.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
