//! The use case: one payload in, one answer or refusal out.

use std::path::PathBuf;

use serde_json::Value;
use session::audio::{Answer, Refusal};
use session::{Moved, Step, Watermark, Watermarks};

use crate::chunk::Chunk;
use crate::error::ProcessError;
use crate::levels::Levels;
use crate::recording::Recording;

/// How long the watermark of a session is kept after its last chunk, in seconds: longer than the
/// longest session and the longest retention of its stream, after which nobody can send again.
const KEEP_SECONDS: u64 = 60 * 24 * 3600;

/// Accepts each sample of each session once.
#[derive(Debug)]
pub struct Processor<W> {
    watermarks: W,
    recordings: Option<PathBuf>,
}

impl<W: Watermarks> Processor<W> {
    /// A processor over a store of watermarks, with a folder for WAV files if they are wanted.
    pub fn new(watermarks: W, recordings: Option<PathBuf>) -> Self {
        Self { watermarks, recordings }
    }

    /// Takes one payload. `now` is in seconds since the Unix epoch.
    ///
    /// With a recording, the samples are written first, each at its own position and beyond what
    /// the file confirms; then the watermark moves; then the file confirms them. After a crash
    /// between two of these the samples stand where they belong, and the next step confirms them.
    ///
    /// # Errors
    /// A [`Refusal`] of the contract, or a fault that another try may mend.
    pub async fn process(&self, payload: Value, now: u64) -> Result<Answer, ProcessError> {
        let chunk = Chunk::check(payload).inspect_err(|refusal| {
            tracing::warn!(reason = %refusal, "payload refused");
        })?;
        let answer = match &self.recordings {
            None => self.accept(&chunk, now).await?.0,
            Some(folder) => {
                let failed =
                    |source| ProcessError::Recording { session: chunk.session.clone(), source };
                let mut recording =
                    Recording::open(folder, &chunk.session).await.map_err(failed)?;
                recording.write(chunk.start, &chunk.samples).map_err(failed)?;
                let (answer, before) = self.accept(&chunk, now).await?;
                match before {
                    Some(before) => recording.advance(before.next, chunk.start, chunk.end()),
                    None => recording.confirm(chunk.end()),
                }
                .map_err(failed)?;
                answer
            }
        };
        if chunk.is_final {
            let seconds = answer.next_sample as f64 / f64::from(session::audio::SAMPLE_RATE);
            tracing::info!(
                sessionId = %chunk.session, samples = answer.next_sample, seconds,
                "session received to its end"
            );
        }
        Ok(answer)
    }

    /// The answer, and where the watermark stood if this chunk moved it.
    async fn accept(
        &self,
        chunk: &Chunk,
        now: u64,
    ) -> Result<(Answer, Option<Watermark>), ProcessError> {
        let failed = |source| ProcessError::Store { session: chunk.session.clone(), source };
        let step = Step {
            epoch: chunk.epoch,
            floor: chunk.start - chunk.gap,
            end: chunk.end(),
            expires_at: now + KEEP_SECONDS,
        };
        let at = match self.watermarks.advance(&chunk.session, step).await.map_err(failed)? {
            Moved::From(before) => {
                report(chunk, before);
                let answer = Answer { accepted: true, next_sample: step.end, duplicate: false };
                return Ok((answer, Some(before)));
            }
            Moved::Not(at) if at.epoch < chunk.epoch && at != Watermark::default() => {
                // Nothing new in it, but a new sender: its predecessor must not deliver any more.
                self.watermarks.fence(&chunk.session, chunk.epoch).await.map_err(failed)?
            }
            Moved::Not(at) => at,
        };
        if at.epoch > chunk.epoch {
            return Err(refused(chunk, Refusal::StaleEpoch { epoch: at.epoch }));
        }
        if at.next < step.floor {
            return Err(refused(chunk, Refusal::OutOfOrder { next_sample: at.next }));
        }
        // An empty final chunk repeats nothing.
        let duplicate = !chunk.samples.is_empty();
        Ok((Answer { accepted: true, next_sample: at.next, duplicate }, None))
    }
}

fn report(chunk: &Chunk, before: Watermark) {
    // Measuring costs more than the rest: only for those who look.
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let taken = chunk.samples_from(before.next);
    let Levels { peak, rms } = Levels::of(taken);
    tracing::debug!(
        sessionId = %chunk.session, epoch = chunk.epoch, startSample = chunk.start,
        samples = taken.len(), filled = chunk.filled, gap = chunk.gap,
        peakDbfs = format!("{peak:.1}"), rmsDbfs = format!("{rms:.1}"), "chunk accepted"
    );
}

fn refused(chunk: &Chunk, refusal: Refusal) -> ProcessError {
    tracing::warn!(
        sessionId = %chunk.session, epoch = chunk.epoch, startSample = chunk.start,
        reason = %refusal, "chunk refused"
    );
    refusal.into()
}
