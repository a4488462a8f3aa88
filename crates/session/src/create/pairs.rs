//! Chooses the warm pairs that a POST tries to take.

use crate::{
    Call, PairUse, SessionService, WarmPair,
    ports::{Clock, Ports, Random, WarmPairs},
};

/// Maximum number of pairs that a request tries. A pair that is not available costs a round trip,
/// so a request that loses against so many others at once creates its own channel and stream.
const PAIR_ATTEMPTS: usize = 3;

impl<P: Ports> SessionService<P> {
    /// Returns the pairs to try, the last one first, in random order, so that concurrent requests
    /// rarely try the same pair. Returns none if they cannot be read: a session needs no pair.
    pub(super) async fn usable_pairs(&self, call: &Call) -> Vec<WarmPair> {
        if self.pairs.count == 0 {
            return Vec::new();
        }
        let read = || self.sessions.warm_pairs(&self.env, self.pairs.count);
        match self.event_budget(call).idempotent("BatchGetItem", read).await {
            Ok(mut pairs) => {
                let now = self.ctx.now_ms();
                pairs.retain(|pair| self.pairs.is_usable(pair, now));
                pairs.sort_by_cached_key(|_| self.ctx.next_u64());
                pairs.truncate(PAIR_ATTEMPTS);
                pairs
            }
            Err(error) => {
                tracing::warn!(%error, "warm pairs not read");
                Vec::new()
            }
        }
    }

    /// Returns how a session that was created with `pair`, or without, used the warm pairs.
    pub(super) const fn pair_use(&self, pair: Option<&WarmPair>) -> PairUse {
        match pair {
            Some(_) => PairUse::Warm,
            None if self.pairs.count == 0 => PairUse::Off,
            None => PairUse::Cold,
        }
    }
}

#[cfg(test)]
mod tests;
