//! The record of a session: its item in the Sessions table.

use serde::{Deserialize, Serialize};

use crate::{
    ChannelArn, Language, PairMedia, QualityTier, SessionId, SessionStatus, StreamArn,
    event::{EventStatus, StatusChange},
};

/// A session as stored in `Sessions-{env}` (key `sessionId`, attribute names in camelCase).
///
/// Times are Unix milliseconds, except [`Session::expires_at`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Key of the item.
    pub session_id: SessionId,
    /// The JWT `sub` of the speaker who created the session; only this speaker can change or end
    /// it.
    pub speaker_id: String,
    /// The language of the speech.
    pub source_language: Language,
    /// The target languages requested by the speaker; listeners add theirs during the session.
    #[serde(default)]
    pub target_languages: Vec<Language>,
    /// Quality of transcription and translation.
    #[serde(default)]
    pub quality_tier: QualityTier,
    /// Version of the consumer's settings; incremented with each change.
    #[serde(default = "first_version")]
    pub settings_version: u64,
    /// State of the session.
    pub status: SessionStatus,
    /// Number of listeners connected.
    #[serde(default)]
    pub listener_count: u64,
    /// Creation time, Unix ms.
    pub created_at: u64,
    /// Time of the last change, Unix ms; sort key of `status-updatedAt-index`.
    pub updated_at: u64,
    /// End of the session's lifetime as clients see it, Unix **seconds**. The table's time to live
    /// is a different attribute, `removeAt`, which only the health check sets.
    pub expires_at: u64,
    /// ARN of the signaling channel; absent until it is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kvs_channel_arn: Option<ChannelArn>,
    /// Name of the signaling channel: [`SessionId::channel_name`].
    pub kvs_channel_name: String,
    /// ARN of the stream; absent until it is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kvs_stream_arn: Option<StreamArn>,
    /// Name of the stream: [`SessionId::stream_name`].
    pub kvs_stream_name: String,
    /// Endpoints for the speaker; absent until the channel is mapped to the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kvs_signaling_endpoints: Option<SignalingEndpoints>,
    /// The event of the last state change, until EventBridge has accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_event: Option<PendingEvent>,
    /// Why the session ended; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_reason: Option<EndedReason>,
    /// End of the health check's claim on the item, Unix ms; present only in status `cleaning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_until: Option<u64>,
    /// The environment (`dev`, `prod`, …) that owns the session and its KVS resources.
    pub env: String,
}

impl Session {
    /// Settings version of a new session.
    pub const FIRST_VERSION: u64 = 1;

    /// Returns the settings for the session's consumer.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            source_language: self.source_language,
            quality_tier: self.quality_tier,
            target_languages: self.target_languages.clone(),
            version: self.settings_version,
        }
    }

    /// Sets channel, stream and endpoints to those of a warm pair.
    pub(crate) fn use_pair(&mut self, pair: &PairMedia) {
        self.kvs_channel_arn = Some(pair.kvs_channel_arn.clone());
        self.kvs_stream_arn = Some(pair.kvs_stream_arn.clone());
        self.kvs_signaling_endpoints = Some(pair.kvs_signaling_endpoints.clone());
    }

    /// Returns the event for this session's state, or `None` if the session has no channel.
    ///
    /// ENDED carries fewer fields than ACTIVE, as the event's specification requires.
    #[must_use]
    pub fn status_change(
        &self,
        status: EventStatus,
        timestamp_ms: u64,
        event_id: String,
    ) -> Option<StatusChange> {
        let active = status == EventStatus::Active;
        Some(StatusChange {
            session_id: self.session_id.clone(),
            status,
            channel_arn: self.kvs_channel_arn.clone()?,
            stream_arn: self.kvs_stream_arn.clone(),
            source_language: self.source_language,
            target_languages: active.then(|| self.target_languages.clone()),
            quality_tier: active.then_some(self.quality_tier),
            speaker_id: active.then(|| self.speaker_id.clone()),
            timestamp_ms,
            schema_version: crate::event::SCHEMA_VERSION.to_owned(),
            event_id: Some(event_id),
        })
    }
}

/// Default for sessions stored before versions were introduced.
const fn first_version() -> u64 {
    Session::FIRST_VERSION
}

/// Endpoints of the signaling channel for a speaker (role MASTER). KVS documents the values as
/// opaque.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct SignalingEndpoints {
    /// WebSocket for signaling.
    pub wss: String,
    /// HTTPS for GetIceServerConfig.
    pub https: String,
    /// HTTPS for JoinStorageSession; exists only while the channel is mapped to a stream.
    pub webrtc: String,
}

/// An event stored together with its state change, and not yet accepted by EventBridge.
///
/// The health check resends events older than 10 s, with the same `eventId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingEvent {
    /// The event's detail as JSON text.
    pub detail: String,
    /// `X-Amzn-Trace-Id` of the request that caused the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
    /// Time at which the event became pending, Unix ms.
    pub since: u64,
}

impl PendingEvent {
    /// Creates a pending event from `change`.
    #[must_use]
    pub fn new(change: &StatusChange, trace_header: Option<String>, since: u64) -> Self {
        Self { detail: change.to_detail().to_string(), trace_header, since }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndedReason {
    /// The speaker deleted it.
    Deleted,
    /// There was no speech for SESSION_IDLE_MINUTES.
    Inactive,
    /// It ran longer than MAX_SESSION_HOURS.
    Expired,
    /// Its stream was deleted, so no further speech can be received.
    Lost,
}

impl EndedReason {
    /// Returns the reason as stored in the item.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Inactive => "inactive",
            Self::Expired => "expired",
            Self::Lost => "lost",
        }
    }
}

/// Settings of a running consumer; attribute `settings` of the Streams item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The language of the speech.
    pub source_language: Language,
    /// Quality of transcription and translation.
    pub quality_tier: QualityTier,
    /// The target languages of the session and of its listeners, sorted, without duplicates.
    pub target_languages: Vec<Language>,
    /// Incremented with each change, so that a delayed reader does not revert to older settings.
    pub version: u64,
}
