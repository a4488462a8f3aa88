//! One queue: letters are received, delivered, and deleted or put back.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::ready;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde_json::{Value, json};

use super::interrupts::Interrupts;
use super::letter::{Delivery, session_and_reason};
use super::outcome::{Outcome, Total, deliver};
use crate::aws::{BATCH, Counts, Letter, Queue};
use crate::cli::{QueueKind, Redrive};
use crate::commands::Context;
use crate::error::Error;
use crate::output::{Row, Table, note};
use crate::times::shown;

/// Empty receives in a row, of 2 s each, after which a redrive ends while another reader has
/// letters: longer than the visibility timeout of the health check.
const EMPTY_RECEIVES: usize = 15;
/// Chunks that are received before any is delivered, so that those of a session are delivered in
/// the order of their samples. SQS returns the letters of a queue in no order. Few enough that all
/// are delivered before the first is visible again.
const ORDERED: usize = 100;
/// The most characters of a reason in the table.
const REASON: usize = 80;

/// Redrives the letters that a queue has now. Returns what became of them, also after an error
/// (`None`: the queue could not be read).
pub(super) async fn queue(
    context: &Context,
    options: &Redrive,
    kind: QueueKind,
    table: &mut Table<8>,
    interrupts: &Interrupts,
) -> (Option<Total>, Result<(), Error>) {
    let name = match kind {
        QueueKind::Events => context.env.events_queue(),
        QueueKind::Chunks => context.env.chunks_queue(),
    };
    let mut total = Total::default();
    let queue = match context.aws.queue_named(&name).await {
        Ok(queue) => queue,
        Err(error) => return (None, Err(error)),
    };
    let run = Run { context, options, kind, queue, interrupts };
    let mut letters = Letters::default();
    let result = run.letters(&mut letters, &mut total, table).await;
    // Also after an error, as far as the queue can be reached.
    let put_back = run.queue.put_back(&letters.held).await;
    (Some(total), result.and(put_back))
}

/// The letters that were received.
#[derive(Debug, Default)]
struct Letters {
    /// Their ids.
    seen: HashSet<String>,
    /// Those that wait for their delivery.
    waiting: Vec<Letter>,
    /// The receipts of those that are not deleted: they are hidden until the end, so that each is
    /// received once.
    held: Vec<String>,
}

impl Letters {
    fn receive(&mut self, letters: Vec<Letter>) {
        for letter in letters {
            match self.seen.insert(letter.id.clone()) {
                true => self.waiting.push(letter),
                false => self.held.push(letter.receipt),
            }
        }
    }

    /// Leaves a letter for the next redrive.
    fn leave(&mut self, id: &str, receipt: String) {
        self.seen.remove(id);
        self.held.push(receipt);
    }
}

/// A redrive of one queue.
struct Run<'a> {
    context: &'a Context,
    options: &'a Redrive,
    kind: QueueKind,
    queue: Queue<'a>,
    interrupts: &'a Interrupts,
}

