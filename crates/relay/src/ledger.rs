//! Tracks the progress of a run, creates its checkpoints and computes where to resume reading.
//!
//! To resume, the reader starts after fragment F(k−w−1). F(k) is the last fragment that was
//! accepted completely; F(k−w)…F(k) last at least the warm-up time, and their decoded audio is
//! dropped once the decoder has settled. GetMedia's FRAGMENT_NUMBER is exclusive, hence the one
//! additional fragment.

use std::collections::VecDeque;

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

/// The progress of a run: fragments as they arrive, samples as they are settled.
#[derive(Debug)]
pub struct Ledger {
    checkpoint: Checkpoint,
    /// All complete fragments not yet pruned, oldest first, settled or not.
    fragments: Vec<Fragment>,
    /// Fingerprints of the pruned fragments.
    contents: VecDeque<Content>,
    warm_up_ms: u64,
}

impl Ledger {
    /// Resumes from a checkpoint.
    #[must_use]
    pub fn new(checkpoint: Checkpoint, config: &Config) -> Self {
        let fragments = checkpoint.fragments.clone();
        let contents = checkpoint.contents.clone().into();
        Self { checkpoint, fragments, contents, warm_up_ms: config.warm_up_ms }
    }

    /// Returns the current checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let settled: Vec<Fragment> = self
            .fragments
            .iter()
            .take_while(|fragment| fragment.end <= self.checkpoint.next)
            .cloned()
            .collect();
        let contents = self.contents.iter().cloned().collect();
        Checkpoint { fragments: settled, contents, ..self.checkpoint.clone() }
    }

    /// Returns the settled state and its counters.
    #[must_use]
    pub fn state(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the settled state, to change its counters and breaker.
    pub fn state_mut(&mut self) -> &mut Checkpoint {
        &mut self.checkpoint
    }

    /// Returns the position after the last complete fragment that was read, settled or not.
    #[must_use]
    pub fn read_to(&self) -> u64 {
        self.fragments.last().map_or(0, |last| last.end).max(self.checkpoint.next)
    }

    /// Records the start of a fragment. The session's first one fixes the origin.
    pub fn begin(&mut self, anchor: &ResumePoint) {
        if self.checkpoint.origin.is_none() && anchor.origin_ms.is_some() {
            self.checkpoint.origin = Some(anchor.clone());
        }
    }

    /// Records a complete fragment. Returns whether it is new.
    pub fn complete(&mut self, fragment: Fragment) -> bool {
        let newer = self
            .fragments
            .last()
            .is_none_or(|last| fragment.anchor.fragment > last.anchor.fragment);
        if newer {
            self.fragments.push(fragment);
            self.prune();
        }
        newer
    }

    /// Records that the processor accepted everything before `end`.
    pub fn accept(&mut self, end: u64) {
        self.checkpoint.next = self.checkpoint.next.max(end);
        self.checkpoint.acknowledged = self.checkpoint.acknowledged.max(end);
        self.prune();
    }

    /// Records that everything before `end` is settled without the processor (a gap, a pause, a
    /// dead letter).
    pub fn skip(&mut self, end: u64) {
        self.checkpoint.next = self.checkpoint.next.max(end);
        self.prune();
    }

    /// Goes back to `position`: the processor has no samples from there on.
    pub fn rewind(&mut self, position: u64) {
        self.checkpoint.next = position;
        self.checkpoint.acknowledged = position;
    }

    /// Continues from a later checkpoint of the same session and keeps the fragments read since.
    pub fn adopt(&mut self, checkpoint: Checkpoint) {
        let known = self.fragments.first().map(|first| first.anchor.fragment.clone());
        let theirs = checkpoint.fragments.first().map(|first| &first.anchor.fragment);
        if theirs.is_some_and(|theirs| known.as_ref().is_none_or(|own| theirs < own)) {
            // The fingerprints must precede the first fragment, and that is now the checkpoint's.
            self.contents = checkpoint.contents.clone().into();
        }
        let mut fragments = checkpoint.fragments.clone();
        fragments.retain(|theirs| known.as_ref().is_none_or(|own| theirs.anchor.fragment < *own));
        fragments.append(&mut self.fragments);
        self.fragments = fragments;
        let origin = checkpoint.origin.clone().or(self.checkpoint.origin.take());
        self.checkpoint = Checkpoint { origin, ..checkpoint };
        self.prune();
    }

    /// Returns how to resume reading from `floor`, based on all fragments known to this run.
    #[must_use]
    pub fn plan(&self, floor: u64) -> ReadPlan {
        let (after, first) = start(&self.fragments, floor, self.warm_up_ms);
        let Some(first) = first else {
            let anchor = self.checkpoint.origin.clone();
            return ReadPlan { after, anchor, contents: Vec::new(), floor };
        };
        let before = self.fragments[..first].iter().filter_map(|before| before.content.clone());
        let contents = self.contents.iter().cloned().chain(before).collect();
        ReadPlan { after, anchor: Some(self.fragments[first].anchor.clone()), contents, floor }
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
pub struct ReadPlan {
    /// Start after this fragment; `None` = the oldest one in KVS.
    pub after: Option<FragmentNumber>,
    /// Timeline at the first fragment to read; `None` = the stream has not been read before.
    pub anchor: Option<ResumePoint>,
    /// Fingerprints of the preceding fragments, oldest first.
    pub contents: Vec<Content>,
    /// Samples before this position are dropped.
    pub floor: u64,
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
        Some(before) => (Some(fragments[before].anchor.fragment.clone()), Some(first)),
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
        let anchor = ResumePoint {
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
        Fragment { anchor, end: n * 16_000, duration_ms: 1_000, content }
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

    /// The ledger of a run that resumes from a checkpoint.
    fn resumed(checkpoint: &Checkpoint) -> Ledger {
        Ledger::new(checkpoint.clone(), &Config::scaled(1.0))
    }

    #[test]
    fn resumes_the_warm_up_before_the_last_fragment_that_was_accepted_whole() {
        // 8 fragments read, 6.5 accepted: F(k) = 6, warm-up = 4, 5, 6, so start after 3.
        let checkpoint = ledger(8, 6 * 16_000 + 8_000).checkpoint();
        let plan = resumed(&checkpoint).plan(checkpoint.next);
        assert_eq!(plan.after.unwrap().as_str(), "3");
        assert_eq!(plan.anchor.unwrap().fragment.as_str(), "4");
        assert_eq!(plan.floor, 104_000);
    }

    #[test]
    fn contents_are_those_before_the_first_fragment_that_is_read() {
        let times = |plan: &ReadPlan| {
            plan.contents.iter().map(|content| content.time_ms()).collect::<Vec<_>>()
        };
        let checkpoint = ledger(8, 6 * 16_000 + 8_000).checkpoint();
        let ledger = resumed(&checkpoint);
        assert_eq!(times(&ledger.plan(checkpoint.next)), [1, 2, 3]);
        // Reading from the beginning has no preceding fragments.
        assert!(times(&ledger.plan(0)).is_empty());
    }

    #[test]
    fn a_successor_never_takes_what_it_will_read_for_something_seen() {
        for (read, accepted) in [(8, 7), (30, 29), (6, 6)] {
            let mut ahead = Ledger::new(ledger(6, 96_000).checkpoint(), &Config::scaled(1.0));
            for n in 7..=9 {
                ahead.complete(fragment(n));
            }
            ahead.adopt(ledger(read, accepted * 16_000).checkpoint());
            for floor in (0..=accepted * 16_000).step_by(8_000) {
                let plan = ahead.plan(floor);
                let first = plan.anchor.map(|anchor| anchor.fragment).unwrap();
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
            let checkpoint = ledger(3, accepted).checkpoint();
            let plan = resumed(&checkpoint).plan(accepted);
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
        // About one minute of history; each fragment of these tests holds one packet.
        assert_eq!(ledger.checkpoint().contents.len(), 64);
        assert!(ledger.checkpoint().to_json().len() < 5_000);
    }

    #[test]
    fn a_checkpoint_stays_small_however_long_nothing_is_heard() {
        let mut ledger = ledger(8, 8 * 16_000);
        for n in 9..=10_000 {
            let mute = Fragment { end: 8 * 16_000, duration_ms: 0, ..fragment(n) };
            ledger.begin(&mute.anchor);
            ledger.complete(mute);
        }
        assert!(ledger.checkpoint().fragments.len() <= MAX_SETTLED);
        let plan = resumed(&ledger.checkpoint()).plan(8 * 16_000);
        assert_eq!(plan.floor, 8 * 16_000);
        assert!(plan.after.unwrap() > "9900".parse().unwrap());
    }

    #[test]
    fn a_successor_that_read_ahead_adopts_what_was_accepted_meanwhile() {
        // It resumed at fragment 4 and read up to 9; the holder reached the end of fragment 7.
        let mut ahead = Ledger::new(ledger(6, 96_000).checkpoint(), &Config::scaled(1.0));
        for n in 7..=9 {
            ahead.complete(fragment(n));
        }
        ahead.adopt(ledger(8, 7 * 16_000).checkpoint());
        let plan = resumed(&ahead.checkpoint()).plan(7 * 16_000);
        assert_eq!(plan.after.unwrap().as_str(), "4");
        assert_eq!(ahead.plan(9 * 16_000).after.unwrap().as_str(), "6");
    }
}
