//! The audio of one delivery, as far as it is new.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use super::timeline::AudioPoint;
use crate::lambda::{Delivery, Outcome, SAMPLES_PER_MS};

const SAMPLE_BYTES: u64 = 2;

/// The part of a delivery that the processor has accepted and that is new.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Position of its first sample.
    start: u64,
    /// Position after its last sample; `start` if nothing is new.
    end: u64,
    /// Whether the session has no further audio.
    pub(super) is_end: bool,
}

/// Samples that go to a recogniser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Position of the first sample in the session.
    pub(super) position: u64,
    /// Number of samples.
    pub(super) count: u64,
    /// Samples of the payload before them.
    pub(super) skipped: u64,
    /// When the first sample was spoken: ms since the epoch, by the producer's clock.
    pub(super) spoken_ms: i64,
    /// The payload of the delivery.
    pub(super) payload: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Audio<'a> {
    #[serde(borrow)]
    audio_data: Cow<'a, str>,
}

impl Accepted {
    /// Returns the part of a delivery from `next_sample` on; `None` if the delivery failed.
    pub(super) fn of(delivery: &Delivery, next_sample: u64) -> Option<Self> {
        let answered = match delivery.outcome {
            Outcome::Accepted { next_sample } | Outcome::Duplicate { next_sample } => next_sample,
            Outcome::Failed { .. } => return None,
        };
        let offered = delivery.start_sample.saturating_add(delivery.sample_count);
        // The sender sends the samples again that the processor has not accepted.
        let end = answered.map_or(offered, |next| next.min(offered));
        let start = delivery.start_sample.max(next_sample);
        Some(Self { start, end: end.max(start), is_end: delivery.is_final && end == offered })
    }

    /// Returns its samples; `None` if there are none.
    pub(super) fn piece(&self, delivery: &Delivery, payload: &Bytes) -> Option<Piece> {
        let skipped = self.start - delivery.start_sample;
        let later_ms = i64::try_from(skipped / SAMPLES_PER_MS).unwrap_or(i64::MAX);
        (self.end > self.start).then(|| Piece {
            position: self.start,
            count: self.end - self.start,
            skipped,
            spoken_ms: delivery.producer_ms.saturating_add(later_ms),
            payload: payload.clone(),
        })
    }
}

impl Piece {
    /// Returns the point of its first sample.
    pub(super) fn point(&self) -> AudioPoint {
        AudioPoint { position: self.position, spoken_ms: self.spoken_ms }
    }

    /// Returns its samples, 16-bit little-endian; empty if the payload does not contain them.
    pub(super) fn pcm(&self) -> Vec<u8> {
        let Ok(audio) = serde_json::from_slice::<Audio<'_>>(&self.payload) else {
            return Vec::new();
        };
        let pcm = STANDARD.decode(audio.audio_data.as_bytes()).unwrap_or_default();
        self.bytes().and_then(|bytes| pcm.get(bytes)).unwrap_or_default().to_vec()
    }

    /// Returns the range of its samples in the PCM of the payload; `None` if no memory is so large.
    fn bytes(&self) -> Option<Range<usize>> {
        let byte = |sample: u64| usize::try_from(sample.checked_mul(SAMPLE_BYTES)?).ok();
        Some(byte(self.skipped)?..byte(self.skipped.checked_add(self.count)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A delivery of the samples 8000 to 8003.
    fn delivery(outcome: Outcome) -> Delivery {
        Delivery {
            start_sample: 8000,
            sample_count: 3,
            filled_samples: 0,
            chunk_count: 1,
            producer_ms: 1_000,
            is_final: true,
            trace: String::new(),
            received_us: 0,
            answered_us: 0,
            outcome,
        }
    }

    #[test]
    fn only_accepted_samples_that_are_new_count() {
        let accepted = |answered, next_sample| {
            let delivery = delivery(Outcome::Accepted { next_sample: answered });
            let Accepted { start, end, is_end } = Accepted::of(&delivery, next_sample).unwrap();
            (start, end, is_end)
        };
        assert_eq!(accepted(None, 0), (8000, 8003, true));
        assert_eq!(accepted(Some(8003), 8002), (8002, 8003, true));
        assert_eq!(accepted(Some(8001), 8000), (8000, 8001, false));
        assert_eq!(accepted(Some(8003), 9000), (9000, 9000, true));
        assert_eq!(accepted(Some(0), 0), (8000, 8000, false));
        let repeated = delivery(Outcome::Duplicate { next_sample: Some(8003) });
        assert!(Accepted::of(&repeated, 8003).unwrap().piece(&repeated, &Bytes::new()).is_none());
        assert_eq!(Accepted::of(&delivery(Outcome::Failed { error: String::new() }), 0), None);
    }

    #[test]
    fn a_piece_has_the_samples_of_its_place_and_their_time() {
        let payload = Bytes::from_static(br#"{"audioData": "AQACAAMA"}"#);
        let delivery = delivery(Outcome::Accepted { next_sample: None });
        let piece = Accepted::of(&delivery, 8001).unwrap().piece(&delivery, &payload).unwrap();
        assert_eq!((piece.position, piece.pcm()), (8001, vec![2, 0, 3, 0]));
        for payload in ["{}", r#"{"audioData": "AQAC"}"#, r#"{"audioData": "%"}"#] {
            let piece = Piece { payload: Bytes::from(payload), ..piece.clone() };
            assert_eq!(piece.pcm(), Vec::<u8>::new(), "{payload}");
        }
        for (skipped, count) in [(1, 3), (4, 1), (0, u64::MAX), (1, u64::MAX), (u64::MAX, 1)] {
            let piece = Piece { skipped, count, ..piece.clone() };
            assert_eq!(piece.pcm(), Vec::<u8>::new(), "{skipped} {count}");
        }
        let late = Delivery { start_sample: 7969, sample_count: 34, ..delivery };
        let piece = Accepted::of(&late, 8001).unwrap().piece(&late, &payload).unwrap();
        assert_eq!((piece.skipped, piece.spoken_ms), (32, 1_002));
    }
}
