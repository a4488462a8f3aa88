//! How often a service misbehaves.

use testkit::pcm::Random;

/// What may happen to a call, each in a thousand calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Odds {
    /// It is refused and has no effect.
    pub refused: u64,
    /// It takes effect, and its caller gets an error.
    pub lost: u64,
    /// It takes effect, and its caller never hears of it.
    pub silent: u64,
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    Good,
    Refused,
    Lost,
    Silent,
}

impl Odds {
    /// Every call is refused.
    pub const DOWN: Self = Self { refused: 1000, lost: 0, silent: 0 };
    /// Every call is answered.
    pub const UP: Self = Self { refused: 0, lost: 0, silent: 0 };

    pub(crate) fn draw(self, random: &mut Random) -> Luck {
        if self == Self::UP {
            // No chance is spent on what is certain: a world without faults does not depend on
            // them.
            return Luck::Good;
        }
        let drawn = random.below(1000);
        if drawn < self.refused {
            Luck::Refused
        } else if drawn < self.refused + self.lost {
            Luck::Lost
        } else if drawn < self.refused + self.lost + self.silent {
            Luck::Silent
        } else {
            Luck::Good
        }
    }
}
