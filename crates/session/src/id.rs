//! Session ids: `adjective-noun-number`, as in `blessed-shepherd-123`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The id of a session, for example `blessed-shepherd-123`.
///
/// Two words of `a`–`z` and a decimal number, joined by hyphens, at most [`SessionId::MAX_LEN`]
/// bytes. The alphabet is a subset of what KVS allows in stream and channel names
/// (`[a-zA-Z0-9_.-]{1,256}`), so an id can be part of any such name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

/// The text is not a valid session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("session id must be `adjective-noun-number` in lower case, at most {max} bytes", max = SessionId::MAX_LEN)]
pub struct InvalidSessionId;

impl SessionId {
    /// Maximum length of an id, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Creates an id from two words of `a`–`z` and a number.
    pub(crate) fn from_parts(adjective: &str, noun: &str, number: u64) -> Self {
        Self(format!("{adjective}-{noun}-{number}"))
    }

    /// Returns the name of the session's KVS stream: `session-{id}`.
    #[must_use]
    pub fn stream_name(&self) -> String {
        format!("session-{}", self.0)
    }

    /// Returns the name of the session's KVS signaling channel: `session-{id}`.
    #[must_use]
    pub fn channel_name(&self) -> String {
        self.stream_name()
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for SessionId {
    type Error = InvalidSessionId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let mut parts = text.split('-');
        let shape = (parts.next(), parts.next(), parts.next(), parts.next());
        match shape {
            (Some(adjective), Some(noun), Some(number), None)
                if text.len() <= Self::MAX_LEN
                    && is_word(adjective)
                    && is_word(noun)
                    && is_number(number) =>
            {
                Ok(Self(text))
            }
            _ => Err(InvalidSessionId),
        }
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl AsRef<str> for SessionId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_channel_and_stream_come_from_the_id() {
        let id: SessionId = "blessed-shepherd-123".parse().unwrap();
        assert_eq!(id.stream_name(), "session-blessed-shepherd-123");
        assert_eq!(id.channel_name(), "session-blessed-shepherd-123");
    }

    #[test]
    fn other_texts_are_rejected() {
        let too_long = format!("{}-b-1", "a".repeat(61));
        for text in [
            "",
            "a",
            "a-b",
            "a-b-",
            "a--1",
            "-b-1",
            "a-b-1-2",
            "A-b-1",
            "a-b-1x",
            "a-b1-1",
            "ä-b-1",
            "a-b-1\n",
            " a-b-1",
            "../b-1",
            too_long.as_str(),
        ] {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidSessionId), "{text:?}");
        }
        assert!(format!("{}-b-1", "a".repeat(60)).parse::<SessionId>().is_ok());
    }

    proptest! {
        #[test]
        fn every_well_formed_id_survives_text_and_json(id in "[a-z]{1,20}-[a-z]{1,20}-[0-9]{1,20}") {
            let parsed: SessionId = id.parse().unwrap();
            prop_assert_eq!(parsed.to_string(), &*id);
            let json = serde_json::to_string(&parsed).unwrap();
            prop_assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), parsed);
        }

        #[test]
        fn every_valid_id_is_a_safe_resource_name(text in "\\PC{0,80}") {
            if let Ok(id) = text.parse::<SessionId>() {
                let name = id.stream_name();
                prop_assert!(name.len() <= 256);
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            }
        }
    }
}
