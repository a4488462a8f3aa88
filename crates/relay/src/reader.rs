//! Reads one stream: GetMedia again and again, bytes into the media path, PCM into chunks, chunks
//! into the queue.
//!
//! The end of a body is never the end of the session: GetMedia ends after ~3 s without fragments,
//! after ~45 min, and whenever something breaks (facts/kvs.md §3.4). Every end is answered by
//! another call after the last complete fragment; the media path passes over what it emitted before.
//! Only a stop that was followed by enough quiet ends the reading (see [`crate::drain`]).

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

/// GetMedia's "requested fragment not found".
const FRAGMENT_NOT_FOUND: u32 = 4000;

/// Reads until the run is dropped. After the session's last chunk it only waits for a rewind.
pub(crate) async fn read<P: Ports>(line: &Line<'_, P>) -> Infallible {
    let mut plan = {
        let ledger = line.ledger();
        ledger.plan(ledger.state().next)
    };
    // Kept over rewinds, so that they too respect KVS's limit of calls.
    let mut opened = None;
    loop {
        let mut reader = Reader::new(line, &plan, opened);
        let position = tokio::select! {
            biased;
            position = line.queue.rewound() => position,
            // Whether it came to the end or saw the rewind first: a rewind is what comes next.
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
    /// Nothing came, or nothing but bytes without media, and it was given up: call again.
    Still,
    /// It broke: call again, slower each time.
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
    /// Packets the decoder had refused when last looked.
    decode_errors: u64,
    /// Since when KVS has not known the stream.
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

    /// Connection after connection until the stream is drained; then the last chunk.
    async fn session(&mut self) -> Result<(), Rewound> {
        while !self.drained() {
            self.pace().await;
            let end = match self.open().await {
                Ok(body) => {
                    self.missing_since = None;
                    self.body(body).await?
                }
                Err(error) if error.kind == ErrorKind::NotFound && self.stream_gone().await => {
                    tracing::warn!(sessionId = %self.line.session, "the stream is gone: nothing is left to deliver");
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
        // What a decoder's filter still holds is the session's last sound.
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
                        // Here too: bytes that are always ready never let the timer below run.
                        if now >= stalled_at {
                            break self.without_progress();
                        }
                    }
                    Some(Err(error)) => {
                        tracing::info!(sessionId = %line.session, %error, "GetMedia broke off");
                        break BodyEnd::Broken;
                    }
                    None => break BodyEnd::Ended,
                },
                // A closed channel means the run is over anyway.
                _ = orders.changed() => {}
                () = clock.sleep_until(idle_at) => break BodyEnd::Still,
                () = clock.sleep_until(stalled_at) => break self.without_progress(),
            }
        };
        drop(body);
        line.reading(0);
        let tail = self.stream.finish();
        self.drain_outputs().await?;
        // In the middle of a document nobody ends of his own accord.
        let broken = tail.cut && end == BodyEnd::Ended;
        Ok(if broken { BodyEnd::Broken } else { end })
    }

    /// The bytes bring no media: endless filler, or damage that was read again often enough. The
    /// drain counts it like a connection that stands still, or such bytes would keep it waiting.
    fn without_progress(&self) -> BodyEnd {
        let seconds = self.line.config.no_progress.as_secs_f64();
        tracing::warn!(sessionId = %self.line.session, seconds, "GetMedia sends bytes without media: connection given up");
        BodyEnd::Still
    }

    /// KVS said in band why it stops.
    fn error_tag(&mut self, id: u32) -> BodyEnd {
        if id == FRAGMENT_NOT_FOUND {
            // The fragment to go on from is past retention: everything that is left, from its
            // oldest on. The media path passes over what it knows; the hole becomes a gap.
            self.intake.after = None;
            self.intake.hole = true;
        }
        BodyEnd::Broken
    }

    /// Takes in all that the last push brought out, up to damage that is read again, then waits for
    /// room for it. `true` when something of a fragment of this session was among it.
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
            // Enough for the longest payload: before more is decoded, whoever else runs on this thread
            // has a turn, deliveries and renewals first of all.
            tokio::task::yield_now().await;
        }
        self.intake.heard();
        Ok(progress)
    }

    /// Keeps the calls of this reader apart.
    async fn pace(&mut self) {
        let clock = self.line.ports.clock();
        if let Some(opened) = self.opened {
            let jitter = self.line.config.connect_pace.mul_f64(self.line.ports.random());
            clock.sleep_until(opened + self.line.config.connect_pace + jitter).await;
        }
        self.opened = Some(clock.instant());
    }

    /// Whether KVS's "no such stream" is to be believed: when it lasts, because a stream may be in the making, and
    /// KVS's control plane says so too. Of a session that is to stop nothing new is in the making.
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
        // Who does not answer has not agreed: the audio stays where it is, and GetMedia is called again.
        line.ports.clock().within(line.config.read_idle, call).await.unwrap_or(false)
    }

    /// The session is to stop, and nothing more comes.
    fn drained(&self) -> bool {
        self.stopped().is_some() && self.intake.drain.is_over()
    }

    /// How long ago the stop was.
    fn stopped(&self) -> Option<Duration> {
        let stop_at = {
            let orders = self.line.orders.borrow();
            (orders.desired == Desired::Stop).then(|| orders.stop_at.unwrap_or_default())?
        };
        Some(Duration::from_millis(self.line.ports.clock().now_ms().saturating_sub(stop_at)))
    }
}

/// Whether an output says that the reading goes on. Damage, codecs that are refused and fragments of
/// other sessions do not: they may come for ever.
fn is_progress(output: &Output<'_>) -> bool {
    matches!(
        output,
        Output::FragmentStarted { .. }
            | Output::Pcm { .. }
            | Output::Gap { .. }
            | Output::FragmentCompleted { .. }
    )
}

// Not a method: the decoder may move between threads but not be shared, so no future may hold a
// shared reference to the reader.
async fn push<P: Ports>(line: &Line<'_, P>, chunk: Chunk) -> Result<(), Rewound> {
    let arrived = line.ports.clock().instant();
    line.queue.push(Queued { chunk, arrived }).await
}
