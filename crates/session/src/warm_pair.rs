//! Warm pairs: channels and streams that are created and mapped before a POST needs them.
//!
//! A pair is made for a session whose id is drawn in advance: its channel and stream have the names
//! and tags of that session. A POST that takes the pair creates the session with this id, so
//! nothing is renamed or tagged again, and the session's resources are found, checked and deleted
//! like those of any other session.
//!
//! A pair is an item of the Sessions table in one of a fixed number of slots:
//!
//! ```text
//! free slot ─► filling ─► ready ─► taken: the transaction that reserves the id deletes the item
//!                 └──► removing ◄──┘
//! ```
//!
//! Only the health check fills, checks and removes pairs. At every moment a channel or stream has
//! the item of its pair or of its session, never neither.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ChannelArn, SessionId, SignalingEndpoints, StreamArn, ports::millis};

/// A channel and a stream for a session that does not exist yet; attributes of its item in the
/// Sessions table, apart from the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WarmPair {
    /// The environment that owns the pair.
    pub env: String,
    /// The slot, from 0.
    pub slot: u32,
    /// The id of the session that takes the pair. Channel and stream have its names and tags.
    #[serde(rename = "forSession")]
    pub session_id: SessionId,
    /// State of the pair.
    #[serde(rename = "pairState")]
    pub state: PairState,
    /// Time of the last change or check, Unix ms.
    pub updated_at: u64,
    /// End of a health check's claim on the slot, Unix ms; 0 without a claim.
    pub claim_until: u64,
    /// Retention of the stream, in hours.
    pub retention_hours: u32,
    /// The KMS key that encrypts the stream; `None`: the AWS managed key.
    pub kms_key_id: Option<String>,
    /// Channel, stream and endpoints; absent until the pair is ready.
    pub media: Option<PairMedia>,
}

/// State of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairState {
    /// Channel and stream are being created, or their creation was interrupted.
    Filling,
    /// Channel and stream are ACTIVE and mapped. A session can take the pair.
    Ready,
    /// Channel and stream are being deleted, unused.
    Removing,
}

/// The resources of a pair that is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairMedia {
    /// The signaling channel.
    pub kvs_channel_arn: ChannelArn,
    /// The stream that the channel is mapped to.
    pub kvs_stream_arn: StreamArn,
    /// The channel's endpoints, read when the pair was last checked.
    pub kvs_signaling_endpoints: SignalingEndpoints,
}

impl WarmPair {
    /// Maximum number of pairs of an environment: the number of its slots.
    pub const MAX: u32 = 20;

    /// Returns the key of a slot's item in the Sessions table. Never a valid session id.
    #[must_use]
    pub fn key(env: &str, slot: u32) -> String {
        format!("pair#{env}#{slot}")
    }
}

/// Which pairs an environment keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairRules {
    /// Number of pairs, at most [`WarmPair::MAX`]. 0: none.
    pub count: u32,
    /// Retention of their streams, in hours.
    pub retention_hours: u32,
    /// The KMS key that encrypts their streams; `None`: the AWS managed key.
    pub kms_key_id: Option<String>,
    /// Time after its last check from which a pair is not used: 15 min, three health checks.
    ///
    /// In a table that was restored from a backup, a pair may be ready although a session has used
    /// it. Restoring takes longer than this time, so no session takes such a pair.
    pub lapse: Duration,
}

impl PairRules {
    /// Creates the rules for a system with the given time scale (1 on AWS).
    #[must_use]
    pub fn scaled(
        count: u32,
        retention_hours: u32,
        kms_key_id: Option<String>,
        scale: f64,
    ) -> Self {
        let lapse = Duration::from_secs(15 * 60).div_f64(scale.max(1.0));
        Self { count: count.min(WarmPair::MAX), retention_hours, kms_key_id, lapse }
    }

    /// Returns whether the environment keeps this pair: its slot is in use, and its stream has the
    /// current settings.
    #[must_use]
    pub(crate) fn keep(&self, pair: &WarmPair) -> bool {
        pair.slot < self.count
            && pair.retention_hours == self.retention_hours
            && pair.kms_key_id == self.kms_key_id
    }

    /// Returns whether the pair has not been checked for too long.
    pub(crate) fn has_lapsed(&self, pair: &WarmPair, now_ms: u64) -> bool {
        pair.updated_at.saturating_add(millis(self.lapse)) <= now_ms
    }

    /// Returns whether a session can take the pair now.
    pub(crate) fn is_usable(&self, pair: &WarmPair, now_ms: u64) -> bool {
        let is_ready = pair.state == PairState::Ready && pair.media.is_some();
        is_ready && self.keep(pair) && !self.has_lapsed(pair, now_ms)
    }
}

/// How a POST used the warm pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairUse {
    /// The environment keeps no pairs.
    Off,
    /// The session has a pair.
    Warm,
    /// No pair was ready, so channel and stream were created.
    Cold,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> WarmPair {
        let arn = |kind| format!("arn:aws:kinesisvideo:eu-west-1:123456789012:{kind}/session-a/1");
        let url = || "https://m-1.kinesisvideo.eu-west-1.amazonaws.com".to_owned();
        WarmPair {
            env: "dev".to_owned(),
            slot: 1,
            session_id: "a-b-1".parse().unwrap(),
            state: PairState::Ready,
            updated_at: 1_000_000,
            claim_until: 0,
            retention_hours: 24,
            kms_key_id: None,
            media: Some(PairMedia {
                kvs_channel_arn: arn("channel").parse().unwrap(),
                kvs_stream_arn: arn("stream").parse().unwrap(),
                kvs_signaling_endpoints: SignalingEndpoints {
                    wss: url(),
                    https: url(),
                    webrtc: url(),
                },
            }),
        }
    }

    #[test]
    fn a_key_is_no_session_id() {
        assert!(WarmPair::key("dev", 3).parse::<SessionId>().is_err());
    }

    #[test]
    fn a_pair_is_used_while_it_is_ready_recently_checked_and_has_the_current_settings() {
        let rules = PairRules::scaled(2, 24, None, 1.0);
        let now = 1_000_000 + 15 * 60 * 1000 - 1;
        assert!(rules.is_usable(&pair(), now));
        assert!(!rules.is_usable(&pair(), now + 1));
        let key = Some("key-1".to_owned());
        let others = [
            WarmPair { slot: 2, ..pair() },
            WarmPair { state: PairState::Filling, ..pair() },
            WarmPair { state: PairState::Removing, ..pair() },
            WarmPair { retention_hours: 48, ..pair() },
            WarmPair { kms_key_id: key, ..pair() },
            WarmPair { media: None, ..pair() },
        ];
        for other in others {
            assert!(!rules.is_usable(&other, now), "{other:?}");
        }
    }

    #[test]
    fn the_number_of_pairs_is_bounded() {
        assert_eq!(PairRules::scaled(500, 24, None, 1.0).count, WarmPair::MAX);
    }
}
