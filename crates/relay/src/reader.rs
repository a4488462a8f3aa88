//! Reads one stream: repeated GetMedia calls, bytes into the media path, PCM into chunks, chunks
//! into the queue.
//!
//! The end of a body is not the end of the session: GetMedia ends after 3 s without fragments (see
//! GetMedia in the Kinesis Video Streams API reference), after about 45 min, and on any failure.
//! After every end the reader calls again after the last complete fragment; the media path skips
//! what it has already emitted. Reading ends only after a stop followed by enough silence (see
//! [`crate::drain`]).

use std::convert::Infallible;
use std::time::Duration;

use media::{Output, Stream};
use session::Backoff;
use session::ports::{Clock, Random};
use session::{ErrorKind, PortError};
use tokio::time::Instant;

use crate::chunker::Chunk;
use crate::config::Config;
use crate::context::RunContext;
use crate::output_handler::OutputHandler;
use crate::ports::{MediaBody, MediaSource, Ports};
use crate::progress::ReadPlan;
use crate::queue::{Queued, Rewound};
use crate::run_state::RunState;

/// GetMedia's error ID for "requested fragment not found".
const FRAGMENT_NOT_FOUND: u32 = 4000;

/// Reads until the run is dropped. After the session's last chunk it waits for a rewind.
pub(crate) async fn read<P: Ports>(run: &RunState<'_, P>) -> Infallible {
    let mut plan = {
        let progress = run.progress.lock();
        progress.plan(progress.settled().next)
    };
    // Kept across rewinds, so that they also respect KVS's rate limit.
    let mut opened = None;
    loop {
        let (first, longest) = run.ctx.config.reconnect;
        let mut reader = Reader {
            run,
            stream: open_stream(&run.ctx, &plan),
            output: OutputHandler::new(run, &plan),
            backoff: Backoff::new(first, longest),
            opened,
            decode_errors: 0,
            missing_since: None,
        };
        let position = tokio::select! {
            biased;
            position = run.queue.rewound() => position,
            // Whether the session reached its end or was interrupted, the next event is a rewind.
            _ = reader.session() => run.queue.rewound().await,
        };
        opened = reader.opened;
        plan = run.progress.lock().plan(position);
    }
}

/// Returns the media path for a plan.
fn open_stream<P: Ports>(ctx: &RunContext<'_, P>, plan: &ReadPlan) -> Stream {
    let options = media::StreamOptions {
        session_id: Some(ctx.session_id.to_string()),
        ..ctx.config.media.clone()
    };
    match &plan.resume_point {
        Some(resume_point) => Stream::resume(options, resume_point.clone(), plan.contents.clone()),
        None => Stream::start(options),
    }
}

/// How one connection ended.
#[derive(Debug, PartialEq, Eq)]
enum BodyEnd {
    /// KVS ended it: call again.
    Ended,
    /// It delivered no data, or data without media, and was closed: call again.
    Stalled,
    /// It failed: call again with backoff.
    Broken,
    /// The stream is drained.
    Drained,
}

struct Reader<'a, P: Ports> {
    run: &'a RunState<'a, P>,
    stream: Stream,
    output: OutputHandler<'a, P>,
    backoff: Backoff,
    /// When the last connection was opened.
    opened: Option<Instant>,
    /// The decoder's error count when it was last read.
    decode_errors: u64,
    /// Since when KVS has reported the stream as missing.
    missing_since: Option<Instant>,
}

