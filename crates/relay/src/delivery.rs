//! Delivers chunks in order, with one delivery attempt in flight, until they are settled.
//!
//! Delivery is at least once; the processor's watermark makes acceptance exactly once. After any
//! failure the audio is still in KVS: nothing is marked accepted before the processor has accepted
//! it, and a rejected chunk is skipped only after it is stored in the dead-letter queue. Chunks of
//! a paused session are skipped and counted.

use std::time::Duration;

use session::Backoff;
use session::audio::{Answer, AudioPayload};
use session::ports::{Clock, millis};

use crate::answer::Reply;
use crate::breaker::Permit;
use crate::chunker::Chunk;
use crate::config::Config;
use crate::lease_view::HandoffRequested;
use crate::payload::payload;
use crate::ports::{DeadLetter, DeadLetterQueue, Ports, Processor};
use crate::queue::Queued;
use crate::run_state::RunState;

/// Why delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryEnd {
    /// All samples of the session are settled.
    Drained,
    /// A hand-off of this run is requested.
    HandoffRequested,
    /// The processor has seen a newer epoch.
    StaleEpoch,
}

impl From<HandoffRequested> for DeliveryEnd {
    fn from(_: HandoffRequested) -> Self {
        Self::HandoffRequested
    }
}

/// Delivers until the session is drained or this run must stop.
pub(crate) async fn deliver<P: Ports>(run: &RunState<'_, P>, epoch: u64) -> DeliveryEnd {
    let (first, cap) = run.ctx.config.retry;
    let mut deliverer = Deliverer {
        run,
        epoch,
        backoff: Backoff::new(first, cap),
        single_until: 0,
        rewinds: 0,
        highest_accepted: 0,
    };
    loop {
        let next = run.lease.unless_handoff(run.queue.take(deliverer.batch_limit()));
        let settled = match next.await {
            Ok(batch) => deliverer.settle(batch).await,
            Err(requested) => Err(requested.into()),
        };
        if let Err(end) = settled {
            return end;
        }
    }
}

/// The outcome of a delivery attempt.
enum AttemptOutcome {
    /// The batch is settled.
    Settled,
    /// Offer the batch again after this delay.
    Again(Duration),
    /// Drop the batch: the reader restarts at another position, and the next attempt waits this
    /// long.
    Dropped(Duration),
    /// Offer the chunks one by one: one of them is rejected permanently.
    Split,
}

struct Deliverer<'a, P: Ports> {
    run: &'a RunState<'a, P>,
    epoch: u64,
    backoff: Backoff,
    /// Up to this position chunks are offered one by one, to find the one that is rejected.
    single_until: u64,
    /// Rewinds requested by the processor since it last accepted samples beyond `highest_accepted`.
    rewinds: u32,
    /// Position after the last samples accepted in this run.
    highest_accepted: u64,
}

