//! Converts the media path's output into chunks, ledger entries and drain events.

use media::{Anchor, FragmentAudio, FragmentNumber, Output};
use session::Desired;

use crate::checkpoint::Fragment;
use crate::chunker::{Chunk, Chunker};
use crate::clock::Clock;
use crate::config::Config;
use crate::drain::Drain;
use crate::ledger::ReadPlan;
use crate::line::Line;
use crate::ports::Ports;

/// A reader at most this far behind the newest fragment has caught up, ms.
const LIVE_MS: u64 = 1_000;

/// How many times damaged media is read again at the same place. Damage found once more after that
/// is stored in the stream, and the reader continues after it.
const READ_AGAIN: u32 = 3;

/// Converts the media path's output into chunks and ledger entries.
pub(crate) struct Intake<'a, 'l, P: Ports> {
    line: &'a Line<'l, P>,
    pub(crate) chunker: Chunker,
    pub(crate) ready: Vec<Chunk>,
    pub(crate) drain: Drain,
    /// Resume reading after this fragment.
    pub(crate) after: Option<FragmentNumber>,
    /// The fragment being read.
    open: Option<Anchor>,
    /// The newest fragment seen.
    newest: Option<FragmentNumber>,
    /// Position after the last sample or gap.
    position: u64,
    /// Producer's clock at `position`, ms.
    producer_ms: u64,
    pub(crate) error_tag: Option<u32>,
    /// When KVS began to receive the fragment being read, ms; 0 = unknown.
    server_ms: u64,
    /// SERVER_TIMESTAMP of the newest fragment at the time the stop was seen, ms.
    live_at_stop: Option<u64>,
    /// The next gap is audio lost in KVS, not audio missing from the producer.
    pub(crate) hole: bool,
    /// Damage was found that the connection may have caused: KVS may hold the fragment intact, so
    /// the rest is discarded and the connection closed.
    pub(crate) damaged: bool,
    /// The fragment after which damage was last found, and how many times.
    met: Option<(Option<FragmentNumber>, u32)>,
}

