//! Delivers chunks in order, with one invocation in flight, until they are settled.
//!
//! Delivery is at least once; the processor's watermark makes acceptance exactly once. After any
//! failure the audio is still in KVS: nothing is marked accepted before the processor has accepted
//! it, and a chunk is skipped only after it is stored in the dead-letter queue.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use session::audio::{self, Answer, AudioPayload};
use session::{Desired, Language, QualityTier};

use crate::answer::Reply;
use crate::backoff::Backoff;
use crate::breaker::Permit;
use crate::chunker::Chunk;
use crate::clock::Clock;
use crate::config::Config;
use crate::line::Line;
use crate::ports::{DeadLetter, DeadLetters, Ports, Processor, millis};
use crate::queue::Queued;

/// Why delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryEnd {
    /// The last chunk of the session was accepted.
    Drained,
    /// This run was asked to hand off.
    Yielded,
    /// The processor has seen a newer epoch.
    Stale,
}

/// Delivers until the session is drained or this run must stop.
pub(crate) async fn deliver<P: Ports>(line: &Line<'_, P>, epoch: u64) -> DeliveryEnd {
    let (first, cap) = line.config.retry;
    let mut deliverer = Deliverer {
        line,
        epoch,
        backoff: Backoff::new(first, cap),
        singly_until: 0,
        rewinds: 0,
        furthest: 0,
    };
    loop {
        let limit = deliverer.batch_limit();
        let batch = tokio::select! {
            biased;
            () = line.yielded() => return DeliveryEnd::Yielded,
            batch = line.queue.take(limit) => batch,
        };
        if let Err(end) = deliverer.settle(batch).await {
            return end;
        }
    }
}

/// What to do after an attempt.
enum Next {
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

struct Deliverer<'a, 'l, P: Ports> {
    line: &'a Line<'l, P>,
    epoch: u64,
    backoff: Backoff,
    /// Up to this position chunks are offered one by one, to find the one that is rejected.
    singly_until: u64,
    /// Rewinds requested by the processor since it last accepted samples beyond `furthest`.
    rewinds: u32,
    /// Position after the last samples accepted in this run.
    furthest: u64,
}

impl<P: Ports> Deliverer<'_, '_, P> {
    /// Returns how many samples the next payload may contain.
    fn batch_limit(&self) -> u64 {
        let line = self.line;
        let now = line.ports.clock().now_ms();
        let ledger = line.ledger();
        let alone = ledger.state().next < self.singly_until
            || ledger.state().breaker.permit(now) != Permit::Full;
        // A limit below one chunk takes exactly one.
        if alone { 0 } else { Config::samples(line.config.batch_ms) }
    }

    /// Offers a batch until all of it is settled, chunk by chunk if one of them is rejected.
    async fn settle(&mut self, batch: Vec<Queued>) -> Result<(), DeliveryEnd> {
        let line = self.line;
        let Some(batch) = self.unsettled(batch) else { return Ok(()) };
        let Some((first, last)) = batch.first().zip(batch.last()) else { return Ok(()) };
        let (end, is_last) = (last.chunk.end(), last.chunk.last);
        if first.chunk.start != line.ledger().state().next + first.chunk.gap {
            // The queue does not continue from the settled position (a predecessor rewound after
            // this run had read on): read again from there.
            let next = line.ledger().state().next;
            tracing::info!(sessionId = %line.session, next, start = first.chunk.start, "reading again from the checkpoint");
            line.queue.rewind(next);
            return Ok(());
        }
        self.ready().await?;
        if line.orders.borrow().desired == Desired::Pause && !is_last {
            self.skip_paused(&batch);
            return Ok(());
        }
        loop {
            self.breaker_closed().await?;
            match self.offer(&batch).await? {
                Next::Settled if is_last => {
                    line.ledger().state_mut().finished = true;
                    return Err(DeliveryEnd::Drained);
                }
                Next::Settled => return Ok(()),
                Next::Dropped(wait) => return self.wait(wait).await,
                Next::Again(wait) => self.wait(wait).await?,
                Next::Split => {
                    self.singly_until = end;
                    for chunk in batch {
                        Box::pin(self.settle(vec![chunk])).await?;
                    }
                    return Ok(());
                }
            }
            self.ready().await?;
        }
    }

