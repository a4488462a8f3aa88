//! The `Session Status Change` event: what the session API tells the rest of the system.
//!
//! Source of the contract: `phase-3-eventbridge-integration.md`, "EventBridge Event Schema" and
//! "Event Field Definitions", with three additions that its readers may do without: `streamArn`,
//! `schemaVersion` and `eventId`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{ChannelArn, Language, QualityTier, Session, SessionId, Settings, StreamArn};

/// `source` of the event.
pub const SOURCE: &str = "session-management";
/// `detail-type` of the event.
pub const DETAIL_TYPE: &str = "Session Status Change";
/// `schemaVersion` that this crate writes. It reads every version with the same major number.
pub const SCHEMA_VERSION: &str = "1.0";

/// Longest `speakerId`, characters: a JWT's `sub` has no more (OpenID Connect Core, section 2).
pub const MAX_SPEAKER_ID: usize = 255;
/// Longest `eventId`, characters; this system's are UUIDs of 36.
pub const MAX_EVENT_ID: usize = 256;
/// Longest `schemaVersion`, bytes: the major number 1, a point, and a minor of nine digits.
const MAX_SCHEMA_VERSION: usize = 11;

/// What happened to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventStatus {
    /// The session may be spoken into: start to consume.
    Active,
    /// The session is over: deliver the rest and stop.
    Ended,
}

impl EventStatus {
    /// The status as it stands in the event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Ended => "ENDED",
        }
    }
}

/// The event's `detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The session.
    pub session_id: SessionId,
    /// What happened to it.
    pub status: EventStatus,
    /// Its signaling channel. GetMedia does not take it.
    pub channel_arn: ChannelArn,
    /// Its stream; absent in events of writers that know the specification only.
    pub stream_arn: Option<StreamArn>,
    /// The language that is spoken.
    pub source_language: Language,
    /// The languages asked for, without repeats. Written with ACTIVE only.
    pub target_languages: Vec<Language>,
    /// Quality of transcription and translation. Written with ACTIVE only.
    pub quality_tier: Option<QualityTier>,
    /// The speaker. Written with ACTIVE only.
    pub speaker_id: Option<String>,
    /// When it happened by the writer's clock, Unix ms. For people: never compare it with a clock.
    pub timestamp_ms: u64,
    /// `MAJOR.MINOR`; an event without one counts as `1.0`.
    pub schema_version: String,
    /// The same in every copy of one event, so that a reader can tell repeats.
    pub event_id: Option<String>,
}

/// A detail that is not a [`StatusChange`]. Reading it again gives the same error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The detail is no JSON object.
    #[error("the event's detail is not a JSON object")]
    NotAnObject,
    /// A required field is absent.
    #[error("the event has no `{field}`")]
    Missing {
        /// Name of the field.
        field: &'static str,
    },
    /// A field does not hold what it should.
    #[error("the event's `{field}` is malformed: {reason}")]
    Malformed {
        /// Name of the field.
        field: &'static str,
        /// What it should hold.
        reason: &'static str,
    },
    /// The event is of a major version that this reader does not know.
    #[error("the event's schemaVersion has major number {major}; this reader knows 1")]
    UnsupportedVersion {
        /// The major number found.
        major: u64,
    },
}

impl StatusChange {
    /// Reads an event's `detail`. Fields it does not know are ignored.
    ///
    /// # Errors
    /// A field that is absent or malformed, or another major version of the schema.
    pub fn from_detail(detail: &Value) -> Result<Self, EventError> {
        let fields = Fields(detail.as_object().ok_or(EventError::NotAnObject)?);
        // First of all, because another major version may mean anything by the other fields.
        let schema_version = fields.schema_version()?;
        Ok(Self {
            session_id: fields.required("sessionId", "expected adjective-noun-number")?,
            status: fields.status()?,
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

    /// What a consumer must know of a session that has no record.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            source_language: self.source_language,
            quality_tier: self.quality_tier.unwrap_or_default(),
            target_languages: self.target_languages.clone(),
            version: Session::FIRST_VERSION,
        }
    }

    /// Writes the event's `detail`: the fields of the specification for its status, and ours.
    #[must_use]
    pub fn to_detail(&self) -> Value {
        let mut detail = json!({
            "sessionId": self.session_id,
            "status": self.status,
            "channelArn": self.channel_arn,
            "sourceLanguage": self.source_language,
            "timestamp": self.timestamp_ms,
            "schemaVersion": self.schema_version,
        });
        if self.status == EventStatus::Active || !self.target_languages.is_empty() {
            detail["targetLanguages"] = json!(self.target_languages);
        }
        if let Some(stream_arn) = &self.stream_arn {
            detail["streamArn"] = json!(stream_arn);
        }
        if let Some(quality_tier) = self.quality_tier {
            detail["qualityTier"] = json!(quality_tier);
        }
        if let Some(speaker_id) = &self.speaker_id {
            detail["speakerId"] = json!(speaker_id);
        }
        if let Some(event_id) = &self.event_id {
            detail["eventId"] = json!(event_id);
        }
        detail
    }
}

/// The fields of a detail. An explicit `null` counts as absent, as some writers send it so.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn optional<T: std::str::FromStr>(
        &self,
        field: &'static str,
        reason: &'static str,
    ) -> Result<Option<T>, EventError> {
        let malformed = EventError::Malformed { field, reason };
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| malformed),
            Some(_) => Err(malformed),
        }
    }

    fn required<T: std::str::FromStr>(
        &self,
        field: &'static str,
        reason: &'static str,
    ) -> Result<T, EventError> {
        self.optional(field, reason)?.ok_or(EventError::Missing { field })
    }

    /// A text of at most `most` characters, counted as JSON Schema counts them.
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

    fn status(&self) -> Result<EventStatus, EventError> {
        let status: String = self.required("status", "expected ACTIVE or ENDED")?;
        match status.as_str() {
            "ACTIVE" => Ok(EventStatus::Active),
            "ENDED" => Ok(EventStatus::Ended),
            _ => Err(EventError::Malformed { field: "status", reason: "expected ACTIVE or ENDED" }),
        }
    }

    fn target_languages(&self) -> Result<Vec<Language>, EventError> {
        let malformed = EventError::Malformed {
            field: "targetLanguages",
            reason: "expected a list of known codes",
        };
        let codes = match self.get("targetLanguages") {
            None => return Ok(Vec::new()),
            Some(Value::Array(codes)) => codes,
            Some(_) => return Err(malformed),
        };
        let mut languages: Vec<Language> = Vec::new();
        for code in codes {
            let language = code.as_str().and_then(|code| code.parse().ok());
            let language = language.ok_or_else(|| malformed.clone())?;
            if !languages.contains(&language) {
                languages.push(language);
            }
        }
        Ok(languages)
    }

    fn timestamp(&self) -> Result<u64, EventError> {
        let field = "timestamp";
        let value = self.get(field).ok_or(EventError::Missing { field })?;
        let number = value.as_u64().or_else(|| whole(value.as_f64()?));
        number.ok_or(EventError::Malformed { field, reason: "expected Unix milliseconds" })
    }
}

/// A number that is whole, although it is written as `7.0` or `7e3`: to JSON Schema that is an
/// integer, and there are writers that have no other numbers.
fn whole(number: f64) -> Option<u64> {
    let fits = number.fract() == 0.0 && (0.0..TWO_TO_THE_64).contains(&number);
    fits.then_some(number as u64)
}

/// The first number beyond [`u64`].
const TWO_TO_THE_64: f64 = 18_446_744_073_709_551_616.0;

#[cfg(test)]
mod tests;
