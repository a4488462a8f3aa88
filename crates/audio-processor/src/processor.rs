//! The use case: processes one payload and returns an answer or a refusal.

use std::path::PathBuf;

use serde_json::Value;
use session::audio::{Answer, Refusal};
use session::{Advance, Moved, Watermark, Watermarks};

use crate::chunk::Chunk;
use crate::error::ProcessError;
use crate::levels::Levels;
use crate::recording::Recording;

/// Retention of a session's watermark after its last chunk, in seconds. Longer than the longest
/// session plus the longest retention of its stream, after which no payload of the session can
/// arrive.
const KEEP_SECONDS: u64 = 60 * 24 * 3600;

/// Accepts each sample of each session once.
#[derive(Debug)]
pub struct Processor<W> {
    watermarks: W,
    recordings: Option<PathBuf>,
}

impl<W: Watermarks> Processor<W> {
    /// Creates a processor with a store of watermarks and an optional folder for WAV files.
    pub fn new(watermarks: W, recordings: Option<PathBuf>) -> Self {
        Self { watermarks, recordings }
    }

    /// Processes one payload. `now` is in seconds since the Unix epoch.
    ///
    /// With a recording, the samples are first written at their positions, beyond the confirmed
    /// length; then the watermark advances; then the file confirms the samples. After a crash
    /// between these steps the samples are already at their positions, and the next step confirms
    /// them.
    ///
    /// # Errors
    /// A [`Refusal`] according to the contract, or an error that a retry may resolve.
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
                "final chunk of the session accepted"
            );
        }
        Ok(answer)
    }

    /// Returns the answer, and the previous watermark if this chunk advanced it.
    async fn accept(
        &self,
        chunk: &Chunk,
        now: u64,
    ) -> Result<(Answer, Option<Watermark>), ProcessError> {
        let failed = |source| ProcessError::Store { session: chunk.session.clone(), source };
        let step = Advance {
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
                // The chunk has no new samples but a newer epoch: fences the previous sender.
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
        // An empty final chunk contains no repeated samples.
        let duplicate = !chunk.samples.is_empty();
        Ok((Answer { accepted: true, next_sample: at.next, duplicate }, None))
    }
}

fn report(chunk: &Chunk, before: Watermark) {
    // Measuring levels costs more than the rest of the call, so it runs only at DEBUG.
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