impl<P: Ports> Deliverer<'_, P> {
    /// Returns how many samples the next payload may contain.
    fn batch_limit(&self) -> u64 {
        let now = self.run.ctx.clock().now_ms();
        let progress = self.run.progress.lock();
        let one_chunk_only = progress.settled().next < self.single_until
            || progress.settled().breaker.permit(now) != Permit::Full;
        // A limit below one chunk takes exactly one.
        if one_chunk_only { 0 } else { Config::samples(self.run.ctx.config.batch_ms) }
    }

    /// Offers a batch until all of it is settled, chunk by chunk if one of them is rejected.
    async fn settle(&mut self, batch: Vec<Queued>) -> Result<(), DeliveryEnd> {
        let next = self.run.progress.lock().settled().next;
        let Some(mut batch) = trim_delivered(batch, next) else { return Ok(()) };
        let Some((first, last)) = batch.first().zip(batch.last()) else { return Ok(()) };
        let (end, is_last) = (last.chunk.end(), last.chunk.last);
        if first.chunk.start != next + first.chunk.gap {
            // The queue does not continue from the settled position (a predecessor rewound after
            // this run had read on): read again from there.
            tracing::info!(sessionId = %self.run.ctx.session_id, next, start = first.chunk.start, "reading again from the checkpoint");
            self.run.queue.rewind(next);
            return Ok(());
        }
        self.may_deliver().await?;
        if self.run.lease.desired().paused {
            self.skip_paused(&mut batch);
            if batch.is_empty() {
                return Ok(());
            }
        }
        loop {
            self.breaker_closed().await?;
            match self.offer(&batch).await? {
                AttemptOutcome::Settled if is_last => {
                    self.run.progress.lock().settled_mut().finished = true;
                    return Err(DeliveryEnd::Drained);
                }
                AttemptOutcome::Settled => return Ok(()),
                AttemptOutcome::Dropped(wait) => return self.wait(wait).await,
                AttemptOutcome::Again(wait) => self.wait(wait).await?,
                AttemptOutcome::Split => {
                    self.single_until = end;
                    for chunk in batch {
                        Box::pin(self.settle(vec![chunk])).await?;
                    }
                    return Ok(());
                }
            }
            self.may_deliver().await?;
        }
    }

    /// Makes one attempt.
    async fn offer(&mut self, batch: &[Queued]) -> Result<AttemptOutcome, DeliveryEnd> {
        let Some(first) = batch.first() else { return Ok(AttemptOutcome::Settled) };
        let payload = payload(self.run, self.epoch, batch, &self.run.progress.lock());
        let attempt = self.run.ctx.relay.processor.invoke(&payload);
        let reply = self.run.ctx.clock().within(self.run.ctx.config.attempt_timeout, attempt).await;
        let reply = reply.unwrap_or_else(|| Reply::Failed("no answer in time".to_owned()));
        match reply {
            Reply::Accepted(answer) => Ok(self.accepted(batch, answer)),
            Reply::StaleEpoch => Err(DeliveryEnd::StaleEpoch),
            Reply::OutOfOrder { next_sample } => Ok(self.out_of_order(&first.chunk, next_sample)),
            Reply::Invalid(_) if batch.len() > 1 => Ok(AttemptOutcome::Split),
            Reply::Invalid(reason) => self.dead_letter(&first.chunk, payload, reason).await,
            Reply::Failed(reason) => Ok(self.failed(&reason)),
        }
    }

    fn accepted(&mut self, batch: &[Queued], answer: Option<Answer>) -> AttemptOutcome {
        let Some((first, last)) = batch.first().zip(batch.last()) else {
            return AttemptOutcome::Settled;
        };
        let (start, end) = (first.chunk.start, last.chunk.end());
        if let Some(answer) = answer
            && answer.next_sample < end
        {
            return self.out_of_order(&first.chunk, answer.next_sample);
        }
        self.backoff.reset();
        if end > self.highest_accepted {
            self.highest_accepted = end;
            self.rewinds = 0;
        }
        {
            let mut progress = self.run.progress.lock();
            let state = progress.settled_mut();
            state.breaker.success();
            let totals = &mut state.totals;
            if answer.is_some_and(|answer| answer.duplicate) {
                totals.offered_twice += end - start;
            }
            totals.delivered += end - start;
            totals.filled += batch.iter().map(|queued| queued.chunk.filled).sum::<u64>();
            totals.gap += first.chunk.gap;
            totals.chunks += batch.len() as u64;
            progress.accept(end);
        }
        let latency = self.run.ctx.clock().instant().saturating_duration_since(last.arrived);
        self.run.metrics.observed().add_latency(millis(latency));
        AttemptOutcome::Settled
    }

    /// Handles a processor position that differs from the position of this run.
    fn out_of_order(&mut self, first: &Chunk, next_sample: u64) -> AttemptOutcome {
        if next_sample > first.start {
            // The contract does not define an answer for a part of a payload.
            return self
                .failed("nextSample is within the payload, of which no part can be accepted");
        }
        let settled = self.run.progress.lock().settled().next;
        tracing::warn!(sessionId = %self.run.ctx.session_id, next_sample, settled, "the processor is missing samples; rewinding");
        self.rewinds += 1;
        // The contract allows going back once. Going back again without progress means that the
        // processor does not keep what it accepts.
        let wait = if self.rewinds > 1 {
            self.record_failure("OutOfOrder again, with nothing new accepted since the last time")
        } else {
            Duration::ZERO
        };
        self.run.progress.lock().rewind(next_sample);
        self.run.queue.rewind(next_sample);
        AttemptOutcome::Dropped(wait)
    }

    fn failed(&mut self, reason: &str) -> AttemptOutcome {
        AttemptOutcome::Again(self.record_failure(reason))
    }

    /// Records a failure in the breaker; returns how long to wait after it.
    fn record_failure(&mut self, reason: &str) -> Duration {
        let config = self.run.ctx.config;
        let now = self.run.ctx.clock().now_ms();
        let opened = self.run.progress.lock().settled_mut().breaker.failure(
            now,
            config.breaker_failures,
            millis(config.breaker_open),
        );
        self.run.metrics.observed().circuit_opened += u64::from(opened);
        tracing::warn!(sessionId = %self.run.ctx.session_id, reason, breakerOpened = opened, "delivery failed");
        self.backoff.next(self.run.ctx.clock())
    }

    /// Puts a permanently rejected chunk into the dead-letter queue and, once stored, skips it.
    async fn dead_letter(
        &mut self,
        chunk: &Chunk,
        payload: AudioPayload,
        reason: String,
    ) -> Result<AttemptOutcome, DeliveryEnd> {
        let ctx = &self.run.ctx;
        let letter = DeadLetter {
            session_id: ctx.session_id.clone(),
            stream_arn: ctx.stream_arn.to_string(),
            start_sample: chunk.start,
            sample_count: chunk.samples.len() as u64,
            fragment_number: chunk.fragment.as_ref().map(ToString::to_string),
            reason,
            payload,
        };
        let sent = ctx.relay.dead_letters.send(&letter);
        let sent = ctx.clock().within(ctx.config.attempt_timeout, sent).await;
        let error = match sent {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some("no answer in time".to_owned()),
        };
        if let Some(error) = error {
            tracing::error!(sessionId = %ctx.session_id, startSample = chunk.start, reason = letter.reason, error, "storing a chunk in the dead-letter queue failed; retrying");
            return Ok(AttemptOutcome::Again(self.backoff.next(ctx.clock())));
        }
        tracing::error!(sessionId = %ctx.session_id, startSample = chunk.start, reason = letter.reason, "chunk permanently rejected; stored in the dead-letter queue");
        let mut progress = self.run.progress.lock();
        let totals = &mut progress.settled_mut().totals;
        totals.dead_letters += 1;
        totals.dead_lettered += letter.sample_count;
        totals.gap += chunk.gap;
        progress.skip(chunk.end());
        drop(progress);
        // A later run would store the chunk again if the checkpoint did not pass it.
        self.run.lease.request_renewal();
        Ok(AttemptOutcome::Settled)
    }

    /// Skips and counts the samples of a batch. Leaves only the session's last chunk, empty.
    fn skip_paused(&self, batch: &mut Vec<Queued>) {
        let mut progress = self.run.progress.lock();
        for Queued { chunk, .. } in batch.iter_mut() {
            let totals = &mut progress.settled_mut().totals;
            totals.paused += chunk.samples.len() as u64;
            totals.gap += chunk.gap;
            progress.skip(chunk.end());
            chunk.start = chunk.end();
            chunk.samples.clear();
            (chunk.filled, chunk.gap) = (0, 0);
        }
        batch.retain(|queued| queued.chunk.last);
    }

    /// Waits until this run holds a valid lease and its origin is stored.
    async fn may_deliver(&self) -> Result<(), DeliveryEnd> {
        // A stream that never carried audio has no origin to store; only its empty last chunk is
        // sent.
        let has_origin = self.run.progress.lock().settled().origin.is_some();
        if has_origin {
            self.run.lease.origin_persisted().await?;
        }
        Ok(self.run.lease.valid(self.run.ctx.clock()).await?)
    }

    async fn breaker_closed(&self) -> Result<(), DeliveryEnd> {
        let now = self.run.ctx.clock().now_ms();
        let permit = self.run.progress.lock().settled().breaker.permit(now);
        match permit {
            Permit::WaitUntil(until) => {
                self.wait(Duration::from_millis(until.saturating_sub(now))).await?;
                self.may_deliver().await
            }
            Permit::Full | Permit::Probe => Ok(()),
        }
    }

    async fn wait(&self, duration: Duration) -> Result<(), DeliveryEnd> {
        Ok(self.run.lease.unless_handoff(self.run.ctx.clock().sleep(duration)).await?)
    }
}

/// Returns the part of a batch after position `next`; `None` if nothing is left. The session's last
/// chunk is kept, possibly empty. A successor reads chunks that its predecessor still delivers, and
/// a rewind can land inside a chunk.
fn trim_delivered(batch: Vec<Queued>, next: u64) -> Option<Vec<Queued>> {
    let mut rest: Vec<Queued> =
        batch.into_iter().filter(|queued| queued.chunk.end() > next || queued.chunk.last).collect();
    let first = &mut rest.first_mut()?.chunk;
    if first.start < next {
        let known = usize::try_from(next - first.start).unwrap_or(usize::MAX);
        first.samples.drain(..known.min(first.samples.len()));
        first.filled = first.filled.saturating_sub(next - first.start);
        first.producer_ms += (next - first.start) / crate::SAMPLES_PER_MS;
        first.start = next;
        first.gap = 0;
    } else {
        first.gap = first.gap.min(first.start - next);
    }
    Some(rest)
}
