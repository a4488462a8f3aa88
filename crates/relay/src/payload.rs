//! Builds the payload of one delivery attempt.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use session::audio::{self, AudioPayload};
use session::{Language, QualityTier, SessionId, StreamArn};

use crate::chunker::Chunk;
use crate::context::RunContext;
use crate::lease_view::LeaseView;
use crate::polling::ListenerLanguages;
use crate::ports::Ports;
use crate::progress::Progress;
use crate::queue::Queued;

/// Builds the payloads of one run.
pub(crate) struct PayloadBuilder<'a> {
    session_id: &'a SessionId,
    stream_arn: &'a StreamArn,
    epoch: u64,
    lease: &'a LeaseView,
    languages: &'a ListenerLanguages,
}

impl<'a> PayloadBuilder<'a> {
    pub(crate) fn new<P: Ports>(
        ctx: &'a RunContext<'_, P>,
        epoch: u64,
        lease: &'a LeaseView,
        languages: &'a ListenerLanguages,
    ) -> Self {
        let (session_id, stream_arn) = (&ctx.session_id, &ctx.stream_arn);
        Self { session_id, stream_arn, epoch, lease, languages }
    }

    /// Returns the payload with adjacent chunks.
    pub(crate) fn build(&self, batch: &[Queued], progress: &Progress) -> AudioPayload {
        let chunks = || batch.iter().map(|queued| &queued.chunk);
        let first = chunks().next();
        let last = chunks().next_back();
        let start = first.map_or(0, |chunk| chunk.start);
        let settings = self.lease.desired().settings.clone();
        let mut targets: Vec<Language> = self.languages.get();
        targets.extend(settings.iter().flat_map(|settings| &settings.target_languages));
        targets.sort_unstable();
        targets.dedup();
        AudioPayload {
            action: audio::Action::Process,
            session_id: self.session_id.clone(),
            stream_arn: self.stream_arn.clone(),
            epoch: self.epoch,
            source_language: settings.as_ref().map_or(Language::ENGLISH, |s| s.source_language),
            target_languages: targets,
            quality_tier: settings.as_ref().map_or(QualityTier::Standard, |s| s.quality_tier),
            audio_data: encode(chunks()),
            sample_rate: audio::SAMPLE_RATE,
            channels: audio::CHANNELS,
            format: audio::Format::PcmS16le,
            source: audio::Source::KvsStreamConsumer,
            sequence: start / progress.chunk_samples(),
            chunk_count: u32::try_from(batch.len()).unwrap_or(u32::MAX),
            start_sample: start,
            sample_count: chunks().map(|chunk| chunk.samples.len() as u64).sum(),
            filled_samples: chunks().map(|chunk| chunk.filled).sum(),
            gap_samples: start.saturating_sub(progress.state().acknowledged),
            producer_timestamp: first.map_or(0, |chunk| chunk.producer_ms),
            fragment_number: last
                .and_then(|chunk| chunk.fragment.as_ref())
                .map(ToString::to_string)
                .unwrap_or_default(),
            is_final: last.is_some_and(|chunk| chunk.last),
            schema_version: audio::SCHEMA_VERSION.into(),
        }
    }
}

/// Returns the samples as base64 of 16-bit little-endian PCM.
fn encode<'a>(chunks: impl Iterator<Item = &'a Chunk> + Clone) -> String {
    let count: usize = chunks.clone().map(|chunk| chunk.samples.len()).sum();
    let mut bytes = Vec::with_capacity(count * 2);
    for sample in chunks.flat_map(|chunk| &chunk.samples) {
        bytes.extend_from_slice(&sample.to_le_bytes());
    }
    STANDARD.encode(bytes)
}
