//! The contract with the audio processor: a payload of PCM as request, an [`Answer`] or [`Refusal`]
//! as response.
//!
//! A chunk is delivered at least once and accepted exactly once. The processor stores the number of
//! samples it has accepted (`nextSample`) and the newest `epoch` of the sender. The sender
//! synchronizes with this state through [`Answer`] and [`Refusal`].

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::{Language, QualityTier, SessionId, StreamArn};

/// Samples per second of every payload.
pub const SAMPLE_RATE: u32 = 16_000;
/// Channels of every payload.
pub const CHANNELS: u8 = 1;
/// `schemaVersion` of the payload.
pub const SCHEMA_VERSION: &str = "1.0";

/// One or more adjacent chunks of a session's audio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioPayload {
    /// Always `process`.
    pub action: Action,
    /// The session.
    pub session_id: SessionId,
    /// The stream that the audio was read from.
    pub stream_arn: StreamArn,
    /// Epoch of the sender's lease. The processor rejects epochs older than the newest it has seen.
    pub epoch: u64,
    /// The language of the speech.
    pub source_language: Language,
    /// The target languages of the session and of its listeners, sorted.
    pub target_languages: Vec<Language>,
    /// Quality of transcription and translation.
    pub quality_tier: QualityTier,
    /// The samples in base64 (standard alphabet, padded), little-endian.
    pub audio_data: String,
    /// Always [`SAMPLE_RATE`].
    pub sample_rate: u32,
    /// Always [`CHANNELS`].
    pub channels: u8,
    /// Always `pcm_s16le`.
    pub format: SampleFormat,
    /// Always `kvs_stream_consumer`.
    pub source: Source,
    /// Number of the first chunk: `startSample / (CHUNK_MS × 16)`.
    pub sequence: u64,
    /// Number of adjacent chunks in this payload.
    pub chunk_count: u32,
    /// Position of the first sample in the session, in samples of 1/16 ms.
    pub start_sample: u64,
    /// Number of samples in `audioData`.
    pub sample_count: u64,
    /// Number of synthesized samples that fill short gaps.
    pub filled_samples: u64,
    /// Samples skipped right before `startSample`, because the gap was too long to fill.
    pub gap_samples: u64,
    /// Time at which the first sample was recorded, by the producer's clock, Unix ms.
    pub producer_timestamp: u64,
    /// Number of the stream's fragment that contains the last sample.
    pub fragment_number: String,
    /// Whether this is the last payload of the session; it may contain no samples.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// [`SCHEMA_VERSION`] of the sender.
    pub schema_version: Cow<'static, str>,
}

/// Operation requested from the processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Process the audio.
    #[default]
    Process,
}

/// Encoding of the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SampleFormat {
    /// Signed 16-bit integers, little-endian.
    #[default]
    #[serde(rename = "pcm_s16le")]
    PcmS16le,
}

/// Sender of the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The consumer of KVS streams.
    #[default]
    KvsStreamConsumer,
}

/// A payload that violates the contract. A retry returns the same error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The sample rate or channel count differs from the contract.
    #[error(
        "expected {SAMPLE_RATE} Hz and {CHANNELS} channel, found {sample_rate} Hz and {channels}"
    )]
    Format {
        /// `sampleRate` of the payload.
        sample_rate: u32,
        /// `channels` of the payload.
        channels: u8,
    },
    /// The major version is not supported.
    #[error("unsupported schemaVersion; this reader supports 1.x")]
    UnsupportedVersion,
    /// The length of `audioData` does not match `sampleCount`.
    #[error("audioData of {found} base64 characters, but sampleCount {samples} needs {expected}")]
    Length {
        /// `sampleCount` of the payload.
        samples: u64,
        /// Base64 characters required for that many samples.
        expected: u64,
        /// Base64 characters found.
        found: u64,
    },
    /// The payload has no samples and is not final.
    #[error("a payload without samples must be final")]
    Empty,
}

