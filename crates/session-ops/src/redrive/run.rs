//! One queue, ten letters at a time.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use super::letter::Delivery;
use super::outcome::{Outcome, Total, deliver};
use crate::aws::{Counts, Letter, Queue};
use crate::cli::{QueueKind, Redrive};
use crate::commands::Context;
use crate::error::Error;
use crate::output::{Row, Table};
use crate::times::shown;

/// How often a queue that seems empty is asked again while another reader, such as the health
/// check, has letters: longer than it hides them.
const EMPTY_RECEIVES: usize = 15;

/// Redrives the letters that a queue has now. Returns whether Ctrl-C ended it early.
pub(super) async fn queue(
    context: &Context,
    options: &Redrive,
    kind: QueueKind,
    table: &mut Table<7>,
) -> Result<(Total, bool), Error> {
    let url = match kind {
        QueueKind::Events => context.env.events_queue(),
        QueueKind::Chunks => context.env.chunks_queue(),
    };
    let queue = context.aws.queue_named(&url).await?;
    let mut run = Run { context, options, kind, queue, seen: HashSet::new(), held: Vec::new() };
    let mut total = Total::default();
    let interrupted = run.letters(&mut total, table).await;
    // Also after an error, as far as the queue can be reached.
    let put_back = run.queue.put_back(&run.held).await;
    let interrupted = interrupted?;
    put_back?;
    Ok((total, interrupted))
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
    async fn letters(&mut self, total: &mut Total, table: &mut Table<7>) -> Result<bool, Error> {
        // A receive is never cancelled: it may have hidden letters already.
        let interrupted = tokio::spawn(tokio::signal::ctrl_c());
        let Counts { visible, hidden } = self.queue.counts().await?;
        let (at_start, mut empty) = (visible + hidden, 0);
        while self.seen.len() < at_start && empty < EMPTY_RECEIVES {
            let letters = self.queue.receive().await?;
            if interrupted.is_finished() {
                self.held.extend(letters.into_iter().map(|letter| letter.receipt));
                return Ok(true);
            }
            if letters.is_empty() {
                empty += 1;
                if self.queue.counts().await?.hidden <= self.held.len() {
                    break;
                }
                continue;
            }
            let rows = self.batch(letters, total).await?;
            table.page(&rows)?;
        }
        let Counts { visible, hidden } = self.queue.counts().await?;
        total.left = (visible + hidden)
            .saturating_sub(self.held.len())
            .min(at_start.saturating_sub(self.seen.len()));
        Ok(false)
    }

    /// Delivers the letters of one receive at the same time.
    async fn batch(
        &mut self,
        letters: Vec<Letter>,
        total: &mut Total,
    ) -> Result<Vec<Row<7>>, Error> {
        let (mut new, again): (Vec<_>, Vec<_>) =
            letters.into_iter().partition(|letter| self.seen.insert(letter.id.clone()));
        self.held.extend(again.into_iter().map(|letter| letter.receipt));
        let outcomes = join_all(new.iter().map(|letter| self.letter(letter))).await;
        let mut rows = Vec::new();
        let mut failure = None;
        for (letter, outcome) in new.drain(..).zip(outcomes) {
            let (delivery, outcome) = match outcome {
                Ok(done) => done,
                Err(error) => {
                    self.held.push(letter.receipt);
                    failure = Some(error);
                    continue;
                }
            };
            total.count(&outcome);
            rows.push(self.row(&letter, delivery.as_ref(), &outcome));
            if self.options.dry_run || outcome != Outcome::Delivered {
                self.held.push(letter.receipt);
            }
        }
        failure.map_or(Ok(rows), Err)
    }

    /// Delivers a letter, and then deletes it.
    async fn letter(&self, letter: &Letter) -> Result<(Option<Delivery>, Outcome), Error> {
        let filter = self.options.filter.as_deref().unwrap_or_default();
        let mut texts = letter.attributes.values().chain([&letter.body]);
        if !texts.any(|text| text.contains(filter)) {
            return Ok((None, Outcome::Filtered));
        }
        let to = self.options.to.as_deref();
        let delivery = match Delivery::of(letter, &self.context.env, to) {
            Ok(delivery) => delivery,
            Err(reason) => return Ok((None, Outcome::Kept(reason.to_owned()))),
        };
        if self.options.dry_run {
            let (function, payload) = (&delivery.function, &delivery.payload);
            match delivery.is_answered {
                true => self.context.aws.show_called(function, payload),
                false => self.context.aws.show_queued(function, payload),
            }
            self.queue.show_deletion(letter);
            return Ok((Some(delivery), Outcome::Delivered));
        }
        let outcome = deliver(&self.context.aws, &delivery, self.options.delete_duplicates).await;
        if outcome == Outcome::Delivered {
            self.queue.delete(letter).await?;
        }
        Ok((Some(delivery), outcome))
    }

    fn row(&self, letter: &Letter, delivery: Option<&Delivery>, outcome: &Outcome) -> Row<7> {
        let of = |get: fn(&Delivery) -> &str| delivery.map_or("-", get).to_owned();
        let outcome = match outcome {
            Outcome::Delivered if self.options.dry_run => "to deliver".to_owned(),
            Outcome::Delivered => "delivered".to_owned(),
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
        ];
        let object = json!({
            "queue": cells[0], "messageId": cells[1], "sent": cells[2], "letter": cells[3],
            "sessionId": cells[4], "function": cells[5], "outcome": cells[6],
        });
        (cells, object)
    }
}
