//! The rates of JoinStorageSession and JoinStorageSessionAsViewer, which have a limit each.

use crate::rate_limit::RateLimit;
use crate::signaling::Client;

/// Calls in a second for a channel (WebRTC developer guide, service quotas: a hard limit).
pub(super) const MAX_PER_CHANNEL: usize = 2;
/// Calls in a second of the account (as above).
pub(super) const MAX_PER_ACCOUNT: usize = 50;

/// The limits of a channel, or of the account.
#[derive(Debug, Default)]
pub(super) struct Calls<const LIMIT: usize> {
    as_master: RateLimit<LIMIT>,
    as_viewer: RateLimit<LIMIT>,
}

impl<const LIMIT: usize> Calls<LIMIT> {
    /// Returns whether a call for a client is admitted at `now_ms`, and counts it if it is.
    pub(super) fn admit(&mut self, client: &Client, now_ms: i64) -> bool {
        match client {
            Client::Master => self.as_master.admit(now_ms),
            Client::Viewer(_) => self.as_viewer.admit(now_ms),
        }
    }
}