impl AudioPayload {
    /// Checks what the types do not enforce: sample rate, channels, version, and that the length of
    /// `audioData` matches `sampleCount`. Does not decode `audioData`.
    ///
    /// # Errors
    /// Returns the first violation found.
    pub fn check(&self) -> Result<(), PayloadError> {
        if (self.sample_rate, self.channels) != (SAMPLE_RATE, CHANNELS) {
            let (sample_rate, channels) = (self.sample_rate, self.channels);
            return Err(PayloadError::Format { sample_rate, channels });
        }
        if self.schema_version.split('.').next() != Some("1") {
            return Err(PayloadError::UnsupportedVersion);
        }
        let (samples, found) = (self.sample_count, self.audio_data.len() as u64);
        let expected = samples.saturating_mul(2).div_ceil(3).saturating_mul(4);
        if expected != found {
            return Err(PayloadError::Length { samples, expected, found });
        }
        if samples == 0 && !self.is_final { Err(PayloadError::Empty) } else { Ok(()) }
    }
}

/// The response to a payload that the processor has accepted, now or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Whether the processor now has all samples up to the end of the payload.
    pub accepted: bool,
    /// Position of the first sample that the processor does not have; the sender continues there.
    pub next_sample: u64,
    /// Whether it already had all of them.
    pub duplicate: bool,
}

/// Why the processor rejected a payload, returned as a FunctionError.
///
/// Lambda reports it as `{"errorType": …, "errorMessage": …}`; see [`Refusal::error_type`].
/// Values that the sender needs follow as a JSON object at the end of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A newer lease holder has already delivered. The sender must stop.
    StaleEpoch {
        /// The newest epoch seen.
        epoch: u64,
    },
    /// Samples before this payload are missing. The sender must resume at `next_sample`.
    OutOfOrder {
        /// Position of the first sample that the processor does not have.
        next_sample: u64,
    },
    /// The payload violates the contract. A retry cannot succeed.
    InvalidPayload {
        /// The violation.
        reason: String,
    },
}

impl Refusal {
    /// The `errorType` of [`Refusal::StaleEpoch`].
    pub const STALE_EPOCH: &'static str = "StaleEpoch";
    /// The `errorType` of [`Refusal::OutOfOrder`].
    pub const OUT_OF_ORDER: &'static str = "OutOfOrder";
    /// The `errorType` of [`Refusal::InvalidPayload`].
    pub const INVALID_PAYLOAD: &'static str = "InvalidPayload";

    /// Returns Lambda's `errorType`.
    #[must_use]
    pub const fn error_type(&self) -> &'static str {
        match self {
            Self::StaleEpoch { .. } => Self::STALE_EPOCH,
            Self::OutOfOrder { .. } => Self::OUT_OF_ORDER,
            Self::InvalidPayload { .. } => Self::INVALID_PAYLOAD,
        }
    }

    /// Parses a FunctionError. Returns `None` if it is not a refusal: the function crashed or timed
    /// out, or the processor does not implement this contract.
    #[must_use]
    pub fn from_function_error(error_type: &str, error_message: &str) -> Option<Self> {
        let number = |name: &str| {
            let object = &error_message[error_message.rfind('{')?..];
            serde_json::from_str::<serde_json::Value>(object).ok()?.get(name)?.as_u64()
        };
        match error_type {
            Self::STALE_EPOCH => Some(Self::StaleEpoch { epoch: number("epoch").unwrap_or(0) }),
            Self::OUT_OF_ORDER => Some(Self::OutOfOrder { next_sample: number("nextSample")? }),
            Self::INVALID_PAYLOAD => {
                let prefix = format!("{}: ", Self::INVALID_PAYLOAD);
                let reason = error_message.strip_prefix(&prefix).unwrap_or(error_message);
                Some(Self::InvalidPayload { reason: reason.to_owned() })
            }
            _ => None,
        }
    }
}

