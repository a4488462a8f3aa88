//! Idempotent requests, identified by an `Idempotency-Key`.
//!
//! The transaction that reserves the session's id also stores the key with the request's
//! parameters. For a day, an identical request returns the same response. While the session is
//! being created, a repeated request fails with [`InProgress`](crate::Error::InProgress). If the
//! invocation that created it has failed, the next request takes over.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{NewSession, Session, SessionId};

/// Maximum length of a key, in characters.
const MAX_KEY: usize = 255;

/// Retention of a key: one day, in seconds.
const RECORD_RETENTION_SECONDS: u64 = 24 * 60 * 60;

/// The client's identifier of a request: 1 to 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The text is not a valid [`IdempotencyKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Idempotency-Key must consist of 1 to {MAX_KEY} printable ASCII characters")]
pub struct InvalidKey;

impl FromStr for IdempotencyKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let valid = printable && (1..=MAX_KEY).contains(&text.len());
        valid.then(|| Self(text.to_owned())).ok_or(InvalidKey)
    }
}

/// Globally unique id of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(String);

impl RequestId {
    fn new(speaker_id: &str, key: &IdempotencyKey) -> Self {
        // The length prefix prevents collisions between speakers, because speaker ids and keys can
        // contain `#`.
        Self(format!("request#{}#{speaker_id}#{}", speaker_id.len(), key.0))
    }

    /// Returns the id as text: the key of its item in the Sessions table. Never a valid session id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request's claim to create the session for its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyClaim {
    /// The request.
    pub id: RequestId,
    /// The request's parameters, as text that is equal for equal requests.
    pub asked: String,
    /// Time until which the request counts as in progress, Unix ms.
    pub in_progress_until: u64,
    /// Time at which the record expires, Unix s.
    pub remove_at: u64,
    /// Current time, Unix s.
    pub now: u64,
    /// The session of an earlier request that failed or whose record has expired.
    pub supersedes: Option<SessionId>,
}

impl IdempotencyClaim {
    /// Creates a claim that counts as in progress for `hold` from now.
    pub(crate) fn new(new: &NewSession, key: &IdempotencyKey, now_ms: u64, hold: Duration) -> Self {
        let hold_ms = crate::ports::millis(hold);
        let targets: Vec<_> = new.target_languages.iter().map(|language| language.code()).collect();
        Self {
            id: RequestId::new(&new.speaker_id, key),
            asked: format!("{} {} {}", new.source_language, new.quality_tier, targets.join(",")),
            in_progress_until: now_ms.saturating_add(hold_ms),
            remove_at: now_ms / 1000 + RECORD_RETENTION_SECONDS,
            now: now_ms / 1000,
            supersedes: None,
        }
    }
}

/// The record of a request: the attributes of its item in the Sessions table, apart from the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdempotencyRecord {
    /// The request's parameters.
    pub asked: String,
    /// The session that the request creates or has created.
    pub for_session: SessionId,
    /// Time until which the request counts as in progress, Unix ms.
    pub in_progress_until: u64,
    /// The session as returned in the response; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Session>,
    /// Time at which the record expires, Unix s. It is the table's time to live, and DynamoDB may
    /// delete the item days later.
    pub remove_at: u64,
}

impl IdempotencyRecord {
    /// Creates the record of a claim.
    #[must_use]
    pub fn new(claim: &IdempotencyClaim, session_id: &SessionId) -> Self {
        Self {
            asked: claim.asked.clone(),
            for_session: session_id.clone(),
            in_progress_until: claim.in_progress_until,
            answer: None,
            remove_at: claim.remove_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_printable_and_bounded() {
        for valid in ["a", "~ !", &"k".repeat(255)] {
            assert!(valid.parse::<IdempotencyKey>().is_ok(), "{valid}");
        }
        for invalid in ["", "\u{e4}", "a\nb", "\u{7f}", &"k".repeat(256)] {
            assert_eq!(invalid.parse::<IdempotencyKey>(), Err(InvalidKey), "{invalid}");
        }
    }

    #[test]
    fn request_ids_of_different_speakers_differ() {
        let id = |speaker: &str, key: &str| RequestId::new(speaker, &key.parse().unwrap());
        assert_ne!(id("ana", "1#k"), id("ana#1", "k"));
        assert_ne!(id("ana", "k"), id("ben", "k"));
        assert!(id("a-b", "1").as_str().parse::<SessionId>().is_err(), "not a session id");
    }
}
