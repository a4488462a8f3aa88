//! Builds the payload of one delivery attempt.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use session::Language;
use session::audio::{self, AudioPayload};

use crate::chunker::Chunk;
use crate::ports::Ports;
use crate::progress::Progress;
use crate::queue::Queued;
use crate::run_state::RunState;

/// Returns the payload of `epoch` with adjacent chunks.
pub(crate) fn payload<P: Ports>(
    run: &RunState<'_, P>,
    epoch: u64,
    batch: &[Queued],
    progress: &Progress,
) -> AudioPayload {
    let chunks = || batch.iter().map(|queued| &queued.chunk);
    let first = chunks().next();
    let last = chunks().next_back();
    let start = first.map_or(0, |chunk| chunk.start);
    let fragment = last.and_then(|chunk| chunk.fragment.as_ref());
    let settings = run.lease.desired().settings.clone();
    let mut targets: Vec<Language> = run.languages.lock().clone();
    targets.extend(settings.iter().flat_map(|settings| &settings.target_languages));
    targets.sort_unstable();
    targets.dedup();
    AudioPayload {
        action: audio::Action::Process,
        session_id: run.ctx.session_id.clone(),
        stream_arn: run.ctx.stream_arn.clone(),
        epoch,
        source_language: settings.as_ref().map_or(Language::ENGLISH, |s| s.source_language),
        target_languages: targets,
        quality_tier: settings.map(|settings| settings.quality_tier).unwrap_or_default(),
        audio_data: encode(chunks()),
        sample_rate: audio::SAMPLE_RATE,
        channels: audio::CHANNELS,
        format: audio::SampleFormat::PcmS16le,
        source: audio::Source::KvsStreamConsumer,
        sequence: start / progress.chunk_samples(),
        chunk_count: u32::try_from(batch.len()).unwrap_or(u32::MAX),
        start_sample: start,
        sample_count: chunks().map(|chunk| chunk.samples.len() as u64).sum(),
        filled_samples: chunks().map(|chunk| chunk.filled).sum(),
        gap_samples: start.saturating_sub(progress.settled().acknowledged),
        producer_timestamp: first.map_or(0, |chunk| chunk.producer_ms),
        fragment_number: fragment.map(ToString::to_string).unwrap_or_default(),
        is_final: last.is_some_and(|chunk| chunk.last),
        schema_version: audio::SCHEMA_VERSION.into(),
    }
}

/// Returns the samples as base64 of 16-bit little-endian PCM.
fn encode<'a>(chunks: impl Iterator<Item = &'a Chunk> + Clone) -> String {
    let count: usize = chunks.clone().map(|chunk| chunk.samples.len()).sum();
    let mut bytes = vec![0; count * 2];
    let samples = chunks.flat_map(|chunk| &chunk.samples);
    for (pair, sample) in bytes.chunks_exact_mut(2).zip(samples) {
        pair.copy_from_slice(&sample.to_le_bytes());
    }
    STANDARD.encode(bytes)
}
