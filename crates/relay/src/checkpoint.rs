//! What the next run needs to go on where this one stopped.
//!
//! The rule that makes a re-run exact: a checkpoint names only what the processor has *accepted*.
//! The running account it is drawn from is the [`Ledger`](crate::ledger::Ledger).

use media::{Anchor, Content};
use serde::{Deserialize, Serialize};
use session::StreamItem;

use crate::breaker::Breaker;
use crate::config::Config;

/// Written into every checkpoint and continuation; a build reads its own version and the one before.
pub const VERSION: u32 = 3;

/// Why a checkpoint cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Written by a build that this one does not know.
    #[error(
        "version {found} was written by another build; this one reads {VERSION} and the one before"
    )]
    Version {
        /// The version found.
        found: u32,
    },
    /// Not the JSON this crate writes.
    #[error("malformed: {0}")]
    Malformed(String),
}

/// A complete fragment: where it began and where its samples end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Timeline at its start; names the fragment.
    pub anchor: Anchor,
    /// Position after its last sample.
    pub end: u64,
    /// Time its audio covers, ms.
    pub duration_ms: u64,
    /// What its audio was; `None` without audio.
    pub content: Option<Content>,
}

/// Running totals of a session, over all of its runs. Samples unless named otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    /// Accepted by the processor.
    pub delivered: u64,
    /// Among the delivered: concealed or silent, because no packet carried them.
    pub filled: u64,
    /// Skipped because the producer sent nothing for longer than MAX_FILL_MS.
    pub gap: u64,
    /// Skipped while the session was paused.
    pub paused: u64,
    /// Skipped because KVS no longer had them.
    pub unavailable: u64,
    /// Not delivered because the producer had sent them before, under another fragment number.
    pub repeated: u64,
    /// Not decoded because a fragment claimed more audio than it can hold.
    pub refused: u64,
    /// Skipped because the processor refused them for good (kept in the dead-letter queue).
    pub dead_lettered: u64,
    /// Offered again although the processor had them.
    pub offered_twice: u64,
    /// Chunks delivered (a count).
    pub chunks: u64,
    /// Links handed on so far (a count).
    pub hand_offs: u64,
}

/// The durable state of one session's carriage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Chunk length in ms, fixed by the session's first checkpoint.
    pub chunk_ms: u64,
    /// Everything before this position is settled: accepted, or skipped and counted.
    pub next: u64,
    /// The processor's own position: the end of the last samples it accepted.
    pub acknowledged: u64,
    /// The session's first fragment, which fixes position 0.
    pub origin: Option<Anchor>,
    /// The last complete fragments that are settled whole, oldest first: the warm-up and one more.
    pub fragments: Vec<Fragment>,
    /// What the fragments before those were, oldest first, over the last minute: to recognise them if
    /// the producer sends them again.
    pub contents: Vec<Content>,
    /// The final chunk was accepted.
    pub finished: bool,
    /// The session's breaker.
    pub breaker: Breaker,
    /// Wall clock of the last release, ms: lets the next link tell how long nobody delivered.
    pub released_at_ms: Option<u64>,
    /// Running totals.
    pub totals: Totals,
}

impl Checkpoint {
    /// The checkpoint of a Streams item, fresh when nothing was delivered yet.
    ///
    /// # Errors
    /// It was written by another build or is damaged.
    pub fn of(item: &StreamItem, config: &Config) -> Result<Self, CheckpointError> {
        match &item.checkpoint {
            Some(text) => Self::from_json(text),
            None => Ok(Self::fresh(config.chunk_ms)),
        }
    }

    /// The state of a session nothing was delivered of.
    #[must_use]
    pub fn fresh(chunk_ms: u64) -> Self {
        Self {
            chunk_ms,
            next: 0,
            acknowledged: 0,
            origin: None,
            fragments: Vec::new(),
            contents: Vec::new(),
            finished: false,
            breaker: Breaker::default(),
            released_at_ms: None,
            totals: Totals::default(),
        }
    }

    /// One line of JSON, with its version.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&Document::from(self)).unwrap_or_default()
    }

    /// Reads [`Checkpoint::to_json`] of this version or the one before.
    ///
    /// # Errors
    /// [`CheckpointError`] for another version or anything else that is not a checkpoint.
    pub fn from_json(text: &str) -> Result<Self, CheckpointError> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let malformed = |error: serde_json::Error| CheckpointError::Malformed(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(malformed)?;
        if head.version != VERSION && head.version + 1 != VERSION {
            return Err(CheckpointError::Version { found: head.version });
        }
        // Version 2 lacked `contents`, and the content of each fragment.
        let document: Document = serde_json::from_str(text).map_err(malformed)?;
        document.try_into()
    }
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    version: u32,
    chunk_ms: u64,
    next: u64,
    acknowledged: Option<u64>,
    origin: Option<String>,
    #[serde(default)]
    fragments: Vec<FragmentDocument>,
    #[serde(default)]
    contents: Vec<String>,
    #[serde(default)]
    finished: bool,
    #[serde(default)]
    breaker: Breaker,
    #[serde(default)]
    released_at_ms: Option<u64>,
    #[serde(default)]
    totals: Totals,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FragmentDocument {
    anchor: String,
    end: u64,
    duration_ms: u64,
    #[serde(default)]
    content: Option<String>,
}

