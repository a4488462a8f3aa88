//! What the next run needs to go on where this one stopped, and the running account it is drawn
//! from.
//!
//! The rule that makes a re-run exact: a checkpoint names only what the processor has *accepted*.
//! To go on, the reader starts after fragment F(k−w−1), so that F(k−w)…F(k), at least the warm-up
//! time together, settle the decoder and are dropped; F(k) is the last fragment accepted whole
//! (DESIGN §6). GetMedia's FRAGMENT_NUMBER is exclusive, hence the one fragment more.

use media::{Anchor, FragmentNumber};
use serde::{Deserialize, Serialize};

use crate::breaker::Breaker;
use crate::config::Config;

/// Written into every checkpoint and continuation; a build reads its own version and the one before.
pub const VERSION: u32 = 2;

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
    /// The final chunk was accepted.
    pub finished: bool,
    /// The session's breaker.
    pub breaker: Breaker,
    /// Wall clock of the last release, ms: lets the next link tell how long nobody delivered.
    pub released_at_ms: Option<u64>,
    /// Running totals.
    pub totals: Totals,
}

/// Where and how to start reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPlan {
    /// Start after this fragment; `None` = the oldest one KVS has.
    pub after: Option<FragmentNumber>,
    /// Timeline at the first fragment to come; `None` = a stream nobody has read.
    pub anchor: Option<Anchor>,
    /// Samples before this position are dropped.
    pub floor: u64,
}

impl Checkpoint {
    /// The state of a session nothing was delivered of.
    #[must_use]
    pub fn fresh(chunk_ms: u64) -> Self {
        Self {
            chunk_ms,
            next: 0,
            acknowledged: 0,
            origin: None,
            fragments: Vec::new(),
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
        // Version 1 lacked `acknowledged`, `finished`, `breaker` and `releasedAtMs`.
        let document: Document = serde_json::from_str(text).map_err(malformed)?;
        document.try_into()
    }

    /// How to read on from position `floor`.
    #[must_use]
    pub fn plan(&self, floor: u64, warm_up_ms: u64) -> ReadPlan {
        plan(&self.fragments, self.origin.as_ref(), floor, warm_up_ms)
    }
}

fn plan(fragments: &[Fragment], origin: Option<&Anchor>, floor: u64, warm_up_ms: u64) -> ReadPlan {
    let settled = fragments.iter().take_while(|fragment| fragment.end <= floor).count();
    let (first, _) = warm_up(&fragments[..settled], warm_up_ms);
    match first.checked_sub(1) {
        Some(before) => ReadPlan {
            after: Some(fragments[before].anchor.fragment.clone()),
            anchor: Some(fragments[first].anchor.clone()),
            floor,
        },
        None => ReadPlan { after: None, anchor: origin.cloned(), floor },
    }
}

/// Index of the first of the trailing fragments that last `warm_up_ms` together (at least one),
/// and their time.
fn warm_up(fragments: &[Fragment], warm_up_ms: u64) -> (usize, u64) {
    let (mut first, mut time) = (fragments.len(), 0);
    while first > 0 && (time < warm_up_ms || first == fragments.len()) {
        first -= 1;
        time += fragments[first].duration_ms;
    }
    (first, time)
}

/// The account of a run: fragments as they arrive, samples as they are settled.
#[derive(Debug)]
pub struct Ledger {
    checkpoint: Checkpoint,
    /// All complete fragments not yet pruned, oldest first, settled or not.
    fragments: Vec<Fragment>,
    warm_up_ms: u64,
}

impl Ledger {
    /// Goes on from a checkpoint.
    #[must_use]
    pub fn new(checkpoint: Checkpoint, config: &Config) -> Self {
        let fragments = checkpoint.fragments.clone();
        Self { checkpoint, fragments, warm_up_ms: config.warm_up_ms }
    }

    /// The state as it would be written now.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let settled: Vec<Fragment> = self
            .fragments
            .iter()
            .take_while(|fragment| fragment.end <= self.checkpoint.next)
            .cloned()
            .collect();
        Checkpoint { fragments: settled, ..self.checkpoint.clone() }
    }