impl<P: Ports> Reader<'_, P> {
    /// Opens connections until the stream is drained, then emits the last chunk.
    async fn session(&mut self) -> Result<(), Rewound> {
        while !self.is_drained() {
            self.pace().await;
            let read_to = self.output.position;
            let end = match self.open().await {
                Ok(body) => {
                    self.missing_since = None;
                    self.body(body).await?
                }
                Err(error) if error.kind == ErrorKind::NotFound && self.stream_gone().await => {
                    tracing::warn!(sessionId = %self.run.ctx.session_id, "the stream was deleted; nothing is left to deliver");
                    break;
                }
                Err(error) => {
                    tracing::warn!(sessionId = %self.run.ctx.session_id, %error, "GetMedia failed");
                    self.output.count_as_activity();
                    BodyEnd::Broken
                }
            };
            match end {
                BodyEnd::Drained => break,
                BodyEnd::Ended => {
                    self.output.drain.ended(self.run.ctx.clock().instant());
                    self.backoff.reset();
                }
                BodyEnd::Stalled => {
                    self.output.drain.stalled();
                    self.backoff.reset();
                }
                BodyEnd::Broken => {
                    self.output.drain.failed();
                    if self.output.position > read_to {
                        // The connection worked, so its end is not one more failure in a row.
                        self.backoff.reset();
                    }
                    let wait = self.backoff.next(self.run.ctx.clock());
                    self.run.ctx.clock().sleep(wait).await;
                }
            }
        }
        // The decoder's filter may still hold the last samples of the session.
        self.stream.flush();
        self.drain_outputs().await?;
        let last = self.output.finish();
        push(self.run, last).await
    }

    async fn open(&mut self) -> Result<<P::Media as MediaSource>::Body, PortError> {
        let (ctx, stopped) = (&self.run.ctx, self.stopped());
        self.output.drain.opening(ctx.clock().instant(), stopped);
        let after = self.output.after.as_ref();
        let call = ctx.relay.media.open(&ctx.stream_arn, after);
        let body = ctx.clock().within(ctx.config.read_idle, call).await;
        let body = body.unwrap_or_else(|| {
            Err(PortError::new("GetMedia", ErrorKind::TimedOut, "no answer in time"))
        })?;
        self.run.reader.set_connected();
        Ok(body)
    }

    /// Reads one body to its end.
    async fn body(
        &mut self,
        mut body: <P::Media as MediaSource>::Body,
    ) -> Result<BodyEnd, Rewound> {
        let ctx = &self.run.ctx;
        let clock = ctx.clock();
        let mut desired = self.run.lease.desired_changes();
        let mut idle_at = clock.instant() + ctx.config.read_idle;
        let mut stalled_at = clock.instant() + ctx.config.no_progress;
        let end = loop {
            if self.is_drained() {
                break BodyEnd::Drained;
            }
            tokio::select! {
                biased;
                next = body.next() => match next {
                    Some(Ok(bytes)) => {
                        let mut rest = &bytes[..];
                        let mut progress = false;
                        while !rest.is_empty() && !self.output.damaged {
                            rest = self.stream.push(rest);
                            progress |= self.drain_outputs().await?;
                        }
                        let now = clock.instant();
                        idle_at = now + ctx.config.read_idle;
                        if progress {
                            stalled_at = now + ctx.config.no_progress;
                        }
                        if std::mem::take(&mut self.output.damaged) {
                            break BodyEnd::Broken;
                        }
                        if let Some(id) = self.output.error_tag.take() {
                            break self.error_tag(id);
                        }
                        // Checked here too: if data is always ready, the timer below never fires.
                        if now >= stalled_at {
                            break self.without_progress();
                        }
                    }
                    Some(Err(error)) => {
                        tracing::info!(sessionId = %ctx.session_id, %error, "GetMedia connection interrupted");
                        break BodyEnd::Broken;
                    }
                    None => break BodyEnd::Ended,
                },
                // A closed channel means that the run is over.
                _ = desired.changed() => {}
                () = clock.sleep_until(idle_at) => break BodyEnd::Stalled,
                () = clock.sleep_until(stalled_at) => break self.without_progress(),
            }
        };
        drop(body);
        self.run.reader.observed().open_fragment_since = None;
        let tail = self.stream.finish();
        self.drain_outputs().await?;
        // KVS ends a body inside a document only if it stores the fragment without its end.
        let broken = tail.cut && end == BodyEnd::Ended && self.output.may_be_transient();
        Ok(if broken { BodyEnd::Broken } else { end })
    }

    /// Closes a connection whose data contains no media: endless filler, or damage that was read
    /// again often enough. The drain treats it like a stalled connection; otherwise such data would
    /// extend the drain forever.
    fn without_progress(&self) -> BodyEnd {
        let seconds = self.run.ctx.config.no_progress.as_secs_f64();
        tracing::warn!(sessionId = %self.run.ctx.session_id, seconds, "GetMedia sent data without media; closing the connection");
        BodyEnd::Stalled
    }

    /// Handles an error that KVS reported in band before it ended the body.
    fn error_tag(&mut self, id: u32) -> BodyEnd {
        if id == FRAGMENT_NOT_FOUND {
            // The fragment to resume from is past retention: read everything that is left, from the
            // oldest fragment on. The media path skips what it has emitted; the missing part
            // becomes a gap.
            self.output.after = None;
            self.output.gap_is_loss = true;
        }
        BodyEnd::Broken
    }

    /// Processes all output of the last push, up to damage that will be read again, then waits for
    /// room in the queue. Returns `true` if the output contained part of a fragment of this
    /// session.
    async fn drain_outputs(&mut self) -> Result<bool, Rewound> {
        let mut progress = false;
        while !self.output.damaged
            && let Some(output) = self.stream.poll()
        {
            progress |= is_progress(&output);
            self.output.handle(output);
        }
        let errors = self.stream.counters().decode_errors;
        {
            let mut metrics = self.run.metrics.observed();
            metrics.decode_errors += errors - self.decode_errors;
            if self.stream.origin_ms().is_some() {
                metrics.clock_drift_millis = Some(self.stream.clock_drift_ms());
            }
        }
        self.decode_errors = errors;
        if self.output.ready.is_empty() {
            return Ok(progress);
        }
        for chunk in std::mem::take(&mut self.output.ready) {
            push(self.run, chunk).await?;
        }
        if self.run.queue.holds(Config::samples(self.run.ctx.config.batch_ms)) {
            // There is enough for the longest payload. Before decoding more, yield to the other
            // futures on this thread, especially deliveries and renewals.
            tokio::task::yield_now().await;
        }
        self.output.new_audio();
        Ok(progress)
    }

    /// Keeps the minimum time between two calls of this reader.
    async fn pace(&mut self) {
        let clock = self.run.ctx.clock();
        if let Some(opened) = self.opened {
            let jitter = self.run.ctx.config.connect_pace.mul_f64(self.run.ctx.clock().fraction());
            clock.sleep_until(opened + self.run.ctx.config.connect_pace + jitter).await;
        }
        self.opened = Some(clock.instant());
    }

    /// Returns whether the stream is really gone: KVS has reported it as missing for long enough,
    /// because it may still be being created, and the control plane confirms it. For a stopped
    /// session the wait is shorter, because no new stream is being created.
    async fn stream_gone(&mut self) -> bool {
        let ctx = &self.run.ctx;
        let now = ctx.clock().instant();
        let since = *self.missing_since.get_or_insert(now);
        let stopping = self.run.lease.is_stopping();
        let wait = if stopping { ctx.config.drain_max } else { ctx.config.no_stream };
        if now.saturating_duration_since(since) < wait {
            return false;
        }
        let call = ctx.relay.media.is_gone(&ctx.stream_arn);
        // No response is not a confirmation: the audio stays in KVS, and GetMedia is called again.
        ctx.clock().within(ctx.config.read_idle, call).await.unwrap_or(false)
    }

    /// Returns whether the session is to stop and the stream is drained.
    fn is_drained(&self) -> bool {
        self.stopped().is_some() && self.output.drain.is_drained()
    }

    /// Returns how long ago the stop was; `None` if there was none.
    fn stopped(&self) -> Option<Duration> {
        self.run.lease.stopped_for(self.run.ctx.clock().now_ms())
    }
}

/// Returns whether an output shows progress. Damage, unsupported codecs and fragments of other
/// sessions do not: they may repeat forever.
fn is_progress(output: &Output<'_>) -> bool {
    matches!(
        output,
        Output::FragmentStarted { .. }
            | Output::Pcm { .. }
            | Output::Gap { .. }
            | Output::FragmentCompleted { .. }
    )
}

// Not a method: the decoder is `Send` but not `Sync`, so no future may hold a shared reference to
// the reader.
async fn push<P: Ports>(run: &RunState<'_, P>, chunk: Chunk) -> Result<(), Rewound> {
    run.queue.push(Queued { chunk, arrived: run.ctx.clock().instant() }).await
}
