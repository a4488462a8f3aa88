//! Throttling of routes: a token bucket each, shared by all clients.
//!
//! API Gateway fills each bucket at `ThrottlingRateLimit` a second up to `ThrottlingBurstLimit`; a
//! request that finds it empty is answered 429 before an authorizer or a function runs
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html>).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sam_template::{Route, Throttle};

/// The buckets of an API, by route key. A route without limits has none.
#[derive(Debug, Default)]
pub(super) struct Throttles(BTreeMap<String, Mutex<Bucket>>);

#[derive(Debug)]
struct Bucket {
    limits: Throttle,
    tokens: f64,
    filled_ms: i64,
}

impl Throttles {
    /// Returns full buckets for the routes that have limits.
    pub(super) fn new(routes: &[Route], now_ms: i64) -> Self {
        let bucket = |route: &Route| {
            let limits = route.throttle?;
            let tokens = f64::from(limits.burst);
            Some((route.key(), Mutex::new(Bucket { limits, tokens, filled_ms: now_ms })))
        };
        Self(routes.iter().filter_map(bucket).collect())
    }

    /// Returns whether a request of this route may pass at this time of the cloud.
    pub(super) fn admit(&self, route: &str, now_ms: i64) -> bool {
        let Some(bucket) = self.0.get(route) else { return true };
        bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now_ms)
    }
}

impl Bucket {
    fn take(&mut self, now_ms: i64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.filled_ms).max(0);
        let more = passed_ms as f64 / 1000.0 * f64::from(self.limits.rate);
        self.tokens = (self.tokens + more).min(f64::from(self.limits.burst));
        self.filled_ms = self.filled_ms.max(now_ms);
        let is_enough = self.tokens >= 1.0;
        if is_enough {
            self.tokens -= 1.0;
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limits = Throttle { rate: 2, burst: 3 };
        let mut bucket = Bucket { limits, tokens: 3.0, filled_ms: 0 };
        let mut passed = |at: i64| (0..10).filter(|_| bucket.take(at)).count();
        assert_eq!(passed(0), 3, "the burst");
        assert_eq!(passed(499), 0, "less than a token");
        assert_eq!(passed(500), 1);
        assert_eq!(passed(400), 0, "a clock that goes back fills nothing");
        assert_eq!(passed(60_000), 3, "no more than the burst is saved up");
    }

    #[test]
    fn a_route_without_limits_is_not_throttled() {
        assert!((0..100).all(|_| Throttles::default().admit("GET /health", 0)));
    }
}
