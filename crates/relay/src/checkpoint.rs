//! The state from which the next run resumes.
//!
//! A checkpoint covers only what the processor has *accepted*, or what was skipped and counted;
//! this makes a re-run exact. Checkpoints are created from the run's progress.

use media::{Content, ResumePoint};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use session::StreamItem;

use crate::breaker::Breaker;
use crate::config::Config;

mod compact;

/// Version of every checkpoint. A build reads its own version and the previous one.
pub const VERSION: u32 = 4;

/// Why a checkpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The version is not supported by this build.
    #[error(
        "version {found} is not supported; this build reads version {VERSION} and the previous one"
    )]
    Version {
        /// The version found.
        found: u32,
    },
    /// The text is not a checkpoint.
    #[error("malformed: {0}")]
    Malformed(String),
}

/// A complete fragment: where it starts and where its samples end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteFragment {
    /// Timeline at the fragment's start; identifies the fragment.
    pub resume_point: ResumePoint,
    /// Position after its last sample.
    pub end: u64,
    /// Duration of its audio, ms.
    pub duration_ms: u64,
    /// Fingerprint of its audio; `None` without audio.
    pub content: Option<Content>,
}

/// Totals of a session over all of its runs, in samples unless stated otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    /// Accepted by the processor.
    pub delivered: u64,
    /// Part of `delivered`: concealed or silent, because no packet carried them.
    pub filled: u64,
    /// Skipped because the producer sent nothing for longer than MAX_FILL_MS.
    pub gap: u64,
    /// Skipped while the session was paused.
    pub paused: u64,
    /// Skipped because KVS no longer had them.
    pub unavailable: u64,
    /// Not delivered because the producer had already sent them under another fragment number.
    pub repeated: u64,
    /// Not decoded because a fragment claimed more audio than it can hold.
    pub refused: u64,
    /// Skipped because the processor rejected them permanently (kept in the dead-letter queue).
    pub dead_lettered: u64,
    /// Chunks stored in the dead-letter queue (a count).
    pub dead_letters: u64,
    /// Offered again although the processor already had them.
    pub offered_twice: u64,
    /// Chunks delivered (a count).
    pub chunks: u64,
    /// Hand-offs completed (a count).
    pub hand_offs: u64,
}

impl Totals {
    /// Returns what was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            delivered: self.delivered.saturating_sub(before.delivered),
            filled: self.filled.saturating_sub(before.filled),
            gap: self.gap.saturating_sub(before.gap),
            paused: self.paused.saturating_sub(before.paused),
            unavailable: self.unavailable.saturating_sub(before.unavailable),
            repeated: self.repeated.saturating_sub(before.repeated),
            refused: self.refused.saturating_sub(before.refused),
            dead_lettered: self.dead_lettered.saturating_sub(before.dead_lettered),
            dead_letters: self.dead_letters.saturating_sub(before.dead_letters),
            offered_twice: self.offered_twice.saturating_sub(before.offered_twice),
            chunks: self.chunks.saturating_sub(before.chunks),
            hand_offs: self.hand_offs.saturating_sub(before.hand_offs),
        }
    }
}

/// The durable state of one session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Chunk length in ms, fixed by the session's first checkpoint.
    pub chunk_ms: u64,
    /// Everything before this position is settled: accepted, or skipped and counted.
    pub next: u64,
    /// The processor's position: the end of the last samples it accepted.
    pub acknowledged: u64,
    /// The session's first fragment, which fixes position 0.
    pub origin: Option<ResumePoint>,
    /// The last complete, fully settled fragments, oldest first: the warm-up and one more.
    #[serde(with = "compact::fragments")]
    pub fragments: Vec<CompleteFragment>,
    /// Fingerprints of the preceding fragments, oldest first, over about the last minute: used to
    /// detect audio that the producer sends again.
    #[serde(with = "compact::contents")]
    pub contents: Vec<Content>,
    /// The final chunk was accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finished: bool,
    /// The session's circuit breaker.
    #[serde(default)]
    pub breaker: Breaker,
    /// Wall clock of the last release, ms; used to measure the hand-off gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_at_ms: Option<u64>,
    /// Totals of the session.
    #[serde(default)]
    pub totals: Totals,
}

