//! The states and the quality tier of a session.

use std::fmt;

use serde::{Deserialize, Serialize};

/// State of a session; the `status` attribute of its item, in lower case.
///
/// `creating → active ⇄ paused → ended → cleaning → removed`. The health check moves `ended`, and
/// `creating` of an interrupted creation, to `cleaning` before it deletes anything, so that two
/// health checks never clean up the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// The id is reserved; the channel and stream may exist.
    Creating,
    /// The speaker can speak, and the speech is delivered.
    Active,
    /// Speech is read but not delivered.
    Paused,
    /// The session has ended; the remaining media of the stream is delivered.
    Ended,
    /// Claimed by a health check that removes the session's remaining resources.
    Cleaning,
    /// Ended, and its KVS resources are deleted. The item is kept so that the id is not reused
    /// while clients may still refer to it; no query scans these items.
    Removed,
}

impl SessionStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Creating, Self::Active, Self::Paused, Self::Ended, Self::Cleaning, Self::Removed];

    /// Returns whether the session is active or paused, and so accepts speech now or later.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }

    /// Returns whether the session has ended.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Cleaning | Self::Removed)
    }
}

/// Quality of transcription and translation. Defaults to `standard`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QualityTier {
    /// The default.
    #[default]
    Standard,
    /// Higher quality at a higher price.
    Premium,
}

impl fmt::Display for QualityTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standard => "standard",
            Self::Premium => "premium",
        })
    }
}
