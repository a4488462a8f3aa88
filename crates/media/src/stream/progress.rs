//! Which fragment the stream is in, and whether it has been here before.

use crate::FragmentNumber;
use crate::timeline::Timeline;

/// How far the session's fragments have been read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The latest fragment of which audio was taken, or that was completed.
    latest: Option<Latest>,
    /// Fragments before this one lie before the anchor the stream was resumed at.
    floor: Option<FragmentNumber>,
}

#[derive(Debug)]
struct Latest {
    number: FragmentNumber,
    completed: bool,
    /// The timeline as it was when the fragment began.
    before: Timeline,
}

/// What a fragment is to the stream when it begins.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Not seen before.
    New,
    /// Cut earlier and sent again: the timeline has to be what it was at the fragment's start, so
    /// that its blocks get the positions they had.
    Again(Box<Timeline>),
    /// Taken whole before.
    Repeated,
}

impl Progress {
    pub(super) fn resumed_at(fragment: FragmentNumber) -> Self {
        Self { latest: None, floor: Some(fragment) }
    }

    pub(super) fn arrival(&self, number: &FragmentNumber) -> Arrival {
        match &self.latest {
            Some(latest) if *number == latest.number && !latest.completed => {
                Arrival::Again(Box::new(latest.before.clone()))
            }
            Some(latest) if *number <= latest.number => Arrival::Repeated,
            None if self.floor.as_ref().is_some_and(|floor| number < floor) => Arrival::Repeated,
            _ => Arrival::New,
        }
    }

    /// Audio of `number` is about to be taken. Only this (or completion) makes a fragment the
    /// latest: one that merely names itself, as KVS's error reports do, must not hide those before
    /// it.
    pub(super) fn reached(&mut self, number: &FragmentNumber, before: &Timeline) {
        if self.latest.as_ref().is_none_or(|latest| latest.number != *number) {
            self.latest =
                Some(Latest { number: number.clone(), completed: false, before: before.clone() });
        }
    }

    pub(super) fn completed(&mut self, number: &FragmentNumber, before: &Timeline) {
        self.reached(number, before);
        if let Some(latest) = &mut self.latest {
            latest.completed = true;
        }
    }
}
