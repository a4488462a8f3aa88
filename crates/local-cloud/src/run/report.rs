//! The report of a run, and its defects.

use std::path::PathBuf;

use serde::Serialize;

use super::counted::Counted;
use local_aws::delivery_stats::{DeliveryStats, Latency};
use local_aws::recogniser::Words;
use producer::Pace;

/// The report of a run: what the speaker sent, and what the audio processor accepted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The session.
    pub session_id: String,
    /// Samples at 16 kHz in the recording, after its pre-skip.
    pub samples_expected: u64,
    /// Distinct samples that the processor accepted.
    pub samples_delivered: u64,
    /// Expected samples that it did not accept. Filled samples do not replace them.
    pub samples_lost: u64,
    /// Samples accepted twice.
    pub samples_duplicated: u64,
    /// Samples offered twice.
    pub offered_twice: u64,
    /// Samples that fill gaps.
    pub filled_samples: u64,
    /// Samples that were not delivered, by reason.
    #[serde(flatten)]
    pub counted: Counted,
    /// Chunks accepted.
    pub chunks: u64,
    /// Deliveries that failed and were repeated.
    pub failed_deliveries: u64,
    /// Error of the last failed delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// From the arrival of a chunk's last sample to its invocation, in real ms.
    pub delivery_latency_ms: Latency,
    /// From the answer to DELETE to the acceptance of the final chunk, in real ms; absent if there
    /// was no final chunk.
    pub stop_ms: Option<u64>,
    /// The audio that the processor wrote; absent if there is none.
    pub wav: Option<PathBuf>,
    /// Samples in it.
    pub wav_samples: u64,
    /// Whether the processor writes a WAV; one of the user's own need not.
    #[serde(skip)]
    pub writes_wav: bool,
    /// The recognised words.
    pub words: Words,
    /// The recording.
    pub media: PathBuf,
    /// How many times as fast as real time it was sent.
    pub speed: f64,
    /// Length of its fragments, ms: audio arrives in steps of about this length.
    pub fragment_ms: u64,
    /// Whether each was sent when it was complete, and not block by block.
    pub whole_fragments: bool,
    /// How many times as fast as the real clock the cloud ran.
    pub time_scale: f64,
}

impl Report {
    /// Creates a report from the statistics of a session whose DELETE was answered at `deleted_us`.
    pub(super) fn new(
        stats: &DeliveryStats,
        samples_expected: u64,
        deleted_us: u64,
        media: PathBuf,
        pace: Pace,
        time_scale: f64,
    ) -> Self {
        let real = stats.samples_delivered.saturating_sub(stats.filled_samples);
        Self {
            session_id: stats.session_id.clone(),
            samples_expected,
            samples_delivered: stats.samples_delivered,
            samples_lost: samples_expected.saturating_sub(real),
            samples_duplicated: stats.samples_duplicated,
            offered_twice: stats.offered_twice,
            filled_samples: stats.filled_samples,
            counted: Counted::default(),
            chunks: stats.chunks,
            failed_deliveries: stats.failed_deliveries,
            last_failure: stats.last_failure.clone(),
            delivery_latency_ms: stats.delivery_latency_ms.unwrap_or_default(),
            stop_ms: stats
                .final_accepted_us
                .map(|accepted| accepted.saturating_sub(deleted_us) / 1000),
            wav: None,
            wav_samples: 0,
            writes_wav: true,
            words: Words::absent(),
            media,
            speed: pace.speed,
            fragment_ms: pace.fragment_ms,
            whole_fragments: pace.whole_fragments,
            time_scale,
        }
    }

