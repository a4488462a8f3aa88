//! Parses payloads into samples: all checks that do not depend on the session's state.
//!
//! These checks fail permanently (`InvalidPayload`): a retry returns the same error, so the sender
//! moves the payload to its dead-letter queue and continues.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use session::SessionId;
use session::audio::{AudioPayload, Refusal};

/// Maximum number of samples per payload: what fits in base64 into the 6 MB of a synchronous
/// invocation.
pub const MAX_SAMPLES: u64 = 6 * 1024 * 1024 / 8 * 3;

/// Maximum position of a sample: two years of speech. Larger numbers are rejected before any memory
/// or disk space is used for them.
pub const MAX_POSITION: u64 = 1 << 40;

/// Maximum length of a returned reason, in bytes: enough to identify the error without filling the
/// logs.
const MAX_REASON: usize = 240;

/// A valid payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The session.
    pub session: SessionId,
    /// Epoch of the sender's lease.
    pub epoch: u64,
    /// Position of the first sample.
    pub start: u64,
    /// Number of samples that the sender skipped directly before `start`.
    pub gap: u64,
    /// Number of samples that the sender synthesized.
    pub filled: u64,
    /// The samples.
    pub samples: Vec<i16>,
    /// Whether this is the last chunk of the session.
    pub is_final: bool,
}

impl Chunk {
    /// Parses and checks a payload.
    ///
    /// # Errors
    /// [`Refusal::InvalidPayload`] with the first violation found.
    pub fn check(payload: Value) -> Result<Self, Refusal> {
        let payload: AudioPayload =
            serde_json::from_value(payload).map_err(|error| invalid(error.to_string()))?;
        payload.check().map_err(|error| invalid(error.to_string()))?;
        check_ranges(&payload)?;
        let bytes = STANDARD
            .decode(&payload.audio_data)
            .map_err(|error| invalid(format!("audioData is not base64: {error}")))?;
        let (pairs, odd) = bytes.as_chunks::<2>();
        if !odd.is_empty() || pairs.len() as u64 != payload.sample_count {
            return Err(invalid(format!(
                "audioData holds {} bytes, but sampleCount {} needs {}",
                bytes.len(),
                payload.sample_count,
                payload.sample_count * 2
            )));
        }
        Ok(Self {
            session: payload.session_id,
            epoch: payload.epoch,
            start: payload.start_sample,
            gap: payload.gap_samples,
            filled: payload.filled_samples,
            samples: pairs.iter().copied().map(i16::from_le_bytes).collect(),
            is_final: payload.is_final,
        })
    }

    /// Returns the position after the last sample.
    pub fn end(&self) -> u64 {
        self.start + self.samples.len() as u64
    }

    /// Returns the samples from a position on; empty if all are before it.
    pub fn samples_from(&self, position: u64) -> &[i16] {
        let skip = usize::try_from(position.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.samples.get(skip..).unwrap_or_default()
    }
}

/// Checks the ranges of the numbers, before any decoding or arithmetic.
fn check_ranges(payload: &AudioPayload) -> Result<(), Refusal> {
    let at_most = |name: &str, value: u64, limit: u64| match value <= limit {
        true => Ok(()),
        false => Err(invalid(format!("{name} {value} is more than {limit}"))),
    };
    at_most("sampleCount", payload.sample_count, MAX_SAMPLES)?;
    at_most("startSample", payload.start_sample, MAX_POSITION)?;
    at_most("gapSamples", payload.gap_samples, payload.start_sample)?;
    at_most("filledSamples", payload.filled_samples, payload.sample_count)
}

fn invalid(mut reason: String) -> Refusal {
    if reason.len() > MAX_REASON {
        reason.truncate(reason.floor_char_boundary(MAX_REASON));
        reason.push('…');
    }
    Refusal::InvalidPayload { reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SAMPLE: &str = include_str!("../../../events/audio-processor.process.json");

    fn payload() -> Value {
        serde_json::from_str(SAMPLE).unwrap()
    }

    fn refused(field: &str, value: Value) -> String {
        let mut payload = payload();
        payload[field] = value;
        match Chunk::check(payload) {
            Err(refusal @ Refusal::InvalidPayload { .. }) => refusal.to_string(),
            other => panic!("{field}: {other:?}"),
        }
    }

    #[test]
    fn the_sample_event_is_a_chunk() {
        let chunk = Chunk::check(payload()).unwrap();
        assert_eq!((chunk.start, chunk.end(), chunk.epoch), (0, 160, 1));
        assert_eq!(chunk.samples[0], 0);
        assert_eq!(chunk.samples_from(150).len(), 10);
        assert!(chunk.samples_from(161).is_empty());
    }

    #[test]
    fn each_broken_rule_is_named() {
        let sample_text = payload()["audioData"].as_str().unwrap().to_owned();
        assert!(refused("audioData", json!("!".repeat(sample_text.len()))).contains("base64"));
        assert!(refused("sampleCount", json!(161)).contains("sampleCount"));
        assert!(refused("sampleRate", json!(8000)).contains("8000 Hz"));
        assert!(refused("channels", json!(2)).contains("2"));
        assert!(refused("format", json!("mp3")).contains("mp3"));
        assert!(refused("schemaVersion", json!("2.0")).contains("schemaVersion"));
        assert!(refused("startSample", json!(-1)).contains("-1"));
        assert!(refused("startSample", json!(u64::MAX)).contains("startSample"));
        assert!(refused("gapSamples", json!(1)).contains("gapSamples"));
        assert!(refused("filledSamples", json!(161)).contains("filledSamples"));
        assert!(refused("sampleCount", json!(u64::MAX)).contains("sampleCount"));
        assert!(refused("sessionId", json!("No Such Id")).contains("adjective-noun-number"));
    }

    #[test]
    fn an_odd_number_of_bytes_is_refused_even_when_the_length_in_base64_fits() {
        let mut payload = payload();
        // 4 characters encode 2 bytes (one sample) with one `=`, and 1 byte with two.
        payload["sampleCount"] = json!(1);
        payload["audioData"] = json!("AA==");
        assert!(Chunk::check(payload).unwrap_err().to_string().contains("holds 1 bytes"));
    }

    #[test]
    fn a_reason_never_fills_the_log() {
        assert!(refused("format", json!("é".repeat(5000))).len() < 300);
    }

    #[test]
    fn what_is_no_payload_at_all_is_refused_too() {
        for value in [json!(null), json!([]), json!({"action": "process"}), json!({"action": "x"})]
        {
            assert!(matches!(Chunk::check(value), Err(Refusal::InvalidPayload { .. })));
        }
    }
}
