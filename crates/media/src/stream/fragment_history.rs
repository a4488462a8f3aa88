//! The fragments that were decoded, to recognize one that is sent again.

use crate::FragmentNumber;
use crate::timeline::Timeline;

/// The latest decoded fragment of the session.
#[derive(Debug, Default)]
pub(super) struct FragmentHistory {
    /// The latest fragment with decoded audio, or that was completed.
    latest: Option<Latest>,
    /// The stream was resumed at this fragment; fragments before it are skipped.
    floor: Option<FragmentNumber>,
}

#[derive(Debug)]
struct Latest {
    number: FragmentNumber,
    completed: bool,
    /// The timeline before the fragment.
    before: Timeline,
}

/// How a fragment that begins relates to those before it.
#[derive(Debug)]
pub(super) enum Arrival {
    /// Not decoded before.
    New,
    /// Truncated before and sent again. Contains the timeline before the fragment, so that its
    /// blocks get the same positions.
    Again(Box<Timeline>),
    /// Decoded completely before.
    Repeated,
}

impl FragmentHistory {
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

    /// Records that audio of `number` is decoded. Only this or completion makes a fragment the
    /// latest: a fragment number without audio, as in KVS's error reports, must not cause the
    /// fragments before it to be skipped.
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
