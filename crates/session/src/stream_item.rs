//! The item of the Streams table: desired state, lease and progress of a session's stream.
//!
//! The session handler writes `desired` and `settings`, the consumer everything else.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Settings, StreamArn};

/// The desired state of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Desired {
    /// Deliver.
    #[default]
    Run,
    /// Read and decode, deliver nothing.
    Pause,
    /// Deliver the remaining media, then end. Final.
    Stop,
}

/// Progress of the stream's delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StreamStatus {
    /// A consumer has acquired the lease at least once.
    Running,
    /// The session is delivered completely.
    Ended,
}

/// The Streams item of one session. Times are Unix ms. An attribute that is absent has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StreamItem {
    /// The run that holds the lease; `None` = free.
    #[serde(deserialize_with = "non_empty")]
    pub owner: Option<String>,
    /// Number of acquisitions of the lease.
    pub epoch: u64,
    /// End of the lease.
    pub lease_expires_at: u64,
    /// The desired state.
    pub desired: Desired,
    /// Version of the settings with which the session was last paused. A stop replaces `PAUSE` in
    /// `desired` and keeps this.
    pub paused_version: Option<u64>,
    /// Time of the stop request.
    pub stop_at: Option<u64>,
    /// Languages and tier; absent if ENDED was received before ACTIVE.
    pub settings: Option<Settings>,
    /// The next run, which reads the stream and is ready to take over.
    #[serde(deserialize_with = "non_empty")]
    pub successor: Option<String>,
    /// All of the session is delivered: `status` is [`StreamStatus::Ended`].
    #[serde(rename = "status", deserialize_with = "is_ended")]
    pub ended: bool,
    /// The checkpoint as written.
    pub checkpoint: Option<String>,
    /// The stream to read.
    pub stream_arn: Option<StreamArn>,
    /// Arrival time of the last fragment.
    pub last_activity_at: Option<u64>,
}

impl StreamItem {
    /// Returns whether the session is paused, or was when it was stopped: audio is then skipped.
    ///
    /// Each change of a session has a new version of its settings, so a later change ends the
    /// pause, also if a build that does not know `pausedVersion` made it.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        let version = self.settings.as_ref().map(|settings| settings.version);
        match self.desired {
            Desired::Run => false,
            Desired::Pause => true,
            Desired::Stop => version.is_some() && version == self.paused_version,
        }
    }

    /// Returns whether a run holds the lease at `now_ms`; `margin_ms` is added to its expiry.
    #[must_use]
    pub const fn has_valid_lease(&self, now_ms: u64, margin_ms: u64) -> bool {
        self.owner.is_some() && now_ms < self.lease_expires_at.saturating_add(margin_ms)
    }
}

fn non_empty<'de, D: Deserializer<'de>>(text: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(text)?.filter(|text| !text.is_empty()))
}

fn is_ended<'de, D: Deserializer<'de>>(status: D) -> Result<bool, D::Error> {
    // A newer build may write other states; none of them means the end.
    Ok(Option::<String>::deserialize(status)?.as_deref() == Some("ENDED"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_item_with_only_its_key_is_free_and_wanted() {
        let item: StreamItem = serde_json::from_value(json!({ "sessionId": "a-b-1" })).unwrap();
        assert_eq!(item, StreamItem::default());
        assert_eq!((item.owner.as_ref(), item.desired), (None, Desired::Run));
        assert!(!item.has_valid_lease(0, 0));
    }

    #[test]
    fn an_empty_owner_is_none_and_a_channel_arn_is_not_a_stream_arn() {
        let item: StreamItem =
            serde_json::from_value(json!({ "owner": "", "epoch": 4, "status": "ENDED" })).unwrap();
        assert_eq!((item.owner, item.epoch, item.ended), (None, 4, true));
        let channel = json!({ "streamArn": "arn:aws:kinesisvideo:us-east-1:1:channel/x/1" });
        assert!(serde_json::from_value::<StreamItem>(channel).is_err());
    }
}
