//! A request that may come twice: what an `Idempotency-Key` stands for.
//!
//! The key is remembered with what was asked, in the transaction that reserves the session's id. The same request then
//! gets the same answer for a day. While its session is still being made it waits its turn, and when whoever made it
//! died on the way, the next one takes over.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{NewSession, Session, SessionId};

/// Longest key, in characters.
const MAX_KEY: usize = 255;

/// A key is remembered for a day, s.
const REMEMBERED_SECONDS: u64 = 24 * 60 * 60;

/// What a client calls its request: 1 to 255 printable characters of ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The text is no [`IdempotencyKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an Idempotency-Key has 1 to {MAX_KEY} printable characters of ASCII")]
pub struct InvalidKey;

impl FromStr for IdempotencyKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let valid = printable && (1..=MAX_KEY).contains(&text.len());
        valid.then(|| Self(text.to_owned())).ok_or(InvalidKey)
    }
}

/// A request, told apart from those of all speakers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(String);

impl RequestId {
    fn new(speaker_id: &str, key: &IdempotencyKey) -> Self {
        // The length keeps one speaker from saying another's name.
        Self(format!("request#{}#{speaker_id}#{}", speaker_id.len(), key.0))
    }

    /// Its text: the key of its item in the Sessions table. It is no session id.
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

/// A request's claim to be the one that makes the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The request.
    pub id: RequestId,
    /// What it asks for, as text that is equal for equal requests.
    pub asked: String,
    /// Until when it may be under way, Unix ms.
    pub in_progress_until: u64,
    /// When it is forgotten, Unix s.
    pub remove_at: u64,
    /// Now, Unix s.
    pub now: u64,
    /// The session that an earlier one died over, or whose day is over.
    pub takes_over: Option<SessionId>,
}

impl Claim {
    /// A claim that holds for `hold` from now.
    pub(crate) fn new(new: &NewSession, key: &IdempotencyKey, now_ms: u64, hold: Duration) -> Self {
        let hold_ms = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        let targets: Vec<_> = new.target_languages.iter().map(|language| language.code()).collect();
        Self {
            id: RequestId::new(&new.speaker_id, key),
            asked: format!("{} {} {}", new.source_language, new.quality_tier, targets.join(",")),
            in_progress_until: now_ms.saturating_add(hold_ms),
            remove_at: now_ms / 1000 + REMEMBERED_SECONDS,
            now: now_ms / 1000,
            takes_over: None,
        }
    }
}

/// A request as it is remembered; its item in the Sessions table besides the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remembered {
    /// What it asked for.
    pub asked: String,
    /// The session that is being made, or was.
    pub for_session: SessionId,
    /// Until when it may be under way, Unix ms.
    pub in_progress_until: u64,
    /// The session as it was answered, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Session>,
    /// When it is forgotten, Unix s: the table's time to live, which may be days late.
    pub remove_at: u64,
}

impl Remembered {
    /// What is written for a claim.
    #[must_use]
    pub fn new(claim: &Claim, session_id: &SessionId) -> Self {
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
    fn no_speaker_can_name_anothers_request() {
        let id = |speaker: &str, key: &str| RequestId::new(speaker, &key.parse().unwrap());
        assert_ne!(id("ana", "1#k"), id("ana#1", "k"));
        assert_ne!(id("ana", "k"), id("ben", "k"));
        assert!(id("a-b", "1").as_str().parse::<SessionId>().is_err(), "it is no session");
    }
}
