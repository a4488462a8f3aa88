//! The rate of JoinStorageSession for one channel.

use crate::rate_limit::RateLimit;

/// Calls in a second for a channel (WebRTC developer guide, service quotas: a hard limit).
pub(super) const PER_SECOND: usize = 2;

/// The calls for one channel.
pub(super) type Calls = RateLimit<PER_SECOND>;
