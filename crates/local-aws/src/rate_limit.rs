//! A limit of calls or messages a second, on the cloud's clock.

use std::collections::VecDeque;

/// The window of a limit, in milliseconds.
const WINDOW_MS: i64 = 1000;

/// Admits at most `LIMIT` calls in any second.
#[derive(Debug, Default)]
pub(crate) struct RateLimit<const LIMIT: usize> {
    admitted_ms: VecDeque<i64>,
}

impl<const LIMIT: usize> RateLimit<LIMIT> {
    /// Returns whether a call at `now_ms` is within the limit. A rejected call is not counted.
    pub(crate) fn admit(&mut self, now_ms: i64) -> bool {
        self.forget(now_ms);
        let is_within = self.admitted_ms.len() < LIMIT;
        if is_within {
            self.admitted_ms.push_back(now_ms);
        }
        is_within
    }

    /// Returns whether no call was admitted in the last second.
    pub(crate) fn is_idle(&mut self, now_ms: i64) -> bool {
        self.forget(now_ms);
        self.admitted_ms.is_empty()
    }

    fn forget(&mut self, now_ms: i64) {
        while self.admitted_ms.front().is_some_and(|at| now_ms - at >= WINDOW_MS) {
            self.admitted_ms.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_second_has_at_most_the_limit() {
        let mut limit = RateLimit::<2>::default();
        let admitted: Vec<_> =
            [0, 900, 950, 1000, 1899, 1900].map(|at| limit.admit(at)).into_iter().collect();
        assert_eq!(admitted, [true, true, false, true, false, true]);
        assert!(!limit.is_idle(2899) && limit.is_idle(2900));
    }
}