impl Checkpoint {
    /// Returns the checkpoint stored in a Streams item, or a fresh one if it has none.
    ///
    /// # Errors
    /// The checkpoint was written by an unsupported build or is malformed.
    pub fn of(item: &StreamItem, config: &Config) -> Result<Self, CheckpointError> {
        match &item.checkpoint {
            Some(text) => Self::from_json(text),
            None => Ok(Self::fresh(config.chunk_ms)),
        }
    }

    /// Returns the checkpoint of a session of which nothing has been delivered.
    #[must_use]
    pub fn fresh(chunk_ms: u64) -> Self {
        Self { chunk_ms, ..Self::default() }
    }

    /// Serializes the checkpoint, including its version, as one line of JSON. Totals of 0 are left
    /// out, because DynamoDB charges a write by the size of the item.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut document = serde_json::json!(self);
        document["version"] = VERSION.into();
        if let Some(totals) = document["totals"].as_object_mut() {
            totals.retain(|_, total| *total != 0);
        }
        document.to_string()
    }

    /// Parses the output of [`Checkpoint::to_json`] of this version or the previous one.
    ///
    /// # Errors
    /// Returns [`CheckpointError`] for any other version and for malformed text.
    pub fn from_json(text: &str) -> Result<Self, CheckpointError> {
        let malformed = |error: serde_json::Error| CheckpointError::Malformed(error.to_string());
        let document: Value = serde_json::from_str(text).map_err(malformed)?;
        let found = u32::deserialize(&document["version"]).map_err(malformed)?;
        if found != VERSION && found + 1 != VERSION {
            return Err(CheckpointError::Version { found });
        }
        serde_json::from_value(document).map_err(malformed)
    }
}

impl session::reconcile::Checkpoints for Config {
    fn has_dead_letters(&self, item: &StreamItem) -> Result<bool, String> {
        let checkpoint = Checkpoint::of(item, self).map_err(|error| error.to_string())?;
        // The final chunk may be empty; checkpoints of older builds count samples only.
        Ok(checkpoint.totals.dead_letters > 0 || checkpoint.totals.dead_lettered > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_back() {
        let mut checkpoint = Checkpoint { next: 100_000, ..Checkpoint::fresh(500) };
        let resume_point = ResumePoint {
            fragment: "7".parse().unwrap(),
            next: 96_000,
            fraction: 0,
            lost: 0,
            stamps: Vec::new(),
            origin_ms: Some(1_000_000),
            clock_offset: -3,
            session_ms: Some(1_000_000),
            server_ms: Some(1_000_000),
            server_position: 0,
            mime_hint: None,
        };
        checkpoint.origin = Some(resume_point.clone());
        let content = Some(Content::from_text("1:7:00000001:20000000:0:").unwrap());
        checkpoint.contents.extend(content.clone());
        checkpoint.fragments =
            vec![CompleteFragment { resume_point, end: 112_000, duration_ms: 1_000, content }];
        assert_eq!(Checkpoint::from_json(&checkpoint.to_json()), Ok(checkpoint));
    }

    #[test]
    fn the_version_before_is_read_and_any_other_refused() {
        let before = r#"{"version":3,"chunkMs":500,"next":8000,"acknowledged":8000,"fragments":[
            {"anchor":"1 7 0 1000000 0 - - 0","end":8000,"durationMs":500}],
            "contents":["1:7:00000001:20000000:0:"]}"#;
        let read = Checkpoint::from_json(before).unwrap();
        assert_eq!((read.next, read.acknowledged, read.fragments.len()), (8_000, 8_000, 1));
        assert_eq!(read.contents, [Content::from_text("1:7:00000001:20000000:0:").unwrap()]);
        for version in [VERSION - 2, VERSION + 1] {
            let text = before.replace(":3,", &format!(":{version},"));
            assert_eq!(
                Checkpoint::from_json(&text),
                Err(CheckpointError::Version { found: version })
            );
        }
        assert!(matches!(Checkpoint::from_json("{}"), Err(CheckpointError::Malformed(_))));
    }
}
