//! The states a session goes through, and the quality a speaker pays for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// State of a session; the `status` attribute of its item, in lower case.
///
/// `creating → active ⇄ paused → ended → removed`; the health check takes `creating` and `ended` to
/// `cleaning` before it deletes anything, so that two cleaners never work on one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// The id is reserved; channel and stream may exist in part.
    Creating,
    /// The speaker may speak, and what is spoken is delivered.
    Active,
    /// What is spoken is read but not delivered.
    Paused,
    /// The speaker is done; what the stream still holds is delivered.
    Ended,
    /// Claimed by a health check that removes what is left of the session.
    Cleaning,
    /// Ended, and nothing of it is left in KVS. The item stays on to keep its id from being drawn
    /// again while anyone remembers it, and nobody looks through these.
    Removed,
}

impl SessionStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Creating, Self::Active, Self::Paused, Self::Ended, Self::Cleaning, Self::Removed];

    /// The status as it stands in the item.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Ended => "ended",
            Self::Cleaning => "cleaning",
            Self::Removed => "removed",
        }
    }

    /// Whether a speaker may speak into the session now or later: active or paused.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Quality of transcription and translation; `standard` unless asked otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QualityTier {
    /// The default.
    #[default]
    Standard,
    /// The better and dearer one.
    Premium,
}

/// A text that names no [`QualityTier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a quality tier is `standard` or `premium`")]
pub struct UnknownQualityTier;

impl QualityTier {
    /// The tier as it stands in items, events and payloads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Premium => "premium",
        }
    }
}

impl FromStr for QualityTier {
    type Err = UnknownQualityTier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "standard" => Ok(Self::Standard),
            "premium" => Ok(Self::Premium),
            _ => Err(UnknownQualityTier),
        }
    }
}

impl fmt::Display for QualityTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_is_the_text_form() {
        for status in SessionStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for tier in [QualityTier::Standard, QualityTier::Premium] {
            assert_eq!(serde_json::to_value(tier).unwrap(), tier.as_str());
            assert_eq!(tier.as_str().parse(), Ok(tier));
        }
    }
}
