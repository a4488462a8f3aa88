//! Converts the media path's output into chunks, progress and drain events.

use std::time::Duration;

use media::{FragmentAudio, FragmentNumber, Output, ResumePoint};
use session::ports::{Clock, millis};

use crate::checkpoint::CompleteFragment;
use crate::chunker::{Chunk, Chunker};
use crate::drain::Drain;
use crate::kvs_clock::KvsClock;
use crate::ports::Ports;
use crate::progress::{FragmentCounts, ReadPlan};
use crate::run_state::RunState;

/// How many times damaged media is read again at the same place. Damage found once more after that
/// is stored in the stream, and the reader continues after it.
const READ_AGAIN: u32 = 3;

/// Converts the media path's output.
pub(crate) struct OutputHandler<'a, P: Ports> {
    run: &'a RunState<'a, P>,
    pub(crate) chunker: Chunker,
    pub(crate) ready: Vec<Chunk>,
    pub(crate) drain: Drain,
    /// Resume reading after this fragment.
    pub(crate) after: Option<FragmentNumber>,
    /// The fragment being read.
    open: Option<ResumePoint>,
    /// When KVS began to receive the fragment being read, ms.
    server_ms: Option<u64>,
    /// Samples not delivered since the last complete fragment.
    counts: FragmentCounts,
    /// The newest fragment seen.
    newest: Option<FragmentNumber>,
    /// Position after the first whole chunk that is not delivered.
    first_chunk_end: u64,
    /// Position after the last sample or gap.
    pub(crate) position: u64,
    /// Producer's clock at `position`, ms; this host's clock until the first sample.
    producer_ms: u64,
    /// ID of the error that KVS reported in band.
    pub(crate) error_tag: Option<u32>,
    /// The clock of the SERVER_TIMESTAMPs.
    kvs_clock: KvsClock,
    /// The next gap is audio lost in KVS, not audio missing from the producer.
    pub(crate) gap_is_loss: bool,
    /// Damage was found that the connection may have caused: KVS may hold the fragment intact, so
    /// the rest is discarded and the connection closed.
    pub(crate) damaged: bool,
    /// The fragment after which damage was last found, and how many times.
    last_damage: Option<(Option<FragmentNumber>, u32)>,
}

impl<'a, P: Ports> OutputHandler<'a, P> {
    pub(crate) fn new(run: &'a RunState<'a, P>, plan: &ReadPlan) -> Self {
        let next = plan.resume_point.as_ref().map_or(0, |resume_point| resume_point.next);
        let chunk_samples = run.progress.lock().chunk_samples();
        Self {
            run,
            chunker: Chunker::new(chunk_samples, plan.floor),
            ready: Vec::new(),
            drain: Drain::new(run.ctx.config, run.reader.observed().longest_fragment_ms),
            after: plan.after.clone(),
            open: None,
            server_ms: None,
            counts: FragmentCounts::default(),
            newest: plan.after.clone(),
            first_chunk_end: plan.floor + chunk_samples,
            // Negative while pre-skip is still to come.
            position: u64::try_from(next).unwrap_or_default(),
            producer_ms: run.ctx.clock().now_ms(),
            error_tag: None,
            kvs_clock: KvsClock::new(run.ctx.config.scale),
            gap_is_loss: false,
            damaged: false,
            last_damage: None,
        }
    }

    /// Handles one output.
    pub(crate) fn handle(&mut self, output: Output<'_>) {
        match output {
            Output::FragmentStarted { number, resume_point, server_ms, .. } => {
                self.server_ms = server_ms.and_then(|ms| u64::try_from(ms).ok());
                self.run.reader.observed().open_fragment_since = self.server_ms;
                self.begin(number, resume_point);
            }
            Output::Pcm { start, samples, filled, producer_ms } => {
                // A producer's clock before 1970 counts as 1970.
                let producer_ms = u64::try_from(producer_ms).unwrap_or_default();
                let length = samples.len() as u64;
                self.chunker.pcm(start, samples, filled, producer_ms, &mut self.ready);
                self.advance(start + length);
                self.producer_ms = producer_ms + length / crate::SAMPLES_PER_MS;
            }
            Output::Gap { start, samples } => self.gap(start, samples),
            Output::FragmentCompleted { number, millis_behind_now, duration_ms, audio, .. } => {
                self.complete(number, millis_behind_now, duration_ms, audio);
                self.run.reader.observed().open_fragment_since = None;
            }
            Output::Skipped { bytes, incomplete } => self.skipped_damage(bytes, incomplete),
            Output::ErrorTag { id, code } => {
                tracing::warn!(sessionId = %self.run.ctx.session_id, id, code = code.as_deref(), "KVS ended GetMedia with an error");
                self.error_tag = Some(id);
            }
            output => self.record_anomaly(output),
        }
    }

    /// Logs and counts audio that is not delivered as it was sent.
    fn record_anomaly(&self, output: Output<'_>) {
        let session = &self.run.ctx.session_id;
        match output {
            Output::FragmentExceeded { number } => {
                tracing::error!(sessionId = %session, %number, "the fragment declares more audio than a KVS fragment can hold; the excess is not decoded (SamplesRefused)");
            }
            Output::UnsupportedCodec { codec_id, reason } => {
                tracing::error!(sessionId = %session, codec_id, reason, "the stream's audio cannot be decoded and will be missing");
                self.run.metrics.observed().unsupported_codec += 1;
            }
            Output::ReducedCodec { codec_id, reason } => {
                tracing::warn!(sessionId = %session, codec_id, reason, "the stream's audio is only partly decoded");
                self.run.metrics.observed().reduced_codec += 1;
            }
            Output::FragmentForeign { number, session_id } => {
                tracing::error!(sessionId = %session, %number, other = session_id, "skipped a fragment of another session in this session's stream");
            }
            _ => {}
        }
    }

