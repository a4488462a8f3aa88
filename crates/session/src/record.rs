//! The record of a session: its item in the Sessions table.

use serde::{Deserialize, Serialize};

use crate::{
    ChannelArn, Language, QualityTier, SessionId, SessionStatus, StreamArn,
    event::{EventStatus, StatusChange},
};

/// A session as it stands in `Sessions-{env}` (key `sessionId`, attribute names in camelCase).
///
/// Times are Unix milliseconds, except [`Session::expires_at`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Key of the item.
    pub session_id: SessionId,
    /// The JWT `sub` of the speaker who opened the session; only they may change or end it.
    pub speaker_id: String,
    /// The language that is spoken.
    pub source_language: Language,
    /// The languages asked for when the session was opened; listeners add theirs while it runs.
    #[serde(default)]
    pub target_languages: Vec<Language>,
    /// Quality of transcription and translation.
    #[serde(default)]
    pub quality_tier: QualityTier,
    /// Version of what a consumer must know; grows by 1 with each change.
    #[serde(default = "first_version")]
    pub settings_version: u64,
    /// State of the session.
    pub status: SessionStatus,
    /// Number of listeners connected.
    #[serde(default)]
    pub listener_count: u64,
    /// When the session was opened, Unix ms.
    pub created_at: u64,
    /// When the item last changed, Unix ms; sort key of `status-updatedAt-index`.
    pub updated_at: u64,
    /// How long the session may last, as clients read it, Unix **seconds**. The table's time to live
    /// is another attribute, `removeAt`, which only the health check sets.
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
    /// Where a speaker connects; absent until the channel is mapped to the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kvs_signaling_endpoints: Option<SignalingEndpoints>,
    /// The event of the last state change, until EventBridge has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_event: Option<PendingEvent>,
    /// Why the session ended; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_reason: Option<EndedReason>,
    /// Until when a health check owns the item, Unix ms; only with status `cleaning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_until: Option<u64>,
    /// The environment (`dev`, `prod`, …) that owns the session and its KVS resources.
    pub env: String,
}

impl Session {
    /// Version of the settings that a session is opened with.
    pub const FIRST_VERSION: u64 = 1;

    /// What its consumer must know of it.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            source_language: self.source_language,
            quality_tier: self.quality_tier,
            target_languages: self.target_languages.clone(),
            version: self.settings_version,
        }
    }

    /// The event that tells of this session's state, or `None` while it has no channel.
    ///
    /// ENDED carries fewer fields than ACTIVE, as the specification of the event says.
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
            target_languages: if active { self.target_languages.clone() } else { Vec::new() },
            quality_tier: active.then_some(self.quality_tier),
            speaker_id: active.then(|| self.speaker_id.clone()),
            timestamp_ms,
            schema_version: crate::event::SCHEMA_VERSION.to_owned(),
            event_id: Some(event_id),
        })
    }
}

/// Sessions from before there were versions have the first.
const fn first_version() -> u64 {
    Session::FIRST_VERSION
}

/// Where a speaker (role MASTER) reaches the signaling channel. KVS calls these values opaque.
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

/// An event written together with the state change it tells of, and not yet taken by EventBridge.
///
/// Whoever finds one older than 10 s sends it again, with the same `eventId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingEvent {
    /// The event's detail as JSON text.
    pub detail: String,
    /// `X-Amzn-Trace-Id` of the request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
    /// When it became pending, Unix ms.
    pub since: u64,
}

impl PendingEvent {
    /// `change` as it waits to be emitted.
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
    /// Nothing was spoken for SESSION_IDLE_MINUTES.
    Inactive,
    /// It ran longer than MAX_SESSION_HOURS.
    Expired,
    /// Its stream was deleted under it: nothing that is spoken can be heard any more.
    Lost,
}

impl EndedReason {
    /// The reason as it stands in the item.
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

/// What a running consumer must know of a session; attribute `settings` of the Streams item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The language that is spoken.
    pub source_language: Language,
    /// Quality of transcription and translation.
    pub quality_tier: QualityTier,
    /// The session's languages together with its listeners', sorted, without repeats.
    pub target_languages: Vec<Language>,
    /// Grows by 1 with each change, so that a late reader does not go back to older settings.
    pub version: u64,
}
