//! The words of a session, as they are shown.

use serde::{Deserialize, Serialize};

/// The words of a session, and the state of their recognition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Words {
    /// The state of the recognition.
    pub state: State,
    /// Why it failed, or that no process is free.
    pub reason: Option<String>,
    /// Accepted audio that was not recognised, in ms.
    pub missed_ms: u64,
    /// The lines, in the order in which they were spoken.
    pub lines: Vec<Line>,
}

impl Words {
    /// Returns the words of any session of a cloud without a recogniser.
    pub fn absent() -> Self {
        Self { state: State::Absent, ..Self::default() }
    }
}

/// The state of the recognition of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// The cloud has no recogniser.
    Absent,
    /// No audio has been accepted yet.
    #[default]
    Waiting,
    /// Audio is being recognised, or awaited.
    Running,
    /// All audio has been recognised.
    Ended,
    /// The recogniser failed, or no process is free; `reason` says which.
    Failed,
}

/// A recognised line, for example a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The number of the line in its session, from 0. A line that is not final is replaced by one
    /// with the same number.
    pub number: u64,
    /// Where it begins in the session, in ms.
    pub start_ms: u64,
    /// Where it ends in the session, in ms.
    pub end_ms: u64,
    /// When its beginning was spoken, by the producer's clock: ms since the epoch.
    pub spoken_at: i64,
    /// The words.
    pub text: String,
    /// Whether the line will not change.
    pub is_final: bool,
}
