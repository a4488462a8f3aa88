//! Fragments that a producer sends again after a reconnect: the same bytes at the same producer
//! time, under another fragment number.
//!
//! AWS's producer SDKs roll back to the start of a fragment, so a fragment whose first packet has
//! the time and the bytes of another's first packet is followed packet by packet, and dropped as
//! long as the bytes agree. What differs is new, whatever its time.

use std::collections::VecDeque;

use crate::{Content, FragmentNumber, content::Check};

/// Audio over which repeats are recognised, ms: a minute, and the fragments that it begins and ends
/// in.
const REMEMBERED_MS: u64 = 64_000;

/// Most fragments that are remembered: a minute of the shortest that KVS is made for, 1 s.
const MAX_FRAGMENTS: usize = 64;

/// How far the same producer time may be apart, ms: rounding of PRODUCER_TIMESTAMP and of ticks.
const SAME_TIME_MS: u64 = 2;

/// The fragments of the last minute of audio.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    known: VecDeque<Content>,
    /// The newest of them, unless it was not read in this run.
    newest: Option<FragmentNumber>,
    /// The fragment being read.
    current: Option<(FragmentNumber, Content)>,
    check: Check,
    /// Which of `known` agree with the current fragment so far, one bit each.
    alike: u64,
    /// The current fragment has a packet that was not sent before. One that has none is not
    /// remembered: it would push out what it repeats.
    is_new: bool,
}

impl Repeats {
    /// Goes on after fragments with these contents, oldest first.
    pub(super) fn after(contents: Vec<Content>) -> Self {
        let mut repeats = Self::default();
        for content in contents {
            repeats.remember(content);
        }
        repeats
    }

    /// A fragment begins. One that was cut and comes again is no repeat of itself.
    pub(super) fn begin(&mut self, number: &FragmentNumber) {
        self.finish();
        if self.newest.as_ref() == Some(number) {
            self.known.pop_back();
            self.newest = None;
        }
        let packets = self.known.back().map_or(0, Content::packets);
        self.current = Some((number.clone(), Content::with_room_for(packets)));
        (self.check, self.alike, self.is_new) = (Check::default(), 0, false);
    }

    /// The next packet of the fragment: `true` if it was sent before. Its time is the producer's
    /// clock in ms. Without a fragment nothing is a repeat.
    pub(super) fn is_repeat(&mut self, time_ms: i64, data: &[u8], nanos: i64) -> bool {
        let Some((_, current)) = &mut self.current else { return false };
        let index = current.packets();
        self.check.add(data);
        current.push(time_ms, self.check, nanos);
        let begins = |content: &Content| {
            content.time_ms().abs_diff(time_ms) <= SAME_TIME_MS
                && content.first() == self.check.whole()
        };
        if index == 0 {
            let bits = self.known.iter().enumerate();
            let alike = bits.filter(|(_, content)| begins(content));
            self.alike = alike.fold(0, |bits, (at, _)| bits | 1 << at);
            self.is_new = self.alike == 0;
            return !self.is_new;
        }
        for at in 0..self.known.len() {
            if self.alike & 1 << at != 0 && !self.known[at].agrees(index, self.check) {
                self.alike &= !(1 << at);
            }
        }
        self.is_new |= self.alike == 0;
        self.alike != 0
    }

    /// What the current fragment holds so far, if any of it is new.
    pub(super) fn content(&self) -> Option<&Content> {
        let (_, content) = self.current.as_ref()?;
        self.is_new.then_some(content)
    }

    /// The current fragment has ended, or the body.
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
