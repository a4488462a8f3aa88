//! Reads one stream: GetMedia again and again, bytes into the media path, PCM into chunks, chunks
//! into the queue.
//!
//! The end of a body is never the end of the session: GetMedia ends after ~3 s without fragments,
//! after ~45 min, and whenever something breaks (facts/kvs.md §3.4). Every end is answered by
//! another call after the last complete fragment; the media path passes over what it emitted before.
//! Only a stop that was followed by enough quiet ends the reading (see [`crate::drain`]).

use std::convert::Infallible;
use std::time::Duration;

use media::{Anchor, FragmentNumber, Output, Stream};
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::checkpoint::Fragment;
use crate::chunker::{Chunk, Chunker};
use crate::clock::Clock;
use crate::config::Config;
use crate::drain::Drain;
use crate::lease::Desired;
use crate::ledger::ReadPlan;
use crate::line::Line;
use crate::ports::{MediaBody, MediaSource, OpenError, Ports};
use crate::queue::{Queued, Rewound};

/// GetMedia's "requested fragment not found".
const FRAGMENT_NOT_FOUND: u32 = 4000;

/// A reader no further behind the newest fragment than this has caught up, ms.
const LIVE_MS: u64 = 1_000;

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
    /// It stood still and was given up: call again.
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
            Some(anchor) => Stream::resume(options, anchor.clone()),
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
                Err(OpenError::NoStream) if self.stream_gone() => {
                    tracing::warn!(sessionId = %self.line.session, "the stream is gone: nothing is left to deliver");
                    break;
                }
                Err(error) => {
                    tracing::warn!(sessionId = %self.line.session, %error, "GetMedia failed");
                    BodyEnd::Broken
                }
            };
            match end {
                BodyEnd::Drained => break,
                BodyEnd::Ended => {
                    self.intake.drain.ended();
                    self.backoff.reset();
                }
                BodyEnd::Still => {
                    self.intake.drain.stood_still();
                    self.backoff.reset();
                }
                BodyEnd::Broken => {
                    self.intake.drain.deaf();
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

    async fn open(&mut self) -> Result<<P::Media as MediaSource>::Body, OpenError> {
        let (line, after) = (self.line, self.intake.after.as_ref());
        let call = line.ports.media().open(&line.stream, after);
        let body = line.ports.clock().within(line.config.read_idle, call).await;
        let body = body.unwrap_or_else(|| Err(OpenError::Refused("no answer in time".into())))?;
        line.metrics().connections += 1;
        line.listening.send_if_modified(|done| !std::mem::replace(done, true));
        self.intake.drain.listening(line.ports.clock().instant());
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
        let end = loop {
            let now = clock.instant();
            let drained_at = self.drained_in(now).map_or(idle_at, |left| now + left);
            if drained_at <= now {
                break BodyEnd::Drained;
            }
            tokio::select! {
                biased;
                next = body.next() => match next {
                    Some(Ok(bytes)) => {
                        let mut rest = &bytes[..];
                        while !rest.is_empty() && !self.intake.damaged {
                            rest = self.stream.push(rest);
                            self.drain_outputs().await?;
                        }
                        idle_at = clock.instant() + line.config.read_idle;
                        if std::mem::take(&mut self.intake.damaged) {
                            break BodyEnd::Broken;
                        }
                        if let Some(id) = self.intake.error_tag.take() {
                            break self.error_tag(id);
                        }
                    }
                    Some(Err(error)) => {
                        tracing::info!(sessionId = %line.session, %error, "GetMedia broke off");
                        break BodyEnd::Broken;
                    }
                    None => break BodyEnd::Ended,
                },
                // An order may shorten the wait; a closed channel means the run is over anyway.
                _ = orders.changed() => {}
                () = clock.sleep_until(idle_at.min(drained_at)) => {
                    if clock.instant() >= idle_at {
                        break BodyEnd::Still;
                    }
                }
            }
        };
        drop(body);
        let tail = self.stream.finish();
        self.drain_outputs().await?;
        // In the middle of a document nobody ends of his own accord.
        let broken = tail.cut && end == BodyEnd::Ended;
        Ok(if broken { BodyEnd::Broken } else { end })
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
    /// room for it.
    async fn drain_outputs(&mut self) -> Result<(), Rewound> {
        while !self.intake.damaged
            && let Some(output) = self.stream.poll()
        {
            self.intake.take(output);
        }
        let errors = self.stream.counters().decode_errors;
        self.line.metrics().decode_errors += errors - self.decode_errors;
        self.decode_errors = errors;
        if self.intake.ready.is_empty() {
            return Ok(());
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
        Ok(())
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

    /// Whether KVS's "no such stream" is to be believed: at once for a session that is to stop,
    /// else only when it lasts, because a stream may be in the making.
    fn stream_gone(&mut self) -> bool {
        let now = self.line.ports.clock().instant();
        let since = *self.missing_since.get_or_insert(now);
        let stopping = self.line.orders.borrow().desired == Desired::Stop;
        stopping || now.saturating_duration_since(since) >= self.line.config.no_stream
    }

    fn drained(&self) -> bool {
        self.drained_in(self.line.ports.clock().instant()) == Some(Duration::ZERO)
    }

    /// How long until the stream counts as drained if nothing comes; `None` while it runs.
    fn drained_in(&self, now: Instant) -> Option<Duration> {
        let stop_at = {
            let orders = self.line.orders.borrow();
            (orders.desired == Desired::Stop).then(|| orders.stop_at.unwrap_or_default())?
        };
        let stopped = self.line.ports.clock().now_ms().saturating_sub(stop_at);
        self.intake.drain.remaining(now, Duration::from_millis(stopped))
    }
}

// Not a method: the decoder may move between threads but not be shared, so no future may hold a
// shared reference to the reader.
async fn push<P: Ports>(line: &Line<'_, P>, chunk: Chunk) -> Result<(), Rewound> {
    let arrived = line.ports.clock().instant();
    line.queue.push(Queued { chunk, arrived }).await
}

/// Turns what the media path says into chunks and entries of the ledger.
struct Intake<'a, 'l, P: Ports> {
    line: &'a Line<'l, P>,
    chunker: Chunker,
    ready: Vec<Chunk>,
    drain: Drain,
    /// Read on after this fragment.
    after: Option<FragmentNumber>,
    /// The fragment being read.
    open: Option<Anchor>,
    /// The newest fragment seen.
    newest: Option<FragmentNumber>,
    /// Position after the last sample or gap.
    position: u64,
    /// Producer's clock there, ms.
    producer_ms: u64,
    error_tag: Option<u32>,
    /// When KVS began to take in the fragment being read, ms; 0 = not said.
    server_ms: u64,
    /// SERVER_TIMESTAMP of the fragment that was the newest when the stop was known, ms.
    live_at_stop: Option<u64>,
    /// The next gap is KVS's, not the producer's.
    hole: bool,
    /// Damage was met that may be the connection's: KVS has the fragment whole, so what follows is not
    /// taken and the connection is given up.
    damaged: bool,
    /// After which fragment damage was read again. Met there once more it is the stream's own, and the
    /// reading goes on behind it.
    read_again: Option<Option<FragmentNumber>>,
}

impl<'a, 'l, P: Ports> Intake<'a, 'l, P> {
    fn new(line: &'a Line<'l, P>, plan: &ReadPlan) -> Self {
        let next = plan.anchor.as_ref().map_or(0, |anchor| anchor.next);
        Self {
            line,
            chunker: Chunker::new(Config::samples(line.chunk_ms), plan.floor),
            ready: Vec::new(),
            drain: Drain::new(line.config, line.activity().longest_fragment_ms),
            after: plan.after.clone(),
            open: None,
            newest: plan.after.clone(),
            position: u64::try_from(next).unwrap_or_default(),
            producer_ms: line.ports.clock().now_ms(),
            error_tag: None,
            server_ms: 0,
            live_at_stop: None,
            hole: false,
            damaged: false,
            read_again: None,
        }
    }

    fn take(&mut self, output: Output<'_>) {
        match output {
            Output::FragmentStarted { number, anchor, server_ms, .. } => {
                self.server_ms =
                    server_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
                self.begin(number, anchor);
            }
            Output::Pcm { start, samples, filled, producer_ms } => {
                let producer_ms = u64::try_from(producer_ms).unwrap_or_default();
                let length = samples.len() as u64;
                self.chunker.pcm(start, samples, filled, producer_ms, &mut self.ready);
                self.advance(start + length);
                self.producer_ms = producer_ms + length / crate::SAMPLES_PER_MS;
            }
            Output::Gap { start, samples } => {
                if std::mem::take(&mut self.hole) {
                    // What lies before the floor was delivered before it was lost.
                    let lost = (start + samples).saturating_sub(start.max(self.chunker.next()));
                    self.line.metrics().unavailable += lost;
                    self.line.ledger().state_mut().totals.unavailable += lost;
                }
                self.chunker.gap(start, samples, &mut self.ready);
                self.advance(start + samples);
            }
            Output::FragmentCompleted { number, millis_behind_now, duration_ms, .. } => {
                self.complete(number, millis_behind_now, duration_ms);
            }
            Output::ErrorTag { id, code } => {
                tracing::warn!(sessionId = %self.line.session, id, code = code.as_deref(), "KVS ended GetMedia with an error");
                self.error_tag = Some(id);
            }
            Output::UnsupportedCodec { codec_id, reason } => {
                tracing::error!(sessionId = %self.line.session, codec_id, reason, "the stream's audio cannot be decoded; its time will be missing");
                self.line.metrics().unsupported_codec += 1;
            }
            Output::ReducedCodec { codec_id, reason } => {
                tracing::warn!(sessionId = %self.line.session, codec_id, reason, "the stream's audio is decoded in part");
                self.line.metrics().reduced_codec += 1;
            }
            Output::FragmentForeign { number, session_id } => {
                tracing::error!(sessionId = %self.line.session, %number, other = session_id, "a fragment of another session is in this session's stream; it is passed over");
            }
            Output::Skipped { bytes, .. } => {
                let known = self.read_again.replace(self.after.clone());
                self.damaged = known.as_ref() != Some(&self.after);
                let again = self.damaged;
                tracing::warn!(sessionId = %self.line.session, bytes, again, "damaged media passed over");
            }
            _ => {}
        }
    }

    fn begin(&mut self, number: FragmentNumber, anchor: Anchor) {
        self.line.ledger().begin(&anchor);
        if self.newest.as_ref().is_none_or(|newest| number > *newest) {
            let clock = self.line.ports.clock();
            self.line.activity().last_at = Some(clock.now_ms());
            self.heard();
            self.newest = Some(number.clone());
        }
        self.chunker.fragment(number);
        self.open = Some(anchor);
    }

    fn complete(&mut self, number: FragmentNumber, behind_ms: Option<u64>, duration_ms: u64) {
        if let Some(anchor) = self.open.take_if(|anchor| anchor.fragment == number) {
            let end = self.position;
            self.line.arrived(end, self.server_ms);
            self.line.ledger().complete(Fragment { anchor, end, duration_ms });
        }
        self.drain.fragment(duration_ms);
        {
            let mut activity = self.line.activity();
            activity.longest_fragment_ms = activity.longest_fragment_ms.max(duration_ms);
        }
        self.line.metrics().lag_millis = behind_ms;
        self.note_stop(behind_ms);
        self.after = Some(number);
    }

    /// The line of samples got longer.
    fn advance(&mut self, position: u64) {
        if position > self.position {
            self.position = position;
            self.heard();
        }
    }

    /// Something new came, and the drain waits on, unless KVS took the fragment in so long after the
    /// stop that it is none of the session.
    fn heard(&mut self) {
        let late_ms = self.line.config.late_ms;
        if self.live_at_stop.is_some_and(|at| self.server_ms > at + late_ms) {
            // KVS sends in order: it has nothing more from before this.
            self.drain.ended();
        } else {
            self.drain.heard(self.line.ports.clock().instant());
        }
    }

    /// Notes when the stop was, by KVS's clock: at the first fragment behind which there was nothing more
    /// once the stop was known. No other clock is compared with KVS's.
    fn note_stop(&mut self, behind_ms: Option<u64>) {
        let stopping = self.line.orders.borrow().desired == Desired::Stop;
        if stopping && behind_ms.is_some_and(|behind| behind <= LIVE_MS) && self.server_ms > 0 {
            self.live_at_stop.get_or_insert(self.server_ms);
        }
    }

    fn finish(&mut self) -> Chunk {
        self.chunker.finish(self.producer_ms)
    }
}
