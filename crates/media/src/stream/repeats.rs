//! Detection of fragments that a producer sends again after a reconnect: the same bytes at the same
//! producer time, with another fragment number.
//!
//! AWS's producer SDKs roll back to the start of a fragment. So a fragment whose first packet has
//! the time and the bytes of another's first packet is compared packet by packet, and dropped as
//! long as the bytes are equal. From the first difference on, packets are new,
//! independent of their time.

use std::collections::VecDeque;

use crate::{Content, FragmentNumber, content::RunningHash};

/// Audio in which repeats are detected, ms: a minute, plus the fragments at its start and end.
const REMEMBERED_MS: u64 = 64_000;

/// Most fragments that are stored: a minute of the shortest that KVS recommends, 1 s.
const MAX_FRAGMENTS: usize = 64;

/// Tolerance for equal producer times, ms: rounding of PRODUCER_TIMESTAMP and of ticks.
const SAME_TIME_MS: u64 = 2;

/// The fragments of the last minute of audio.
#[derive(Debug, Default)]
pub(super) struct RepeatDetector {
    known: VecDeque<Content>,
    /// The newest of them, if it was read in this run.
    newest: Option<FragmentNumber>,
    /// The fragment being read.
    current: Option<(FragmentNumber, Content)>,
    hash: RunningHash,
    /// The fragments of `known` that equal the current one so far, as a bit set.
    alike: u64,
    /// The current fragment has a packet that was not sent before. A fragment without one is not
    /// stored: it would displace the fragment that it repeats.
    is_new: bool,
}

impl RepeatDetector {
    /// Creates a detector that has these fragments stored, oldest first.
    pub(super) fn after(contents: Vec<Content>) -> Self {
        let mut detector = Self::default();
        for content in contents {
            detector.remember(content);
        }
        detector
    }

    /// Starts a fragment. If it was truncated and is sent again, it is not a repeat of itself.
    pub(super) fn begin(&mut self, number: &FragmentNumber) {
        self.finish();
        if self.newest.as_ref() == Some(number) {
            self.known.pop_back();
            self.newest = None;
        }
        let packets = self.known.back().map_or(0, Content::packets);
        self.current = Some((number.clone(), Content::with_room_for(packets)));
        (self.hash, self.alike, self.is_new) = (RunningHash::default(), 0, false);
    }

    /// Adds the next packet of the fragment, at the producer's clock `time_ms`. Returns `true` if
    /// it was sent before; always `false` outside a fragment.
    pub(super) fn is_repeat(&mut self, time_ms: i64, data: &[u8], nanos: i64) -> bool {
        let Some((_, current)) = &mut self.current else { return false };
        let index = current.packets();
        self.hash.add(data);
        current.push(time_ms, self.hash, nanos);
        let begins = |content: &Content| {
            content.time_ms().abs_diff(time_ms) <= SAME_TIME_MS
                && content.first() == self.hash.upper_32()
        };
        if index == 0 {
            let bits = self.known.iter().enumerate();
            let alike = bits.filter(|(_, content)| begins(content));
            self.alike = alike.fold(0, |bits, (at, _)| bits | 1 << at);
            self.is_new = self.alike == 0;
            return !self.is_new;
        }
        for at in 0..self.known.len() {
            if self.alike & 1 << at != 0 && !self.known[at].agrees(index, self.hash) {
                self.alike &= !(1 << at);
            }
        }
        self.is_new |= self.alike == 0;
        self.alike != 0
    }

    /// Returns the content of the current fragment so far, if any of it is new.
    pub(super) fn content(&self) -> Option<&Content> {
        let (_, content) = self.current.as_ref()?;
        self.is_new.then_some(content)
    }

    /// Ends the current fragment or the body.
    pub(super) fn finish(&mut self) {
        if let Some((number, content)) = self.current.take().filter(|_| self.is_new) {
            self.remember(content);
            self.newest = Some(number);
        }
    }

    fn remember(&mut self, mut content: Content) {
        content.shrink();
        self.known.push_back(content);
        Content::forget_old(&mut self.known, REMEMBERED_MS, MAX_FRAGMENTS);
    }
}