impl Run<'_> {
    /// Works on as many letters as there were at the start: those that arrive meanwhile, because a
    /// function failed again, are for the next redrive.
    async fn letters(
        &self,
        letters: &mut Letters,
        total: &mut Total,
        table: &mut Table<8>,
    ) -> Result<(), Error> {
        let Counts { visible, hidden } = self.queue.counts().await?;
        let at_start = visible + hidden;
        let mut result = self.receive(at_start, letters, total, table).await;
        if result.is_ok() && !self.interrupts.pending() {
            result = self.deliver(letters, total, table).await;
        }
        for letter in std::mem::take(&mut letters.waiting) {
            letters.leave(&letter.id, letter.receipt);
        }
        total.left = at_start.saturating_sub(letters.seen.len());
        if let Ok(Counts { visible, hidden }) = self.queue.counts().await {
            let in_queue = (visible + hidden).saturating_sub(total.in_queue(self.options.dry_run));
            total.left = total.left.min(in_queue);
        }
        total.elsewhere &= total.left > 0;
        result
    }

    /// Receives letters, and delivers as soon as enough are there.
    async fn receive(
        &self,
        at_start: usize,
        letters: &mut Letters,
        total: &mut Total,
        table: &mut Table<8>,
    ) -> Result<(), Error> {
        let enough = if self.kind == QueueKind::Chunks { ORDERED } else { 1 };
        let mut empty = 0;
        while letters.seen.len() < at_start && empty < EMPTY_RECEIVES {
            // A receive is not cancelled by the first signal: it may have hidden letters already.
            let received = self.queue.receive().await?;
            let none = received.is_empty();
            letters.receive(received);
            if self.interrupts.pending() {
                return Ok(());
            }
            if letters.waiting.len() >= enough {
                self.deliver(letters, total, table).await?;
            }
            if none {
                empty += 1;
                let held = letters.held.len() + letters.waiting.len();
                total.elsewhere = self.queue.counts().await?.hidden > held;
                match total.elsewhere {
                    false => break,
                    true if empty == 1 => note(&format!(
                        "{}: another reader, for example another redrive, has letters; waiting \
                         up to 30 s",
                        self.kind.name()
                    )),
                    true => {}
                }
            }
        }
        Ok(())
    }

    /// Delivers the letters that wait, ten at a time, the chunks of a session one after the other.
    /// Begins no more after a signal, or after the output cannot be written.
    async fn deliver(
        &self,
        letters: &mut Letters,
        total: &mut Total,
        table: &mut Table<8>,
    ) -> Result<(), Error> {
        let waiting = std::mem::take(&mut letters.waiting);
        let receipts = waiting.iter().map(|letter| (letter.id.clone(), letter.receipt.clone()));
        let mut left: HashMap<_, _> = receipts.collect();
        let stopped = Cell::new(false);
        let goes_on = |_: &Letter| ready(!stopped.get() && !self.interrupts.pending());
        let handled = |letter: Letter| async {
            let (delivery, outcome) = self.letter(&letter).await;
            (letter, delivery, outcome)
        };
        let groups = in_order(self.kind, waiting).into_iter();
        let groups =
            groups.map(|group| iter(group).take_while(goes_on).then(handled).boxed_local());
        let mut all = iter(groups).flatten_unordered(BATCH);
        let mut printed = Ok(());
        while let Some((letter, delivery, outcome)) = all.next().await {
            left.remove(&letter.id);
            total.count(&outcome);
            let row = self.row(&letter, delivery.as_ref(), &outcome);
            let is_gone = matches!(outcome, Outcome::Delivered | Outcome::Deleted);
            if self.options.dry_run || !is_gone {
                letters.held.push(letter.receipt);
            }
            if printed.is_ok() {
                printed = table.page(&[row]);
                stopped.set(printed.is_err());
            }
        }
        for (id, receipt) in left {
            letters.leave(&id, receipt);
        }
        printed
    }

    /// Delivers a letter, and then deletes it.
    async fn letter(&self, letter: &Letter) -> (Option<Delivery>, Outcome) {
        let filter = self.options.filter.as_deref().unwrap_or_default();
        let mut texts = letter.attributes.values().chain([&letter.body]);
        if letter.id != filter && !texts.any(|text| text.contains(filter)) {
            return (None, Outcome::Filtered);
        }
        let to = self.options.to.as_deref();
        if self.options.discard {
            return (Delivery::of(letter, &self.context.env, to).ok(), self.discard(letter).await);
        }
        let delivery = match Delivery::of(letter, &self.context.env, to) {
            Ok(delivery) => delivery,
            Err(reason) => return (None, Outcome::Kept(reason.to_owned())),
        };
        if self.options.dry_run {
            let (function, payload) = (&delivery.function, &delivery.payload);
            match delivery.chunk_end.is_some() {
                true => self.context.aws.show_called(function, payload),
                false => self.context.aws.show_queued(function, payload),
            }
            self.queue.show_deletion_once_accepted(letter);
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

    /// Deletes a letter without delivering it.
    async fn discard(&self, letter: &Letter) -> Outcome {
        if self.options.dry_run {
            self.queue.show_deletion(letter);
            return Outcome::Deleted;
        }
        match self.queue.delete(letter).await {
            Ok(()) => Outcome::Deleted,
            Err(error) => Outcome::Kept(format!("not deleted: {error}")),
        }
    }

    fn row(&self, letter: &Letter, delivery: Option<&Delivery>, outcome: &Outcome) -> Row<8> {
        let of = |get: fn(&Delivery) -> &str| delivery.map_or("-", get).to_owned();
        let outcome = match outcome {
            Outcome::Delivered if self.options.dry_run => "to deliver".to_owned(),
            Outcome::Delivered => "delivered".to_owned(),
            Outcome::Deleted if self.options.dry_run => "to delete".to_owned(),
            Outcome::Deleted if self.options.discard => "deleted".to_owned(),
            Outcome::Deleted => "deleted: duplicate".to_owned(),
            Outcome::Filtered => "not selected".to_owned(),
            Outcome::Kept(reason) => format!("kept: {reason}"),
        };
        let (session, reason) = session_and_reason(letter);
        let function = of(|it| it.function.rsplit(':').next().unwrap_or_default());
        let cells = [
            self.kind.name().to_owned(),
            letter.id.clone(),
            shown(letter.sent),
            of(|it| it.form),
            session,
            function,
            outcome.clone(),
            shortened(&reason),
        ];
        let object = json!({
            "queue": cells[0], "messageId": cells[1], "sent": cells[2], "letter": cells[3],
            "sessionId": cells[4], "function": cells[5], "outcome": outcome,
            "reason": reason,
        });
        (cells, object)
    }
}

/// Returns the letters in groups, each to be delivered in its order: the chunks of a session by
/// their samples, any other letter by itself.
fn in_order(kind: QueueKind, letters: Vec<Letter>) -> Vec<Vec<Letter>> {
    if kind == QueueKind::Events {
        return letters.into_iter().map(|letter| vec![letter]).collect();
    }
    let mut sessions: BTreeMap<String, Vec<(u64, Letter)>> = BTreeMap::new();
    for letter in letters {
        let body: Value = serde_json::from_str(&letter.body).unwrap_or_default();
        let start = body["startSample"].as_u64().unwrap_or_default();
        let session = body["sessionId"].as_str().unwrap_or_default().to_owned();
        sessions.entry(session).or_default().push((start, letter));
    }
    let sorted = sessions.into_values().map(|mut chunks| {
        chunks.sort_by_key(|(start, _)| *start);
        chunks.into_iter().map(|(_, letter)| letter).collect()
    });
    sorted.collect()
}

/// Returns the beginning of a text, for the last column of the table.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