    /// Returns the defects; none if every sample was accepted once and the session was closed.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.chunks == 0 && self.failed_deliveries > 0 {
            faults.push("the processor accepted nothing".to_owned());
        }
        if self.samples_lost > 0 && self.failed_deliveries > 0 {
            let last = self.last_failure.as_deref().unwrap_or("no answer");
            let failed = self.failed_deliveries;
            faults.push(format!("failed deliveries: {failed}, the last with {last}"));
        }
        if self.counted.dead_lettered_chunks > 0 {
            let chunks = self.counted.dead_lettered_chunks;
            faults.push(format!("the processor rejected {chunks} chunks, which are in chunk-dlq"));
        }
        if self.samples_lost > 0 {
            faults.push(format!(
                "{} of {} samples did not arrive",
                self.samples_lost, self.samples_expected
            ));
        }
        if self.samples_lost > 0 && self.time_scale > 1.0 {
            let scale = self.time_scale;
            faults.push(format!(
                "every deadline was {scale} times as short as on AWS: try a smaller --time-scale"
            ));
        }
        if self.samples_delivered > self.samples_expected + self.filled_samples {
            faults.push(format!(
                "{} samples arrived, more than the {} that were spoken",
                self.samples_delivered, self.samples_expected
            ));
        }
        if self.samples_duplicated > 0 {
            faults.push(format!("{} samples were accepted twice", self.samples_duplicated));
        }
        if self.stop_ms.is_none() {
            faults.push("no final chunk was accepted".to_owned());
        }
        if self.writes_wav && self.wav_samples < self.samples_delivered {
            faults.push(format!(
                "the WAV holds {} of {} samples",
                self.wav_samples, self.samples_delivered
            ));
        }
        faults
    }
}

/// Returns the number of samples in a mono 16-bit WAV, from the size of its data chunk; 0 if it is
/// not a WAV file.
pub(super) fn wav_samples(wav: &[u8]) -> u64 {
    let mut rest = wav.get(12..).unwrap_or_default();
    if !wav.starts_with(b"RIFF") {
        return 0;
    }
    while let Some((head, body)) = rest.split_at_checked(8) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if &head[..4] == b"data" {
            return size.min(body.len()) as u64 / 2;
        }
        rest = body.get(size + size % 2..).unwrap_or_default();
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(delivered: u64, filled: u64) -> Report {
        let stats = DeliveryStats {
            session_id: "a-b-1".into(),
            samples_delivered: delivered,
            filled_samples: filled,
            final_accepted_us: Some(5_000_000),
            ..DeliveryStats::default()
        };
        let pace = Pace { speed: 1.0, fragment_ms: 2_000, whole_fragments: false };
        let mut report = Report::new(&stats, 16_000, 3_000_000, "x.mka".into(), pace, 1.0);
        report.wav_samples = delivered;
        report
    }

    #[test]
    fn only_a_whole_session_has_no_fault() {
        assert_eq!(report(16_000, 0).faults(), Vec::<String>::new());
        assert_eq!(report(16_000, 0).stop_ms, Some(2000));
        assert_eq!(report(15_999, 0).samples_lost, 1);
        assert_eq!(report(16_000, 160).samples_lost, 160);
        assert_eq!(report(16_160, 160).faults(), Vec::<String>::new());
        assert_eq!(report(16_001, 0).faults().len(), 1);
        let mut scaled = report(15_999, 0);
        scaled.time_scale = 1000.0;
        assert!(scaled.faults()[1].starts_with("every deadline was 1000 times as short"));
        let mut open = report(16_000, 0);
        open.stop_ms = None;
        open.wav_samples = 0;
        assert_eq!(open.faults().len(), 2);
        open.writes_wav = false;
        assert_eq!(open.faults().len(), 1);
    }

    #[test]
    fn a_processor_that_accepts_nothing_is_the_first_fault() {
        let mut none = report(0, 0);
        none.failed_deliveries = 5;
        none.last_failure = Some("ValueError".to_owned());
        none.counted.dead_lettered_chunks = 2;
        let faults = none.faults();
        assert_eq!(faults[0], "the processor accepted nothing");
        assert_eq!(faults[1], "failed deliveries: 5, the last with ValueError");
        assert!(faults[2].contains("2 chunks") && faults[2].contains("chunk-dlq"), "{faults:?}");
    }

    #[test]
    fn a_wav_is_measured_by_its_data() {
        let mut wav = b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0abLIST\x01\0\0\0z\0data".to_vec();
        wav.extend(8_u32.to_le_bytes());
        wav.extend([0; 6]);
        assert_eq!(wav_samples(&wav), 3);
        assert_eq!(wav_samples(b"no"), 0);
    }
}