    /// Returns the part of a batch after the settled position. A successor reads chunks that its
    /// predecessor still delivers, and a rewind can land inside a chunk.
    fn unsettled(&self, batch: Vec<Queued>) -> Option<Vec<Queued>> {
        let next = self.line.ledger().state().next;
        let mut rest: Vec<Queued> = batch
            .into_iter()
            .filter(|queued| queued.chunk.end() > next || queued.chunk.last)
            .collect();
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

    /// Makes one attempt.
    async fn offer(&mut self, batch: &[Queued]) -> Result<Next, DeliveryEnd> {
        let line = self.line;
        let Some(first) = batch.first() else { return Ok(Next::Settled) };
        let payload = self.payload(batch);
        let clock = line.ports.clock();
        let attempt = line.ports.processor().invoke(&payload);
        let reply = clock.within(line.config.attempt_timeout, attempt).await;
        let reply = reply.unwrap_or_else(|| Reply::Failed("no answer in time".to_owned()));
        match reply {
            Reply::Accepted(answer) => Ok(self.accepted(batch, answer)),
            Reply::StaleEpoch => Err(DeliveryEnd::Stale),
            Reply::OutOfOrder { next_sample } => Ok(self.out_of_order(&first.chunk, next_sample)),
            Reply::Invalid(_) if batch.len() > 1 => Ok(Next::Split),
            Reply::Invalid(reason) => self.bury(&first.chunk, payload, reason).await,
            Reply::Failed(reason) => Ok(self.failed(&reason)),
        }
    }

    fn accepted(&mut self, batch: &[Queued], answer: Option<Answer>) -> Next {
        let Some((first, last)) = batch.first().zip(batch.last()) else { return Next::Settled };
        let (start, end) = (first.chunk.start, last.chunk.end());
        if let Some(answer) = answer
            && answer.next_sample < end
        {
            return self.out_of_order(&first.chunk, answer.next_sample);
        }
        self.backoff.reset();
        if end > self.furthest {
            self.furthest = end;
            self.rewinds = 0;
        }
        let filled = batch.iter().map(|queued| queued.chunk.filled).sum::<u64>();
        {
            let mut ledger = self.line.ledger();
            let state = ledger.state_mut();
            state.breaker.success();
            let totals = &mut state.totals;
            if answer.is_some_and(|answer| answer.duplicate) {
                totals.offered_twice += end - start;
            }
            totals.delivered += end - start;
            totals.filled += filled;
            totals.gap += first.chunk.gap;
            totals.chunks += batch.len() as u64;
            ledger.accept(end);
        }
        let now = self.line.ports.clock().instant();
        let mut metrics = self.line.metrics();
        metrics.latency(millis(now.saturating_duration_since(last.arrived)));
        metrics.delivered += end - start;
        metrics.filled += filled;
        metrics.skipped += first.chunk.gap;
        Next::Settled
    }

    /// Handles a processor position that differs from the position of this run.
    fn out_of_order(&mut self, first: &Chunk, next_sample: u64) -> Next {
        let line = self.line;
        if next_sample > first.start {
            // The processor already has some of these samples. The contract does not define this
            // rejection.
            return self.failed("OutOfOrder beyond the payload's start");
        }
        let settled = line.ledger().state().next;
        tracing::warn!(sessionId = %line.session, next_sample, settled, "the processor is missing samples; rewinding");
        self.rewinds += 1;
        // The contract allows going back once. Going back again without progress means that the
        // processor does not keep what it accepts.
        let wait = if self.rewinds > 1 {
            self.count_failure("OutOfOrder again, with nothing new accepted since the last time")
        } else {
            line.metrics().delivery_failures += 1;
            Duration::ZERO
        };
        line.ledger().rewind(next_sample);
        line.queue.rewind(next_sample);
        Next::Dropped(wait)
    }

    fn failed(&mut self, reason: &str) -> Next {
        Next::Again(self.count_failure(reason))
    }

    /// Records a failure in the breaker and the metrics; returns how long to wait after it.
    fn count_failure(&mut self, reason: &str) -> Duration {
        let line = self.line;
        let (threshold, open) = (line.config.breaker_failures, line.config.breaker_open);
        let now = line.ports.clock().now_ms();
        let opened = line.ledger().state_mut().breaker.failure(now, threshold, millis(open));
        {
            let mut metrics = line.metrics();
            metrics.delivery_failures += 1;
            metrics.circuit_opened += u64::from(opened);
        }
        tracing::warn!(sessionId = %line.session, reason, breakerOpened = opened, "delivery failed");
        self.backoff.next(line.ports.random())
    }

    /// Puts a permanently rejected chunk into the dead-letter queue and, once stored, skips it.
    async fn bury(
        &mut self,
        chunk: &Chunk,
        payload: AudioPayload,
        reason: String,
    ) -> Result<Next, DeliveryEnd> {
        let line = self.line;
        let letter = DeadLetter {
            session_id: line.session.clone(),
            stream_arn: line.stream.to_string(),
            start_sample: chunk.start,
            sample_count: chunk.samples.len() as u64,
            fragment_number: chunk.fragment.as_ref().map(ToString::to_string),
            reason,
            payload,
        };
        let sent = line.ports.dead_letters().send(&letter);
        let limit = line.config.attempt_timeout;
        if let Some(Ok(())) = line.ports.clock().within(limit, sent).await {
            tracing::error!(sessionId = %line.session, startSample = chunk.start, reason = letter.reason, "chunk permanently rejected; stored in the dead-letter queue");
            line.metrics().dead_lettered += 1;
            let mut ledger = line.ledger();
            let totals = &mut ledger.state_mut().totals;
            totals.dead_lettered += letter.sample_count;
            totals.gap += chunk.gap;
            ledger.skip(chunk.end());
            return Ok(Next::Settled);
        }
        tracing::error!(sessionId = %line.session, "storing a chunk in the dead-letter queue failed; retrying");
        Ok(Next::Again(self.backoff.next(line.ports.random())))
    }

    fn skip_paused(&self, batch: &[Queued]) {
        let mut ledger = self.line.ledger();
        for Queued { chunk, .. } in batch {
            let length = chunk.samples.len() as u64;
            ledger.state_mut().totals.paused += length;
            ledger.state_mut().totals.gap += chunk.gap;
            ledger.skip(chunk.end());
            self.line.metrics().skipped += length + chunk.gap;
        }
    }

    /// Waits until this run holds an unexpired right to deliver and its origin is stored.
    async fn ready(&self) -> Result<(), DeliveryEnd> {
        let line = self.line;
        let mut anchored = line.anchored.subscribe();
        // A stream that never carried audio has no origin to store; only its empty last chunk is
        // sent.
        let has_origin = line.ledger().state().origin.is_some();
        if has_origin && !*anchored.borrow() {
            line.renew_now.notify_one();
            tokio::select! {
                biased;
                () = line.yielded() => return Err(DeliveryEnd::Yielded),
                // The sender lives as long as `line`.
                _ = anchored.wait_for(|anchored| *anchored) => {}
            }
        }
        let mut term = line.term.subscribe();
        loop {
            let until = *term.borrow_and_update();
            if until.is_some_and(|until| line.ports.clock().instant() < until) {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = line.yielded() => return Err(DeliveryEnd::Yielded),
                _ = term.changed() => {}
            }
        }
    }

    async fn breaker_closed(&self) -> Result<(), DeliveryEnd> {
        let line = self.line;
        let now = line.ports.clock().now_ms();
        let permit = line.ledger().state().breaker.permit(now);
        match permit {
            Permit::WaitUntil(until) => {
                self.wait(Duration::from_millis(until.saturating_sub(now))).await?;
                self.ready().await
            }
            Permit::Full | Permit::Probe => Ok(()),
        }
    }

    async fn wait(&self, duration: Duration) -> Result<(), DeliveryEnd> {
        tokio::select! {
            biased;
            () = self.line.yielded() => Err(DeliveryEnd::Yielded),
            () = self.line.ports.clock().sleep(duration) => Ok(()),
        }
    }

    fn payload(&self, batch: &[Queued]) -> AudioPayload {
        let line = self.line;
        let chunks = || batch.iter().map(|queued| &queued.chunk);
        let count: usize = chunks().map(|chunk| chunk.samples.len()).sum();
        let mut bytes = Vec::with_capacity(count * 2);
        for sample in chunks().flat_map(|chunk| &chunk.samples) {
            bytes.extend_from_slice(&sample.to_le_bytes());
        }
        let start = chunks().next().map_or(0, |chunk| chunk.start);
        let producer_ms = chunks().next().map_or(0, |chunk| chunk.producer_ms);
        let last = batch.last().map(|queued| &queued.chunk);
        let acknowledged = line.ledger().state().acknowledged;
        let settings = line.orders.borrow().settings.clone();
        let mut targets: Vec<Language> = line.languages().clone();
        targets.extend(settings.iter().flat_map(|settings| &settings.target_languages));
        targets.sort_unstable();
        targets.dedup();
        AudioPayload {
            action: audio::Action::Process,
            session_id: line.session.clone(),
            stream_arn: line.stream.clone(),
            epoch: self.epoch,
            source_language: settings.as_ref().map_or(Language::ENGLISH, |s| s.source_language),
            target_languages: targets,
            quality_tier: settings.as_ref().map_or(QualityTier::Standard, |s| s.quality_tier),
            audio_data: STANDARD.encode(bytes),
            sample_rate: audio::SAMPLE_RATE,
            channels: audio::CHANNELS,
            format: audio::Format::PcmS16le,
            source: audio::Source::KvsStreamConsumer,
            sequence: start / Config::samples(line.chunk_ms).max(1),
            chunk_count: u32::try_from(batch.len()).unwrap_or(u32::MAX),
            start_sample: start,
            sample_count: count as u64,
            filled_samples: chunks().map(|chunk| chunk.filled).sum(),
            gap_samples: start.saturating_sub(acknowledged),
            producer_timestamp: producer_ms,
            fragment_number: last
                .and_then(|chunk| chunk.fragment.as_ref())
                .map(ToString::to_string)
                .unwrap_or_default(),
            is_final: last.is_some_and(|chunk| chunk.last),
            schema_version: audio::SCHEMA_VERSION.into(),
        }
    }
}
