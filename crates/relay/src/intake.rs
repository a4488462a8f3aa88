//! From what the media path says to chunks, entries of the ledger and the drain's watch.

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

/// A reader no further behind the newest fragment than this has caught up, ms.
const LIVE_MS: u64 = 1_000;

/// So often a place is read again at which the media came damaged. Met there once more the damage is the stream's
/// own, and the reading goes on behind it.
const READ_AGAIN: u32 = 3;

/// Turns what the media path says into chunks and entries of the ledger.
pub(crate) struct Intake<'a, 'l, P: Ports> {
    line: &'a Line<'l, P>,
    pub(crate) chunker: Chunker,
    pub(crate) ready: Vec<Chunk>,
    pub(crate) drain: Drain,
    /// Read on after this fragment.
    pub(crate) after: Option<FragmentNumber>,
    /// The fragment being read.
    open: Option<Anchor>,
    /// The newest fragment seen.
    newest: Option<FragmentNumber>,
    /// Position after the last sample or gap.
    position: u64,
    /// Producer's clock there, ms.
    producer_ms: u64,
    pub(crate) error_tag: Option<u32>,
    /// When KVS began to take in the fragment being read, ms; 0 = not said.
    server_ms: u64,
    /// SERVER_TIMESTAMP of the fragment that was the newest when the stop was known, ms.
    live_at_stop: Option<u64>,
    /// The next gap is KVS's, not the producer's.
    pub(crate) hole: bool,
    /// Damage was met that may be the connection's: KVS has the fragment whole, so what follows is not
    /// taken and the connection is given up.
    pub(crate) damaged: bool,
    /// After which fragment damage was met last, and how often.
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
                    // What lies before the floor was delivered before it was lost.
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
                tracing::error!(sessionId = %self.line.session, %number, "the fragment claims more audio than a fragment of KVS can hold; the excess is not decoded (SamplesRefused)");
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
                let before = self.met.take().filter(|(after, _)| *after == self.after);
                let times = before.map_or(1, |(_, times)| times + 1);
                self.met = Some((self.after.clone(), times));
                self.damaged = times <= READ_AGAIN;
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

    /// Counts what of a new fragment is not delivered; one that is read again was counted before.
    fn count(&self, number: &FragmentNumber, audio: &FragmentAudio) {
        let (repeated, refused) = (audio.repeated_samples, audio.excess_samples);
        if repeated > 0 {
            tracing::info!(sessionId = %self.line.session, %number, repeatedSamples = repeated, "the producer sent this audio again after a reconnect; it is delivered once");
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

    /// The line of samples got longer.
    fn advance(&mut self, position: u64) {
        if position > self.position {
            self.position = position;
            self.heard();
        }
    }

    /// Something new came, and the drain waits on, unless KVS took the fragment in so long after the
    /// stop that it is none of the session.
    pub(crate) fn heard(&mut self) {
        let late_ms = self.line.config.late_ms;
        if self.live_at_stop.is_some_and(|at| self.server_ms > at + late_ms) {
            // KVS sends in order: it has nothing more from before this.
            self.drain.late();
        } else {
            self.drain.heard(self.line.ports.clock().instant());
        }
    }

    /// The stream could not be listened to: that is no silence of the speaker's.
    pub(crate) fn not_listening(&self) {
        let now = self.line.ports.clock().now_ms();
        self.line.activity().last_at = Some(now);
    }

    /// Notes when the stop was, by KVS's clock: at the first fragment behind which there was nothing more
    /// once the stop was known. No other clock is compared with KVS's, which counts from the fragment's beginning.
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