    /// The settled part, for reading and for the counters in it.
    #[must_use]
    pub fn state(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The settled part, to change its counters and breaker.
    pub fn state_mut(&mut self) -> &mut Checkpoint {
        &mut self.checkpoint
    }

    /// A fragment began; the first one ever fixes the origin.
    pub fn begin(&mut self, anchor: &Anchor) {
        if self.checkpoint.origin.is_none() && anchor.origin_ms.is_some() {
            self.checkpoint.origin = Some(anchor.clone());
        }
    }

    /// A fragment arrived whole.
    pub fn complete(&mut self, fragment: Fragment) {
        let newer = self
            .fragments
            .last()
            .is_none_or(|last| fragment.anchor.fragment > last.anchor.fragment);
        if newer {
            self.fragments.push(fragment);
            self.prune();
        }
    }

    /// Everything before `end` is accepted by the processor.
    pub fn accept(&mut self, end: u64) {
        self.checkpoint.next = self.checkpoint.next.max(end);
        self.checkpoint.acknowledged = self.checkpoint.acknowledged.max(end);
        self.prune();
    }

    /// Everything before `end` is settled without the processor (a gap, a pause, a dead letter).
    pub fn skip(&mut self, end: u64) {
        self.checkpoint.next = self.checkpoint.next.max(end);
        self.prune();
    }

    /// The processor knows nothing from `position` on.
    pub fn rewind(&mut self, position: u64) {
        self.checkpoint.next = position;
        self.checkpoint.acknowledged = position;
    }

    /// Goes on from a later checkpoint of the same session, keeping the fragments read meanwhile.
    pub fn adopt(&mut self, checkpoint: Checkpoint) {
        let known = self.fragments.first().map(|first| first.anchor.fragment.clone());
        let mut fragments = checkpoint.fragments.clone();
        fragments.retain(|theirs| known.as_ref().is_none_or(|own| theirs.anchor.fragment < *own));
        fragments.append(&mut self.fragments);
        self.fragments = fragments;
        let origin = checkpoint.origin.clone().or(self.checkpoint.origin.take());
        self.checkpoint = Checkpoint { origin, ..checkpoint };
        self.prune();
    }

    /// How to read on from `floor`, from all that is known in this run.
    #[must_use]
    pub fn plan(&self, floor: u64) -> ReadPlan {
        plan(&self.fragments, self.checkpoint.origin.as_ref(), floor, self.warm_up_ms)
    }

    /// Forgets fragments that no resume can need: older than the warm-up and one.
    fn prune(&mut self) {
        let next = self.checkpoint.next;
        let settled = self.fragments.iter().take_while(|fragment| fragment.end <= next).count();
        let (first, time) = warm_up(&self.fragments[..settled], self.warm_up_ms);
        if time >= self.warm_up_ms {
            self.fragments.drain(..first.saturating_sub(1));
        }
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
                })
                .collect(),
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
        let anchor = |text: &str| {
            Anchor::from_text(text).map_err(|error| CheckpointError::Malformed(error.to_string()))
        };
        let fragments = document
            .fragments
            .iter()
            .map(|fragment| {
                Ok(Fragment {
                    anchor: anchor(&fragment.anchor)?,
                    end: fragment.end,
                    duration_ms: fragment.duration_ms,
                })
            })
            .collect::<Result<_, CheckpointError>>()?;
        Ok(Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Fragment `n` of one second: samples [(n-1)·16000, n·16000).
    fn fragment(n: u64) -> Fragment {
        let anchor = Anchor {
            fragment: n.to_string().parse().unwrap(),
            next: i64::try_from((n - 1) * 16_000).unwrap(),
            origin_ms: Some(1_000_000),
            shift: 0,
            session_ms: Some(1_000_000),
            server_ms: Some(1_000_000),
            server_position: 0,
        };
        Fragment { anchor, end: n * 16_000, duration_ms: 1_000 }
    }

    fn ledger(read: u64, accepted: u64) -> Ledger {
        let mut ledger = Ledger::new(Checkpoint::fresh(500), &Config::scaled(1.0));
        for n in 1..=read {
            ledger.begin(&fragment(n).anchor);
            ledger.complete(fragment(n));
        }
        ledger.accept(accepted);
        ledger
    }

    #[test]
    fn resumes_the_warm_up_before_the_last_fragment_that_was_accepted_whole() {
        // 8 fragments read, 6.5 accepted: F(k) = 6, warm-up = 4, 5, 6, so start after 3.
        let checkpoint = ledger(8, 6 * 16_000 + 8_000).checkpoint();
        let plan = checkpoint.plan(checkpoint.next, 3_000);
        assert_eq!(plan.after.unwrap().as_str(), "3");
        assert_eq!(plan.anchor.unwrap().fragment.as_str(), "4");
        assert_eq!(plan.floor, 104_000);
    }

    #[test]
    fn a_session_too_young_for_a_warm_up_starts_at_its_first_fragment() {
        for accepted in [0, 8_000, 16_000, 40_000] {
            let checkpoint = ledger(3, accepted).checkpoint();
            let plan = checkpoint.plan(accepted, 3_000);
            assert_eq!(plan.after, None, "{accepted}");
            assert_eq!(plan.anchor.unwrap().fragment.as_str(), "1", "{accepted}");
        }
    }

    #[test]
    fn a_checkpoint_stays_small_however_long_the_session() {
        let mut ledger = ledger(0, 0);
        for n in 1..=10_000 {
            ledger.begin(&fragment(n).anchor);
            ledger.complete(fragment(n));
            ledger.accept(n * 16_000);
            assert!(ledger.checkpoint().fragments.len() <= 4);
        }
        assert!(ledger.checkpoint().to_json().len() < 2_000);
    }

    #[test]
    fn json_is_read_back() {
        let checkpoint = ledger(8, 100_000).checkpoint();
        assert_eq!(Checkpoint::from_json(&checkpoint.to_json()), Ok(checkpoint));
    }

    #[test]
    fn the_version_before_is_read_and_any_other_refused() {
        let one = r#"{"version":1,"chunkMs":500,"next":8000,"fragments":[]}"#;
        let read = Checkpoint::from_json(one).unwrap();
        assert_eq!((read.next, read.acknowledged, read.finished), (8_000, 8_000, false));
        for version in [0, VERSION + 1] {
            let text = one.replace(":1,", &format!(":{version},"));
            assert_eq!(
                Checkpoint::from_json(&text),
                Err(CheckpointError::Version { found: version })
            );
        }
        assert!(matches!(Checkpoint::from_json("{}"), Err(CheckpointError::Malformed(_))));
    }

    #[test]
    fn a_successor_that_read_ahead_adopts_what_was_accepted_meanwhile() {
        // It started at fragment 4 and read up to 9; the holder got to the end of fragment 7.
        let mut ahead = Ledger::new(ledger(6, 96_000).checkpoint(), &Config::scaled(1.0));
        for n in 7..=9 {
            ahead.complete(fragment(n));
        }
        ahead.adopt(ledger(8, 7 * 16_000).checkpoint());
        let plan = ahead.checkpoint().plan(7 * 16_000, 3_000);
        assert_eq!(plan.after.unwrap().as_str(), "4");
        assert_eq!(ahead.plan(9 * 16_000).after.unwrap().as_str(), "6");
    }
}
