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
use session::{Desired, ErrorKind, PortError};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::chunker::Chunk;
use crate::clock::Clock;
use crate::config::Config;
use crate::intake::Intake;
use crate::ledger::ReadPlan;
use crate::line::Line;
use crate::ports::{MediaBody, MediaSource, Ports};
use crate::queue::{Queued, Rewound};

/// GetMedia's error ID for "requested fragment not found".
const FRAGMENT_NOT_FOUND: u32 = 4000;

/// Reads until the run is dropped. After the session's last chunk it waits for a rewind.
pub(crate) async fn read<P: Ports>(line: &Line<'_, P>) -> Infallible {
    let mut plan = {
        let ledger = line.ledger();
        ledger.plan(ledger.state().next)
    };
    // Kept across rewinds, so that they also respect KVS's rate limit.
    let mut opened = None;
    loop {
        let mut reader = Reader::new(line, &plan, opened);
        let position = tokio::select! {
            biased;
            position = line.queue.rewound() => position,
            // Whether the session reached its end or was interrupted, the next event is a rewind.
            _ = reader.session() => line.queue.rewound().await,
        };
        opened = reader.opened;
        plan = line.ledger().plan(position);
    }
}

/// How one connection ended.
#[derive(Debug, PartialEq, Eq)]
enum BodyEnd {
    /// KVS ended it: call again.
    Ended,
    /// It delivered no data, or data without media, and was closed: call again.
    Still,
    /// It failed: call again with backoff.
    Broken,
    /// The stream is drained.
    Drained,
}

struct Reader<'a, 'l, P: Ports> {
    line: &'a Line<'l, P>,
    stream: Stream,
    intake: Intake<'a, 'l, P>,
    backoff: Backoff,
    opened: Option<Instant>,
    /// The decoder's error count when it was last read.
    decode_errors: u64,
    /// Since when KVS has reported the stream as missing.
    missing_since: Option<Instant>,
}

impl<'a, 'l, P: Ports> Reader<'a, 'l, P> {
    fn new(line: &'a Line<'l, P>, plan: &ReadPlan, opened: Option<Instant>) -> Self {
        let options = media::StreamOptions {
            session_id: Some(line.session.to_string()),
            ..line.config.media.clone()
        };
        let stream = match &plan.anchor {
            Some(anchor) => Stream::resume(options, anchor.clone(), plan.contents.clone()),
            None => Stream::start(options),
        };
        let (first, cap) = line.config.reconnect;
        Self {
            line,
            stream,
            intake: Intake::new(line, plan),
            backoff: Backoff::new(first, cap),
            opened,
            decode_errors: 0,
            missing_since: None,
        }
    }

    /// Opens connections until the stream is drained, then emits the last chunk.
    async fn session(&mut self) -> Result<(), Rewound> {
        while !self.drained() {
            self.pace().await;
            let end = match self.open().await {
                Ok(body) => {
                    self.missing_since = None;
                    self.body(body).await?
                }
                Err(error) if error.kind == ErrorKind::NotFound && self.stream_gone().await => {
                    tracing::warn!(sessionId = %self.line.session, "the stream was deleted; nothing is left to deliver");
                    break;
                }
                Err(error) => {
                    tracing::warn!(sessionId = %self.line.session, %error, "GetMedia failed");
                    self.intake.not_listening();
                    BodyEnd::Broken
                }
            };
            match end {
                BodyEnd::Drained => break,
                BodyEnd::Ended => {
                    self.intake.drain.ended(self.line.ports.clock().instant());
                    self.backoff.reset();
                }
                BodyEnd::Still => {
                    self.intake.drain.stood_still();
                    self.backoff.reset();
                }
                BodyEnd::Broken => {
                    self.intake.drain.failed();
                    let wait = self.backoff.next(self.line.ports.random());
                    self.line.ports.clock().sleep(wait).await;
                }
            }
        }
        // The decoder's filter may still hold the last samples of the session.
        self.stream.flush();
        self.drain_outputs().await?;
        let last = self.intake.finish();
        push(self.line, last).await
    }

    async fn open(&mut self) -> Result<<P::Media as MediaSource>::Body, PortError> {
        let (line, stopped) = (self.line, self.stopped());
        self.intake.drain.asking(line.ports.clock().instant(), stopped);
        let after = self.intake.after.as_ref();
        let call = line.ports.media().open(&line.stream, after);
        let body = line.ports.clock().within(line.config.read_idle, call).await;
        let body = body.unwrap_or_else(|| {
            Err(PortError::new("GetMedia", ErrorKind::TimedOut, "no answer in time"))
        })?;
        line.metrics().connections += 1;
        line.listening.send_if_modified(|done| !std::mem::replace(done, true));
        Ok(body)
    }