/// Formats Lambda's `errorMessage`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error_type = self.error_type();
        match self {
            Self::StaleEpoch { epoch } => {
                write!(f, "{error_type}: a newer sender has taken over {{\"epoch\":{epoch}}}")
            }
            Self::OutOfOrder { next_sample } => {
                write!(f, "{error_type}: samples are missing {{\"nextSample\":{next_sample}}}")
            }
            Self::InvalidPayload { reason } => write!(f, "{error_type}: {reason}"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn payload() -> AudioPayload {
        AudioPayload {
            action: Action::Process,
            session_id: "blessed-shepherd-123".parse().unwrap(),
            stream_arn: "arn:aws:kinesisvideo:us-east-1:1:stream/session-blessed-shepherd-123/17"
                .parse()
                .unwrap(),
            epoch: 3,
            source_language: Language::ENGLISH,
            target_languages: vec!["de".parse().unwrap()],
            quality_tier: QualityTier::Standard,
            audio_data: "AAABAAIA".to_owned(),
            sample_rate: SAMPLE_RATE,
            channels: CHANNELS,
            format: SampleFormat::PcmS16le,
            source: Source::KvsStreamConsumer,
            sequence: 2,
            chunk_count: 1,
            start_sample: 16_000,
            sample_count: 3,
            filled_samples: 0,
            gap_samples: 0,
            producer_timestamp: 1_732_540_620_000,
            fragment_number: "91343852333181432392682062607743920146264212711".to_owned(),
            is_final: false,
            schema_version: SCHEMA_VERSION.into(),
        }
    }

    #[test]
    fn has_exactly_the_fields_of_the_contract() {
        assert_eq!(
            serde_json::to_value(payload()).unwrap(),
            json!({
                "action": "process",
                "sessionId": "blessed-shepherd-123",
                "streamArn": "arn:aws:kinesisvideo:us-east-1:1:stream/session-blessed-shepherd-123/17",
                "epoch": 3,
                "sourceLanguage": "en",
                "targetLanguages": ["de"],
                "qualityTier": "standard",
                "audioData": "AAABAAIA",
                "sampleRate": 16000,
                "channels": 1,
                "format": "pcm_s16le",
                "source": "kvs_stream_consumer",
                "sequence": 2,
                "chunkCount": 1,
                "startSample": 16000,
                "sampleCount": 3,
                "filledSamples": 0,
                "gapSamples": 0,
                "producerTimestamp": 1_732_540_620_000_u64,
                "fragmentNumber": "91343852333181432392682062607743920146264212711",
                "final": false,
                "schemaVersion": "1.0",
            })
        );
        let answer = Answer { accepted: true, next_sample: 16_003, duplicate: false };
        assert_eq!(
            serde_json::to_value(answer).unwrap(),
            json!({"accepted": true, "nextSample": 16003, "duplicate": false})
        );
    }

    #[test]
    fn what_is_written_is_read_back_and_obeys_the_contract() {
        let text = serde_json::to_string(&payload()).unwrap();
        let read: AudioPayload = serde_json::from_str(&text).unwrap();
        assert_eq!(read, payload());
        assert_eq!(read.check(), Ok(()));
    }

    #[test]
    fn breaking_a_rule_is_a_typed_error() {
        let check = |change: fn(&mut AudioPayload)| {
            let mut payload = payload();
            change(&mut payload);
            payload.check()
        };
        assert!(matches!(check(|p| p.sample_rate = 8_000), Err(PayloadError::Format { .. })));
        assert!(matches!(check(|p| p.channels = 2), Err(PayloadError::Format { .. })));
        assert_eq!(
            check(|p| p.schema_version = "2.0".into()),
            Err(PayloadError::UnsupportedVersion)
        );
        assert!(matches!(check(|p| p.sample_count = 4), Err(PayloadError::Length { .. })));
        assert!(matches!(check(|p| p.sample_count = u64::MAX), Err(PayloadError::Length { .. })));
        let empty = |p: &mut AudioPayload| {
            p.sample_count = 0;
            p.audio_data.clear();
        };
        assert_eq!(check(empty), Err(PayloadError::Empty));
        let mut last = payload();
        empty(&mut last);
        last.is_final = true;
        assert_eq!(last.check(), Ok(()));
    }

    #[test]
    fn an_error_of_another_kind_is_not_a_refusal() {
        for (error_type, message) in [
            ("Sandbox.Timedout", "Task timed out after 3.00 seconds"),
            ("OutOfOrder", "OutOfOrder: without the position"),
            ("OutOfOrder", "OutOfOrder: {\"nextSample\":-1}"),
            ("", ""),
        ] {
            assert_eq!(Refusal::from_function_error(error_type, message), None, "{message}");
        }
    }

    proptest! {
        #[test]
        fn a_refusal_is_read_from_its_error(number in any::<u64>(), reason in "\\PC{0,40}") {
            for refusal in [
                Refusal::StaleEpoch { epoch: number },
                Refusal::OutOfOrder { next_sample: number },
                Refusal::InvalidPayload { reason },
            ] {
                let read = Refusal::from_function_error(refusal.error_type(), &refusal.to_string());
                prop_assert_eq!(read, Some(refusal));
            }
        }
    }
}
