//! The progress of a run: which fragments were read, which samples are settled, what the next run
//! resumes from.
//!
//! To resume, the reader first reads again the last settled fragments that together last at least
//! the warm-up time. Their decoded audio is dropped; after them the decoder's output is stable.
//! GetMedia starts after the fragment that it is given, so one more fragment is kept before them.
//!
//! What the reader counts in a fragment is added to the totals when the fragment is settled. The
//! totals of a checkpoint therefore cover exactly its settled fragments, and a run that reads the
//! others again counts nothing twice.

use std::collections::VecDeque;

use media::{Content, FragmentNumber, ResumePoint};

use crate::checkpoint::{Checkpoint, CompleteFragment};
use crate::config::Config;

/// Maximum number of settled fragments kept, so that a checkpoint stays within a few kilobytes for
/// any stream. KVS fragments last a second or more, so these cover every warm-up.
const MAX_SETTLED: usize = 32;

/// Duration of audio before the kept fragments whose fingerprints are kept, ms: the history that
/// [`media::Stream`] compares with.
const CONTENTS_MS: u64 = 64_000;

/// Maximum number of fingerprints kept.
const MAX_CONTENTS: usize = 64;

/// Samples of one fragment that are not delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FragmentCounts {
    /// The producer had already sent them.
    pub(crate) repeated: u64,
    /// Not decoded, because the fragment declares more audio than it can hold.
    pub(crate) refused: u64,
    /// KVS no longer had them when the reader resumed.
    pub(crate) unavailable: u64,
}

/// A fragment that was read and is not settled.
#[derive(Debug, Clone)]
struct Unsettled {
    number: FragmentNumber,
    /// Position after its last sample.
    end: u64,
    /// When KVS began to receive it, ms: its retention starts here.
    server_ms: Option<u64>,
    counts: FragmentCounts,
}

/// Fragments as they are read, samples as they are settled.
#[derive(Debug)]
pub(crate) struct Progress {
    checkpoint: Checkpoint,
    /// All complete fragments not yet pruned, oldest first, settled or not.
    fragments: Vec<CompleteFragment>,
    unsettled: VecDeque<Unsettled>,
    /// Fingerprints of the pruned fragments.
    contents: VecDeque<Content>,
    warm_up_ms: u64,
}

impl Progress {
    /// Resumes from a checkpoint.
    pub(crate) fn new(checkpoint: Checkpoint, config: &Config) -> Self {
        Self {
            fragments: checkpoint.fragments.clone(),
            unsettled: VecDeque::new(),
            contents: checkpoint.contents.clone().into(),
            warm_up_ms: config.warm_up_ms,
            checkpoint,
        }
    }

