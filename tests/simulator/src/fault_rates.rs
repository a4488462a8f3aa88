//! The rates at which calls to a service fail.

use testkit::pcm::Random;

/// Failure rates of the calls to one service, each per thousand calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultRates {
    /// The call returns an error and has no effect.
    pub refused: u64,
    /// The call takes effect, and its caller gets an error.
    pub answer_lost: u64,
    /// The call takes effect, and its caller never gets an answer.
    pub unanswered: u64,
}

/// The outcome of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    Answered,
    Refused,
    AnswerLost,
    Unanswered,
}

impl FaultRates {
    /// Every call is refused.
    pub const DOWN: Self = Self { refused: 1000, answer_lost: 0, unanswered: 0 };
    /// Every call is answered.
    pub const UP: Self = Self { refused: 0, answer_lost: 0, unanswered: 0 };

    pub(crate) fn draw(self, random: &mut Random) -> CallOutcome {
        if self == Self::UP {
            // Consumes no random number, so that a run without faults does not depend on the seed.
            return CallOutcome::Answered;
        }
        let drawn = random.below(1000);
        if drawn < self.refused {
            CallOutcome::Refused
        } else if drawn < self.refused + self.answer_lost {
            CallOutcome::AnswerLost
        } else if drawn < self.refused + self.answer_lost + self.unanswered {
            CallOutcome::Unanswered
        } else {
            CallOutcome::Answered
        }
    }
}