    /// Reads one body to its end.
    async fn body(
        &mut self,
        mut body: <P::Media as MediaSource>::Body,
    ) -> Result<BodyEnd, Rewound> {
        let line = self.line;
        let clock = line.ports.clock();
        let mut orders = line.orders.subscribe();
        let mut idle_at = clock.instant() + line.config.read_idle;
        let mut stalled_at = clock.instant() + line.config.no_progress;
        let end = loop {
            if self.drained() {
                break BodyEnd::Drained;
            }
            tokio::select! {
                biased;
                next = body.next() => match next {
                    Some(Ok(bytes)) => {
                        let mut rest = &bytes[..];
                        let mut progress = false;
                        while !rest.is_empty() && !self.intake.damaged {
                            rest = self.stream.push(rest);
                            progress |= self.drain_outputs().await?;
                        }
                        let now = clock.instant();
                        idle_at = now + line.config.read_idle;
                        if progress {
                            stalled_at = now + line.config.no_progress;
                        }
                        if std::mem::take(&mut self.intake.damaged) {
                            break BodyEnd::Broken;
                        }
                        if let Some(id) = self.intake.error_tag.take() {
                            break self.error_tag(id);
                        }
                        // Checked here too: if data is always ready, the timer below never fires.
                        if now >= stalled_at {
                            break self.without_progress();
                        }
                    }
                    Some(Err(error)) => {
                        tracing::info!(sessionId = %line.session, %error, "GetMedia connection interrupted");
                        break BodyEnd::Broken;
                    }
                    None => break BodyEnd::Ended,
                },
                // A closed channel means that the run is over.
                _ = orders.changed() => {}
                () = clock.sleep_until(idle_at) => break BodyEnd::Still,
                () = clock.sleep_until(stalled_at) => break self.without_progress(),
            }
        };
        drop(body);
        line.reading(0);
        let tail = self.stream.finish();
        self.drain_outputs().await?;
        // KVS never ends a body inside a document by itself.
        let broken = tail.cut && end == BodyEnd::Ended;
        Ok(if broken { BodyEnd::Broken } else { end })
    }

    /// Closes a connection whose data contains no media: endless filler, or damage that was read
    /// again often enough. The drain treats it like a stalled connection; otherwise such data would
    /// extend the drain forever.
    fn without_progress(&self) -> BodyEnd {
        let seconds = self.line.config.no_progress.as_secs_f64();
        tracing::warn!(sessionId = %self.line.session, seconds, "GetMedia sent data without media; closing the connection");
        BodyEnd::Still
    }

    /// Handles an error that KVS reported in band before it ended the body.
    fn error_tag(&mut self, id: u32) -> BodyEnd {
        if id == FRAGMENT_NOT_FOUND {
            // The fragment to resume from is past retention: read everything that is left, from the
            // oldest fragment on. The media path skips what it knows; the missing part becomes a
            // gap.
            self.intake.after = None;
            self.intake.hole = true;
        }
        BodyEnd::Broken
    }

    /// Processes all output of the last push, up to damage that will be read again, then waits for
    /// room in the queue. Returns `true` if the output contained part of a fragment of this
    /// session.
    async fn drain_outputs(&mut self) -> Result<bool, Rewound> {
        let mut progress = false;
        while !self.intake.damaged
            && let Some(output) = self.stream.poll()
        {
            progress |= is_progress(&output);
            self.intake.take(output);
        }
        let errors = self.stream.counters().decode_errors;
        {
            let mut metrics = self.line.metrics();
            metrics.decode_errors += errors - self.decode_errors;
            if self.stream.origin_ms().is_some() {
                metrics.clock_drift_millis = Some(self.stream.clock_drift_ms());
            }
        }
        self.decode_errors = errors;
        if self.intake.ready.is_empty() {
            return Ok(progress);
        }
        for chunk in std::mem::take(&mut self.intake.ready) {
            push(self.line, chunk).await?;
        }
        if self.line.queue.holds(Config::samples(self.line.config.batch_ms)) {
            // There is enough for the longest payload. Before decoding more, yield to the other
            // futures on this thread, especially deliveries and renewals.
            tokio::task::yield_now().await;
        }
        self.intake.heard();
        Ok(progress)
    }

    /// Keeps the minimum time between two calls of this reader.
    async fn pace(&mut self) {
        let clock = self.line.ports.clock();
        if let Some(opened) = self.opened {
            let jitter = self.line.config.connect_pace.mul_f64(self.line.ports.random());
            clock.sleep_until(opened + self.line.config.connect_pace + jitter).await;
        }
        self.opened = Some(clock.instant());
    }

    /// Returns whether the stream is really gone: KVS has reported it as missing for long enough,
    /// because it may still be being created, and the control plane confirms it. For a stopped
    /// session the wait is shorter, because no new stream is being created.
    async fn stream_gone(&mut self) -> bool {
        let line = self.line;
        let now = line.ports.clock().instant();
        let since = *self.missing_since.get_or_insert(now);
        let stopping = line.orders.borrow().desired == Desired::Stop;
        let patience = if stopping { line.config.drain_max } else { line.config.no_stream };
        if now.saturating_duration_since(since) < patience {
            return false;
        }
        let call = line.ports.media().is_gone(&line.stream);
        // No response is not a confirmation: the audio stays in KVS, and GetMedia is called again.
        line.ports.clock().within(line.config.read_idle, call).await.unwrap_or(false)
    }

    /// Returns whether the session is to stop and the stream is drained.
    fn drained(&self) -> bool {
        self.stopped().is_some() && self.intake.drain.is_over()
    }

    /// Returns how long ago the stop was; `None` if there was none.
    fn stopped(&self) -> Option<Duration> {
        let stop_at = {
            let orders = self.line.orders.borrow();
            (orders.desired == Desired::Stop).then(|| orders.stop_at.unwrap_or_default())?
        };
        Some(Duration::from_millis(self.line.ports.clock().now_ms().saturating_sub(stop_at)))
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
async fn push<P: Ports>(line: &Line<'_, P>, chunk: Chunk) -> Result<(), Rewound> {
    let arrived = line.ports.clock().instant();
    line.queue.push(Queued { chunk, arrived }).await
}