    /// Returns the current checkpoint.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let settled: Vec<CompleteFragment> = self
            .fragments
            .iter()
            .take_while(|fragment| fragment.end <= self.checkpoint.next)
            .cloned()
            .collect();
        let contents = self.contents.iter().cloned().collect();
        Checkpoint { fragments: settled, contents, ..self.checkpoint.clone() }
    }

    /// Returns the settled state and its totals.
    pub(crate) fn settled(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the settled state, to change its totals and breaker.
    pub(crate) fn settled_mut(&mut self) -> &mut Checkpoint {
        &mut self.checkpoint
    }

    /// Returns the session's chunk length, samples.
    pub(crate) fn chunk_samples(&self) -> u64 {
        Config::samples(self.checkpoint.chunk_ms).max(1)
    }

    /// Returns when KVS began to receive the oldest fragment that is not settled, ms; `None` if all
    /// are.
    pub(crate) fn oldest_unsettled_ms(&self) -> Option<u64> {
        self.unsettled.iter().find_map(|fragment| fragment.server_ms)
    }

    /// Records the start of a fragment. The session's first one fixes the origin.
    pub(crate) fn begin(&mut self, resume_point: &ResumePoint) {
        if self.checkpoint.origin.is_none() && resume_point.origin_ms.is_some() {
            self.checkpoint.origin = Some(resume_point.clone());
        }
    }

    /// Records a complete fragment that KVS began to receive at `server_ms`. The counts of a
    /// fragment that this session has counted before are ignored. Returns whether it is new.
    pub(crate) fn complete(
        &mut self,
        fragment: CompleteFragment,
        server_ms: Option<u64>,
        counts: FragmentCounts,
    ) -> bool {
        let number = fragment.resume_point.fragment.clone();
        let end = fragment.end;
        let new = self.fragments.last().is_none_or(|last| number > last.resume_point.fragment);
        if new {
            self.fragments.push(fragment);
        }
        if new || self.unsettled.back().is_none_or(|last| number > last.number) {
            let counts = if new { counts } else { FragmentCounts::default() };
            self.unsettled.push_back(Unsettled { number, end, server_ms, counts });
            self.settle();
        }
        new
    }

    /// Records that the processor accepted everything before `end`.
    pub(crate) fn accept(&mut self, end: u64) {
        self.checkpoint.acknowledged = self.checkpoint.acknowledged.max(end);
        self.skip(end);
    }

    /// Records that everything before `end` is settled without the processor (a gap, a pause, a
    /// dead letter).
    pub(crate) fn skip(&mut self, end: u64) {
        self.checkpoint.next = self.checkpoint.next.max(end);
        self.settle();
    }

    /// Counts everything that was read and is not settled as unavailable, because it will not be
    /// read again. Returns the number of samples.
    pub(crate) fn give_up(&mut self) -> u64 {
        let read_to = self.fragments.last().map_or(0, |last| last.end);
        let lost = read_to.saturating_sub(self.checkpoint.next);
        self.checkpoint.totals.unavailable += lost;
        lost
    }

    /// Goes back to `position`: the processor has no samples from there on.
    pub(crate) fn rewind(&mut self, position: u64) {
        self.checkpoint.next = position;
        self.checkpoint.acknowledged = position;
    }

    /// Continues from a later checkpoint of the same session and keeps the fragments read since.
    pub(crate) fn adopt(&mut self, checkpoint: Checkpoint) {
        let last_settled = checkpoint.fragments.last().map(|last| &last.resume_point.fragment);
        if let Some(last_settled) = last_settled {
            self.unsettled.retain(|fragment| fragment.number > *last_settled);
        }
        let first_local = self.fragments.first().map(|first| first.resume_point.fragment.clone());
        let adopted = checkpoint.fragments.first().map(|first| &first.resume_point.fragment);
        if adopted.is_some_and(|adopted| first_local.as_ref().is_none_or(|local| adopted < local)) {
            // The fingerprints must precede the first fragment, and that is now the checkpoint's.
            self.contents = checkpoint.contents.clone().into();
        }
        let mut fragments = checkpoint.fragments.clone();
        fragments.retain(|adopted| {
            first_local.as_ref().is_none_or(|local| adopted.resume_point.fragment < *local)
        });
        fragments.append(&mut self.fragments);
        self.fragments = fragments;
        let origin = checkpoint.origin.clone().or(self.checkpoint.origin.take());
        self.checkpoint = Checkpoint { origin, ..checkpoint };
        self.settle();
    }

    /// Returns how to resume reading from `floor`, based on all fragments known to this run.
    pub(crate) fn plan(&self, floor: u64) -> ReadPlan {
        let (after, first) = start(&self.fragments, floor, self.warm_up_ms);
        let Some(first) = first else {
            let resume_point = self.checkpoint.origin.clone();
            return ReadPlan { after, resume_point, contents: Vec::new(), floor };
        };
        let before = self.fragments[..first].iter().filter_map(|before| before.content.clone());
        let contents = self.contents.iter().cloned().chain(before).collect();
        ReadPlan {
            after,
            resume_point: Some(self.fragments[first].resume_point.clone()),
            contents,
            floor,
        }
    }

    /// Adds the counts of a settled fragment, or of a fragment that will not be completed, to the
    /// totals.
    pub(crate) fn count(&mut self, counts: FragmentCounts) {
        let totals = &mut self.checkpoint.totals;
        totals.repeated += counts.repeated;
        totals.refused += counts.refused;
        totals.unavailable += counts.unavailable;
    }

    /// Adds the counts of settled fragments to the totals and drops the fragments that no resume
    /// needs.
    fn settle(&mut self) {
        let next = self.checkpoint.next;
        while let Some(fragment) = self.unsettled.pop_front_if(|fragment| fragment.end <= next) {
            self.count(fragment.counts);
        }
        self.prune();
    }

    /// Drops fragments that no resume needs: those older than the warm-up and one more. Fragments
    /// without audio have no duration; only the last few of a long sequence are kept, because a
    /// decoder that starts within that silence misses nothing.
    fn prune(&mut self) {
        let next = self.checkpoint.next;
        let settled = self.fragments.iter().take_while(|fragment| fragment.end <= next).count();
        let (first, time) = warm_up(&self.fragments[..settled], self.warm_up_ms);
        let enough = if time >= self.warm_up_ms { first.saturating_sub(1) } else { 0 };
        let old = self.fragments.drain(..enough.max(settled.saturating_sub(MAX_SETTLED)));
        self.contents.extend(old.filter_map(|fragment| fragment.content));
        Content::forget_old(&mut self.contents, CONTENTS_MS, MAX_CONTENTS);
    }
}

/// Where and how to start reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadPlan {
    /// Start after this fragment; `None` = the oldest one in KVS.
    pub(crate) after: Option<FragmentNumber>,
    /// Timeline at the first fragment to read; `None` = the stream has not been read before.
    pub(crate) resume_point: Option<ResumePoint>,
    /// Fingerprints of the preceding fragments, oldest first.
    pub(crate) contents: Vec<Content>,
    /// Samples before this position are dropped.
    pub(crate) floor: u64,
}

/// Returns the fragment to start after and the index of the first fragment to read. Both are
/// `None` if reading starts at the oldest fragment in KVS.
fn start(
    fragments: &[CompleteFragment],
    floor: u64,
    warm_up_ms: u64,
) -> (Option<FragmentNumber>, Option<usize>) {
    let settled = fragments.iter().take_while(|fragment| fragment.end <= floor).count();
    let (mut first, _) = warm_up(&fragments[..settled], warm_up_ms);
    if settled >= MAX_SETTLED {
        // Earlier fragments were pruned, so reading must start after the oldest known one.
        first = first.max(1);
    }
    match first.checked_sub(1) {
        Some(before) => (Some(fragments[before].resume_point.fragment.clone()), Some(first)),
        None => (None, None),
    }
}

/// Returns the index of the first of the trailing fragments (at least one) that together last
/// `warm_up_ms`, and their duration.
fn warm_up(fragments: &[CompleteFragment], warm_up_ms: u64) -> (usize, u64) {
    let (mut first, mut time) = (fragments.len(), 0);
    while first > 0 && (time < warm_up_ms || first == fragments.len()) {
        first -= 1;
        time += fragments[first].duration_ms;
    }
    (first, time)
}

#[cfg(test)]
mod tests;