    fn gap(&mut self, start: u64, samples: u64) {
        let end = start + samples;
        if std::mem::take(&mut self.gap_is_loss) {
            // The part before the floor was delivered before KVS lost it.
            self.counts.unavailable += end.saturating_sub(start.max(self.chunker.next()));
        }
        self.chunker.gap(start, samples, &mut self.ready);
        self.advance(end);
    }

    /// Handles damage: the media is read again, in case the connection caused the damage. If a
    /// fragment was cut inside an element, the bytes skipped with it are the beginning of the next
    /// fragment, so reading resumes after the incomplete fragment: that connection begins with the
    /// next one.
    fn skipped_damage(&mut self, bytes: u64, incomplete: Option<FragmentNumber>) {
        let again = self.may_be_transient();
        self.damaged = again;
        tracing::warn!(sessionId = %self.run.ctx.session_id, bytes, again, "skipped damaged media");
        let next = incomplete.filter(|number| Some(number) > self.after.as_ref());
        if !again && bytes > 0 && next.is_some() {
            (self.after, self.damaged) = (next, true);
        }
    }

    /// Counts damage or an incomplete document at this place. Returns whether the connection may
    /// have caused it; what is found at the same place once more after that is stored in the
    /// stream.
    pub(crate) fn may_be_transient(&mut self) -> bool {
        let before = self.last_damage.take().filter(|(after, _)| *after == self.after);
        let times = before.map_or(1, |(_, times)| times + 1);
        self.last_damage = Some((self.after.clone(), times));
        times <= READ_AGAIN
    }

    fn begin(&mut self, number: FragmentNumber, resume_point: ResumePoint) {
        self.run.progress.lock().begin(&resume_point);
        if self.newest.as_ref().is_none_or(|newest| number > *newest) {
            self.new_audio();
            self.newest = Some(number.clone());
        }
        self.chunker.fragment(number);
        self.open = Some(resume_point);
    }

    fn complete(
        &mut self,
        number: FragmentNumber,
        behind_ms: Option<u64>,
        duration_ms: u64,
        audio: FragmentAudio,
    ) {
        if let Some(resume_point) =
            self.open.take_if(|resume_point| resume_point.fragment == number)
        {
            let counts = FragmentCounts {
                repeated: audio.repeated_samples,
                refused: audio.excess_samples,
                ..std::mem::take(&mut self.counts)
            };
            let content = audio.content;
            let fragment =
                CompleteFragment { resume_point, end: self.position, duration_ms, content };
            let new = self.run.progress.lock().complete(fragment, self.server_ms, counts);
            if new && counts.repeated > 0 {
                tracing::info!(sessionId = %self.run.ctx.session_id, %number, repeatedSamples = counts.repeated, "the producer resent this audio after a reconnect; it is delivered once");
            }
        }
        self.drain.fragment(duration_ms);
        self.run.reader.observe_lengths([duration_ms]);
        self.observe_lag(behind_ms);
        self.fragment_is_activity(behind_ms.unwrap_or_default());
        self.after = Some(number);
    }

    /// Records how far the reader is behind KVS at the end of a fragment. What KVS states does not
    /// include the time that the fragment waited in the connection. A fragment that was delivered,
    /// but for the samples that wait for a whole chunk, was read again and is not late. The largest
    /// delay is reported, because a backlog may be read to its end between two reports.
    fn observe_lag(&mut self, behind_ms: Option<u64>) {
        let Some((server_ms, behind_ms)) = self.server_ms.zip(behind_ms) else { return };
        let now_ms = self.run.ctx.clock().now_ms();
        self.kvs_clock.observe(server_ms, behind_ms, now_ms);
        if self.position >= self.first_chunk_end {
            let lag_ms = self.kvs_clock.at(now_ms).map(|now_ms| now_ms.saturating_sub(server_ms));
            let mut observed = self.run.metrics.observed();
            observed.lag_millis = observed.lag_millis.max(lag_ms);
        }
    }

    /// Moves the end of the sample timeline forward.
    fn advance(&mut self, position: u64) {
        if position > self.position {
            self.position = position;
            self.new_audio();
        }
    }

    /// Records new audio, which extends the drain unless KVS received the fragment so long after
    /// the stop that it does not belong to the session.
    pub(crate) fn new_audio(&mut self) {
        let late_ms = self.run.ctx.config.late_ms;
        let stop = self.run.lease.stop_at().and_then(|stop_at| self.kvs_clock.at(stop_at));
        let is_late =
            stop.zip(self.server_ms).is_some_and(|(stop, received)| received > stop + late_ms);
        if is_late {
            // KVS sends in order: no audio from before this fragment can follow.
            self.drain.late_fragment();
        } else {
            self.drain.new_audio(self.run.ctx.clock().instant());
        }
    }

    /// Counts as activity that the stream could not be read, because this is not the speaker's
    /// silence.
    pub(crate) fn count_as_activity(&self) {
        self.run.reader.observe_activity(self.run.ctx.clock().now_ms());
    }

    /// Counts a fragment as activity at the time when KVS received it, by how far KVS says that it
    /// is behind: each run reads the last fragments again.
    fn fragment_is_activity(&self, behind_ms: u64) {
        let behind = Duration::from_millis(behind_ms).div_f64(self.run.ctx.config.scale);
        let now = self.run.ctx.clock().now_ms();
        self.run.reader.observe_activity(now.saturating_sub(millis(behind)));
    }

    /// Returns the last chunk of the session. The fragment being read will not be completed.
    pub(crate) fn finish(&mut self) -> Chunk {
        self.run.progress.lock().count(std::mem::take(&mut self.counts));
        self.chunker.finish(self.producer_ms)
    }
}