impl From<&Checkpoint> for Document {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            version: VERSION,
            chunk_ms: checkpoint.chunk_ms,
            next: checkpoint.next,
            acknowledged: Some(checkpoint.acknowledged),
            origin: checkpoint.origin.as_ref().map(Anchor::to_text),
            fragments: checkpoint
                .fragments
                .iter()
                .map(|fragment| FragmentDocument {
                    anchor: fragment.anchor.to_text(),
                    end: fragment.end,
                    duration_ms: fragment.duration_ms,
                    content: fragment.content.as_ref().map(Content::to_text),
                })
                .collect(),
            contents: checkpoint.contents.iter().map(Content::to_text).collect(),
            finished: checkpoint.finished,
            breaker: checkpoint.breaker.clone(),
            released_at_ms: checkpoint.released_at_ms,
            totals: checkpoint.totals,
        }
    }
}

impl TryFrom<Document> for Checkpoint {
    type Error = CheckpointError;

    fn try_from(document: Document) -> Result<Self, CheckpointError> {
        let malformed = |error: media::Error| CheckpointError::Malformed(error.to_string());
        let anchor = |text: &str| Anchor::from_text(text).map_err(malformed);
        let content = |text: &str| Content::from_text(text).map_err(malformed);
        let fragments = document
            .fragments
            .iter()
            .map(|fragment| {
                Ok(Fragment {
                    anchor: anchor(&fragment.anchor)?,
                    end: fragment.end,
                    duration_ms: fragment.duration_ms,
                    content: fragment.content.as_deref().map(content).transpose()?,
                })
            })
            .collect::<Result<_, CheckpointError>>()?;
        let contents = document.contents.iter().map(|text| content(text));
        let contents = contents.collect::<Result<_, CheckpointError>>()?;
        Ok(Self {
            contents,
            chunk_ms: document.chunk_ms,
            next: document.next,
            acknowledged: document.acknowledged.unwrap_or(document.next),
            origin: document.origin.as_deref().map(anchor).transpose()?,
            fragments,
            finished: document.finished,
            breaker: document.breaker,
            released_at_ms: document.released_at_ms,
            totals: document.totals,
        })
    }
}

impl session::reconcile::Checkpoints for Config {
    fn dead_lettered(&self, item: &StreamItem) -> Result<u64, String> {
        let checkpoint = Checkpoint::of(item, self).map_err(|error| error.to_string())?;
        Ok(checkpoint.totals.dead_lettered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_back() {
        let mut checkpoint = Checkpoint { next: 100_000, ..Checkpoint::fresh(500) };
        let anchor = Anchor {
            fragment: "7".parse().unwrap(),
            next: 96_000,
            fraction: 0,
            lost: 0,
            stamps: Vec::new(),
            origin_ms: Some(1_000_000),
            shift: -3,
            session_ms: Some(1_000_000),
            server_ms: Some(1_000_000),
            server_position: 0,
            label: None,
        };
        checkpoint.origin = Some(anchor.clone());
        let content = Some(Content::from_text("1:7:00000001:20000000:0:").unwrap());
        checkpoint.contents.extend(content.clone());
        checkpoint.fragments = vec![Fragment { anchor, end: 112_000, duration_ms: 1_000, content }];
        assert_eq!(Checkpoint::from_json(&checkpoint.to_json()), Ok(checkpoint));
    }

    #[test]
    fn the_version_before_is_read_and_any_other_refused() {
        let before = r#"{"version":2,"chunkMs":500,"next":8000,"acknowledged":8000,"fragments":[
            {"anchor":"1 7 0 1000000 0 - - 0","end":8000,"durationMs":500}]}"#;
        let read = Checkpoint::from_json(before).unwrap();
        assert_eq!((read.next, read.acknowledged, read.fragments.len()), (8_000, 8_000, 1));
        assert_eq!(read.contents, []);
        for version in [VERSION - 2, VERSION + 1] {
            let text = before.replace(":2,", &format!(":{version},"));
            assert_eq!(
                Checkpoint::from_json(&text),
                Err(CheckpointError::Version { found: version })
            );
        }
        assert!(matches!(Checkpoint::from_json("{}"), Err(CheckpointError::Malformed(_))));
    }
}
