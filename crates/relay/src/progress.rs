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
use std::sync::{Mutex, MutexGuard, PoisonError};

use media::{Content, FragmentNumber, ResumePoint};

use crate::checkpoint::{Checkpoint, Fragment};
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
    fragments: Vec<Fragment>,
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
        let settled: Vec<Fragment> = self
            .fragments
            .iter()
            .take_while(|fragment| fragment.end <= self.checkpoint.next)
            .cloned()
            .collect();
        let contents = self.contents.iter().cloned().collect();
        Checkpoint { fragments: settled, contents, ..self.checkpoint.clone() }
    }

    /// Returns the settled state and its totals.
    pub(crate) fn state(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the settled state, to change its totals and breaker.
    pub(crate) fn state_mut(&mut self) -> &mut Checkpoint {
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
        fragment: Fragment,
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

    /// Counts everything that was read and is not settled as unavailable: it will not be read again.
    /// Returns the number of samples.
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

/// The progress, shared by the reader, the deliverer and the lease renewer.
#[derive(Debug)]
pub(crate) struct SharedProgress(Mutex<Progress>);

impl SharedProgress {
    pub(crate) fn new(progress: Progress) -> Self {
        Self(Mutex::new(progress))
    }

    /// Locks the progress. The guard must not be held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Progress> {
        // Held for a few instructions by futures of one task: only a panic that already ended the
        // run can poison it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    fragments: &[Fragment],
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
fn warm_up(fragments: &[Fragment], warm_up_ms: u64) -> (usize, u64) {
    let (mut first, mut time) = (fragments.len(), 0);
    while first > 0 && (time < warm_up_ms || first == fragments.len()) {
        first -= 1;
        time += fragments[first].duration_ms;
    }
    (first, time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fragment `n`, one second long: samples [(n-1)·16000, n·16000).
    fn fragment(n: u64) -> Fragment {
        let resume_point = ResumePoint {
            fragment: n.to_string().parse().unwrap(),
            next: i64::try_from((n - 1) * 16_000).unwrap(),
            fraction: 0,
            lost: 0,
            stamps: Vec::new(),
            origin_ms: Some(1_000_000),
            clock_offset: 0,
            session_ms: Some(1_000_000),
            server_ms: Some(1_000_000),
            server_position: 0,
            mime_hint: None,
        };
        let content = Content::from_text(&format!("1:{n}:00000001:1000000000:0:")).ok();
        Fragment { resume_point, end: n * 16_000, duration_ms: 1_000, content }
    }

    fn read(progress: &mut Progress, fragment: Fragment) -> bool {
        progress.complete(fragment, None, FragmentCounts::default())
    }

    fn progress(fragments: u64, accepted: u64) -> Progress {
        let mut progress = Progress::new(Checkpoint::fresh(500), &Config::scaled(1.0));
        for n in 1..=fragments {
            progress.begin(&fragment(n).resume_point);
            read(&mut progress, fragment(n));
        }
        progress.accept(accepted);
        progress
    }

    /// The progress of a run that resumes from a checkpoint.
    fn resumed(checkpoint: &Checkpoint) -> Progress {
        Progress::new(checkpoint.clone(), &Config::scaled(1.0))
    }

    #[test]
    fn resumes_the_warm_up_before_the_last_fragment_that_was_accepted_whole() {
        // 8 fragments read, 6.5 accepted: F(k) = 6, warm-up = 4, 5, 6, so start after 3.
        let checkpoint = progress(8, 6 * 16_000 + 8_000).checkpoint();
        let plan = resumed(&checkpoint).plan(checkpoint.next);
        assert_eq!(plan.after.unwrap().as_str(), "3");
        assert_eq!(plan.resume_point.unwrap().fragment.as_str(), "4");
        assert_eq!(plan.floor, 104_000);
    }

    #[test]
    fn contents_are_those_before_the_first_fragment_that_is_read() {
        let times = |plan: &ReadPlan| {
            plan.contents.iter().map(|content| content.time_ms()).collect::<Vec<_>>()
        };
        let checkpoint = progress(8, 6 * 16_000 + 8_000).checkpoint();
        let progress = resumed(&checkpoint);
        assert_eq!(times(&progress.plan(checkpoint.next)), [1, 2, 3]);
        // Reading from the beginning has no preceding fragments.
        assert!(times(&progress.plan(0)).is_empty());
    }

    #[test]
    fn a_successor_never_takes_what_it_will_read_for_something_seen() {
        for (fragments, accepted) in [(8, 7), (30, 29), (6, 6)] {
            let mut ahead = Progress::new(progress(6, 96_000).checkpoint(), &Config::scaled(1.0));
            for n in 7..=9 {
                read(&mut ahead, fragment(n));
            }
            ahead.adopt(progress(fragments, accepted * 16_000).checkpoint());
            for floor in (0..=accepted * 16_000).step_by(8_000) {
                let plan = ahead.plan(floor);
                let first = plan.resume_point.map(|resume_point| resume_point.fragment).unwrap();
                for content in plan.contents {
                    let number: FragmentNumber = content.time_ms().to_string().parse().unwrap();
                    assert!(number < first, "{number} is read again from {first} on");
                }
            }
        }
    }

    #[test]
    fn a_session_too_young_for_a_warm_up_starts_at_its_first_fragment() {
        for accepted in [0, 8_000, 16_000, 40_000] {
            let checkpoint = progress(3, accepted).checkpoint();
            let plan = resumed(&checkpoint).plan(accepted);
            assert_eq!(plan.after, None, "{accepted}");
            assert_eq!(plan.resume_point.unwrap().fragment.as_str(), "1", "{accepted}");
        }
    }

    #[test]
    fn a_checkpoint_stays_small_however_long_the_session() {
        let mut progress = progress(0, 0);
        for n in 1..=10_000 {
            progress.begin(&fragment(n).resume_point);
            read(&mut progress, fragment(n));
            progress.accept(n * 16_000);
            assert!(progress.checkpoint().fragments.len() <= 4);
        }
        // About one minute of history; each fragment of these tests holds one packet.
        assert_eq!(progress.checkpoint().contents.len(), 64);
        assert!(progress.checkpoint().to_json().len() < 5_000);
    }

    #[test]
    fn a_checkpoint_stays_small_during_long_silence() {
        let mut progress = progress(8, 8 * 16_000);
        for n in 9..=10_000 {
            let silent = Fragment { end: 8 * 16_000, duration_ms: 0, ..fragment(n) };
            progress.begin(&silent.resume_point);
            read(&mut progress, silent);
        }
        assert!(progress.checkpoint().fragments.len() <= MAX_SETTLED);
        let plan = resumed(&progress.checkpoint()).plan(8 * 16_000);
        assert_eq!(plan.floor, 8 * 16_000);
        assert!(plan.after.unwrap() > "9900".parse().unwrap());
    }

    #[test]
    fn a_successor_that_read_ahead_adopts_what_was_accepted_meanwhile() {
        // It resumed at fragment 4 and read up to 9; the holder reached the end of fragment 7.
        let mut ahead = Progress::new(progress(6, 96_000).checkpoint(), &Config::scaled(1.0));
        for n in 7..=9 {
            read(&mut ahead, fragment(n));
        }
        ahead.adopt(progress(8, 7 * 16_000).checkpoint());
        let plan = resumed(&ahead.checkpoint()).plan(7 * 16_000);
        assert_eq!(plan.after.unwrap().as_str(), "4");
        assert_eq!(ahead.plan(9 * 16_000).after.unwrap().as_str(), "6");
    }

    /// Reads fragment `n`, in which `repeated` samples are repeats.
    fn read_with(progress: &mut Progress, n: u64, repeated: u64) {
        let counts = FragmentCounts { repeated, ..FragmentCounts::default() };
        progress.complete(fragment(n), Some(n), counts);
    }

    #[test]
    fn a_fragment_is_counted_when_it_is_settled_and_only_then() {
        let mut progress = progress(0, 0);
        for n in 1..=3 {
            read_with(&mut progress, n, 10);
        }
        assert_eq!(
            (progress.state().totals.repeated, progress.oldest_unsettled_ms()),
            (0, Some(1))
        );
        progress.accept(2 * 16_000 + 5);
        assert_eq!(
            (progress.state().totals.repeated, progress.oldest_unsettled_ms()),
            (20, Some(3))
        );
        // Read again after a rewind.
        progress.rewind(16_000);
        for n in 2..=3 {
            read_with(&mut progress, n, 10);
        }
        progress.accept(3 * 16_000);
        assert_eq!((progress.state().totals.repeated, progress.oldest_unsettled_ms()), (30, None));
    }

    #[test]
    fn a_run_that_reads_unsettled_fragments_again_counts_them_once() {
        let mut killed = progress(0, 0);
        for n in 1..=4 {
            read_with(&mut killed, n, 10);
        }
        killed.accept(2 * 16_000);
        let mut next = resumed(&killed.checkpoint());
        for n in 1..=4 {
            read_with(&mut next, n, 10);
        }
        next.accept(4 * 16_000);
        assert_eq!(next.state().totals.repeated, 40);
    }

    #[test]
    fn a_successor_counts_what_its_predecessor_had_not_settled() {
        let mut ahead = progress(0, 0);
        for n in 1..=4 {
            read_with(&mut ahead, n, 10);
        }
        let mut holder = progress(0, 0);
        for n in 1..=3 {
            read_with(&mut holder, n, 10);
        }
        holder.accept(2 * 16_000);
        ahead.adopt(holder.checkpoint());
        assert_eq!(ahead.state().totals.repeated, 20);
        ahead.accept(4 * 16_000);
        assert_eq!(ahead.state().totals.repeated, 40);
    }
}
