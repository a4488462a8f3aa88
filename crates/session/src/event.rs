//! The `Session Status Change` event, which the session API emits for the rest of the system.
//!
//! The contract is the external specification, "EventBridge Event Schema" and "Event Field
//! Definitions", with three optional additions: `streamArn`, `schemaVersion` and `eventId`.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{ChannelArn, Language, QualityTier, Session, SessionId, Settings, StreamArn};

/// `source` of the event.
pub const SOURCE: &str = "session-management";
/// `detail-type` of the event.
pub const DETAIL_TYPE: &str = "Session Status Change";
/// `detail-type` of the event by which a run on a worker starts the next one
/// (`events/session-continuation.schema.json`).
pub const CONTINUATION: &str = "Session Continuation";
/// `schemaVersion` that this crate writes. It accepts every version with the same major number.
pub const SCHEMA_VERSION: &str = "1.0";

/// Maximum length of `speakerId`, in characters: the limit of a JWT's `sub` (OpenID Connect Core,
/// section 2).
pub const MAX_SPEAKER_ID: usize = 255;
/// Maximum length of `eventId`, in characters. This system writes UUIDs of 36 characters.
pub const MAX_EVENT_ID: usize = 256;
/// Maximum length of `schemaVersion`, in bytes: major number 1, a point and a minor number of nine
/// digits.
const MAX_SCHEMA_VERSION: usize = 11;

/// State change of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventStatus {
    /// The session accepts speech. The consumer starts.
    Active,
    /// The session has ended. The consumer delivers the remaining audio and stops.
    Ended,
}

impl EventStatus {
    /// Returns the status as written in the event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Ended => "ENDED",
        }
    }
}

/// The event's `detail`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusChange {
    /// The session.
    pub session_id: SessionId,
    /// The state change.
    pub status: EventStatus,
    /// The signaling channel. GetMedia does not accept this ARN.
    pub channel_arn: ChannelArn,
    /// The stream. Absent in events of writers that implement the specification only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_arn: Option<StreamArn>,
    /// The language of the speech.
    pub source_language: Language,
    /// The requested target languages, without duplicates. Written with ACTIVE only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_languages: Option<Vec<Language>>,
    /// Quality of transcription and translation. Written with ACTIVE only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_tier: Option<QualityTier>,
    /// The speaker. Written with ACTIVE only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaker_id: Option<String>,
    /// Time of the change by the writer's clock, Unix ms. Informational: must not be compared with
    /// another clock.
    #[serde(rename = "timestamp")]
    pub timestamp_ms: u64,
    /// `MAJOR.MINOR`. Defaults to `1.0` if absent.
    pub schema_version: String,
    /// Identical in every copy of one event, so that readers can detect duplicates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
}

/// The detail is not a valid [`StatusChange`]. A retry returns the same error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The detail is not a JSON object.
    #[error("the event's detail is not a JSON object")]
    NotAnObject,
    /// A required field is absent.
    #[error("the event has no `{field}`")]
    Missing {
        /// Name of the field.
        field: &'static str,
    },
    /// A field has an invalid value.
    #[error("the event's `{field}` is malformed: {reason}")]
    Malformed {
        /// Name of the field.
        field: &'static str,
        /// The expected value.
        reason: &'static str,
    },
    /// The event has a major version that is not supported.
    #[error("the event's schemaVersion has major number {major}; this reader supports 1")]
    UnsupportedVersion {
        /// The major number found.
        major: u64,
    },
}

impl StatusChange {
    /// Parses an event's `detail`. Unknown fields are ignored.
    ///
    /// # Errors
    /// Returns an error if a required field is missing, a field is malformed or the major version
    /// is not supported.
    pub fn from_detail(detail: &Value) -> Result<Self, EventError> {
        let fields = Fields(detail.as_object().ok_or(EventError::NotAnObject)?);
        // Checked first, because another major version may redefine the other fields.
        let schema_version = fields.schema_version()?;
        Ok(Self {
            session_id: fields.required("sessionId", "expected adjective-noun-number")?,
            status: fields.required("status", "expected ACTIVE or ENDED")?,
            channel_arn: fields.required("channelArn", "expected the ARN of a KVS channel")?,
            stream_arn: fields.optional("streamArn", "expected the ARN of a KVS stream")?,
            source_language: fields.required("sourceLanguage", "expected a known code")?,
            target_languages: fields.target_languages()?,
            quality_tier: fields.optional("qualityTier", "expected standard or premium")?,
            speaker_id: fields.text(
                "speakerId",
                MAX_SPEAKER_ID,
                "expected 255 characters at most",
            )?,
            timestamp_ms: fields.timestamp()?,
            schema_version,
            event_id: fields.text("eventId", MAX_EVENT_ID, "expected 256 characters at most")?,
        })
    }