impl<'a, 'l, P: Ports> Intake<'a, 'l, P> {
    pub(crate) fn new(line: &'a Line<'l, P>, plan: &ReadPlan) -> Self {
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
            met: None,
        }
    }

    pub(crate) fn take(&mut self, output: Output<'_>) {
        match output {
            Output::FragmentStarted { number, anchor, server_ms, .. } => {
                self.server_ms =
                    server_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
                self.line.reading(self.server_ms);
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
                    // The part before the floor was delivered before KVS lost it.
                    let lost = (start + samples).saturating_sub(start.max(self.chunker.next()));
                    self.line.metrics().unavailable += lost;
                    self.line.ledger().state_mut().totals.unavailable += lost;
                }
                self.chunker.gap(start, samples, &mut self.ready);
                self.advance(start + samples);
            }
            Output::FragmentCompleted { number, millis_behind_now, duration_ms, audio, .. } => {
                self.complete(number, millis_behind_now, duration_ms, audio);
                self.line.reading(0);
            }
            Output::FragmentExceeded { number } => {
                tracing::error!(sessionId = %self.line.session, %number, "the fragment claims more audio than a KVS fragment can hold; the excess is not decoded (SamplesRefused)");
            }
            Output::ErrorTag { id, code } => {
                tracing::warn!(sessionId = %self.line.session, id, code = code.as_deref(), "KVS ended GetMedia with an error");
                self.error_tag = Some(id);
            }
            Output::UnsupportedCodec { codec_id, reason } => {
                tracing::error!(sessionId = %self.line.session, codec_id, reason, "the stream's audio cannot be decoded and will be missing");
                self.line.metrics().unsupported_codec += 1;
            }
            Output::ReducedCodec { codec_id, reason } => {
                tracing::warn!(sessionId = %self.line.session, codec_id, reason, "the stream's audio is only partly decoded");
                self.line.metrics().reduced_codec += 1;
            }
            Output::FragmentForeign { number, session_id } => {
                tracing::error!(sessionId = %self.line.session, %number, other = session_id, "skipped a fragment of another session in this session's stream");
            }
            Output::Skipped { bytes, incomplete } => self.skipped(bytes, incomplete),
            _ => {}
        }
    }

    /// Handles damage: the media is read again, in case the connection caused the damage. Damage
    /// that stays is stored in the stream. If a fragment was cut inside an element, the bytes
    /// skipped with it are the beginning of the next fragment, so reading resumes after the
    /// incomplete fragment: that connection begins with the next one.
    fn skipped(&mut self, bytes: u64, incomplete: Option<FragmentNumber>) {
        let before = self.met.take().filter(|(after, _)| *after == self.after);
        let times = before.map_or(1, |(_, times)| times + 1);
        self.met = Some((self.after.clone(), times));
        self.damaged = times <= READ_AGAIN;
        let again = self.damaged;
        tracing::warn!(sessionId = %self.line.session, bytes, again, "skipped damaged media");
        let next = incomplete.filter(|number| Some(number) > self.after.as_ref());
        if !again && bytes > 0 && next.is_some() {
            (self.after, self.damaged) = (next, true);
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

    fn complete(
        &mut self,
        number: FragmentNumber,
        behind_ms: Option<u64>,
        duration_ms: u64,
        audio: FragmentAudio,
    ) {
        if let Some(anchor) = self.open.take_if(|anchor| anchor.fragment == number) {
            let end = self.position;
            self.line.arrived(end, self.server_ms);
            let content = audio.content.clone();
            let fragment = Fragment { anchor, end, duration_ms, content };
            if self.line.ledger().complete(fragment) {
                self.count(&number, &audio);
            }
        }
        self.drain.fragment(duration_ms);
        {
            let mut activity = self.line.activity();
            activity.longest_fragment_ms = activity.longest_fragment_ms.max(duration_ms);
        }
        self.line.metrics().lag_millis = behind_ms;
        self.note_stop(behind_ms, duration_ms);
        self.after = Some(number);
    }

    /// Counts the samples of a new fragment that are not delivered. A fragment that is read again
    /// was counted before.
    fn count(&self, number: &FragmentNumber, audio: &FragmentAudio) {
        let (repeated, refused) = (audio.repeated_samples, audio.excess_samples);
        if repeated > 0 {
            tracing::info!(sessionId = %self.line.session, %number, repeatedSamples = repeated, "the producer resent this audio after a reconnect; it is delivered once");
        }
        {
            let mut metrics = self.line.metrics();
            metrics.repeated += repeated;
            metrics.refused += refused;
        }
        let mut ledger = self.line.ledger();
        let totals = &mut ledger.state_mut().totals;
        totals.repeated += repeated;
        totals.refused += refused;
    }

    /// Moves the end of the sample timeline forward.
    fn advance(&mut self, position: u64) {
        if position > self.position {
            self.position = position;
            self.heard();
        }
    }

    /// Records new audio, which extends the drain unless KVS received the fragment so long after
    /// the stop that it does not belong to the session.
    pub(crate) fn heard(&mut self) {
        let late_ms = self.line.config.late_ms;
        if self.live_at_stop.is_some_and(|at| self.server_ms > at + late_ms) {
            // KVS sends in order: no audio from before this fragment can follow.
            self.drain.late();
        } else {
            self.drain.heard(self.line.ports.clock().instant());
        }
    }

    /// Records that the stream could not be read: this does not count as silence of the speaker.
    pub(crate) fn not_listening(&self) {
        let now = self.line.ports.clock().now_ms();
        self.line.activity().last_at = Some(now);
    }

    /// Records the time of the stop by KVS's clock: the start of the first fragment after the stop
    /// was seen that had no backlog behind it. Only KVS's own timestamps are compared; they mark
    /// the start of a fragment.
    fn note_stop(&mut self, behind_ms: Option<u64>, duration_ms: u64) {
        let stopping = self.line.orders.borrow().desired == Desired::Stop;
        if stopping
            && behind_ms.is_some_and(|behind| behind <= duration_ms + LIVE_MS)
            && self.server_ms > 0
        {
            self.live_at_stop.get_or_insert(self.server_ms);
        }
    }

    pub(crate) fn finish(&mut self) -> Chunk {
        self.chunker.finish(self.producer_ms)
    }
}