    /// Returns the settings for a consumer of a session without a record.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            source_language: self.source_language,
            quality_tier: self.quality_tier.unwrap_or_default(),
            target_languages: self.target_languages.clone().unwrap_or_default(),
            version: Session::FIRST_VERSION,
        }
    }

    /// Serializes the event's `detail`: the fields that the specification defines for its status,
    /// and the additions of this system.
    #[must_use]
    pub fn to_detail(&self) -> Value {
        json!(self)
    }
}

/// The fields of a detail. An explicit `null` counts as absent, because some writers send it for
/// absent fields.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn optional<T: DeserializeOwned>(
        &self,
        field: &'static str,
        reason: &'static str,
    ) -> Result<Option<T>, EventError> {
        let value = self.get(field).map(T::deserialize).transpose();
        value.map_err(|_| EventError::Malformed { field, reason })
    }

    fn required<T: DeserializeOwned>(
        &self,
        field: &'static str,
        reason: &'static str,
    ) -> Result<T, EventError> {
        self.optional(field, reason)?.ok_or(EventError::Missing { field })
    }

    /// Returns a text of at most `most` characters, counted in Unicode code points as JSON Schema
    /// does.
    fn text(
        &self,
        field: &'static str,
        most: usize,
        reason: &'static str,
    ) -> Result<Option<String>, EventError> {
        let text: Option<String> = self.optional(field, reason)?;
        let fits = text.as_ref().is_none_or(|text| text.chars().count() <= most);
        if fits { Ok(text) } else { Err(EventError::Malformed { field, reason }) }
    }

    fn schema_version(&self) -> Result<String, EventError> {
        let field = "schemaVersion";
        let malformed = EventError::Malformed { field, reason: "expected MAJOR.MINOR" };
        let version: String = self
            .optional(field, "expected MAJOR.MINOR")?
            .unwrap_or_else(|| SCHEMA_VERSION.to_owned());
        if version.len() > MAX_SCHEMA_VERSION {
            return Err(malformed);
        }
        let number = |text: &str| text.parse::<u64>().ok();
        let (major, minor) = version.split_once('.').ok_or(malformed.clone())?;
        let (Some(major), Some(_)) = (number(major), number(minor)) else {
            return Err(malformed);
        };
        if major == 1 { Ok(version) } else { Err(EventError::UnsupportedVersion { major }) }
    }

    /// Returns the target languages without duplicates.
    fn target_languages(&self) -> Result<Option<Vec<Language>>, EventError> {
        let languages: Option<Vec<Language>> =
            self.optional("targetLanguages", "expected a list of known codes")?;
        Ok(languages.map(|languages| {
            let mut distinct = Vec::new();
            for language in languages {
                if !distinct.contains(&language) {
                    distinct.push(language);
                }
            }
            distinct
        }))
    }

    fn timestamp(&self) -> Result<u64, EventError> {
        let field = "timestamp";
        let value = self.get(field).ok_or(EventError::Missing { field })?;
        let number = value.as_u64().or_else(|| whole(value.as_f64()?));
        number.ok_or(EventError::Malformed { field, reason: "expected Unix milliseconds" })
    }
}

/// Converts a whole number written as `7.0` or `7e3`. JSON Schema treats these as integers, and
/// some writers support only floating-point numbers.
fn whole(number: f64) -> Option<u64> {
    let fits = number.fract() == 0.0 && (0.0..TWO_TO_THE_64).contains(&number);
    fits.then_some(number as u64)
}

/// The smallest number above [`u64::MAX`].
const TWO_TO_THE_64: f64 = 18_446_744_073_709_551_616.0;

#[cfg(test)]
mod tests;
