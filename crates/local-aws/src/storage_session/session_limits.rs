//! The time limits of sessions.

use std::time::Duration;

/// Longest session (WebRTC developer guide, service quotas).
pub(super) const LONGEST: Duration = Duration::from_secs(3600);
/// Longest time without media from the master (as above).
pub(super) const WITHOUT_MEDIA: Duration = Duration::from_secs(180);
/// Longest time of a viewer without a master (API reference of JoinStorageSessionAsViewer; the
/// service quotas say one minute).
pub(super) const WITHOUT_MASTER: Duration = Duration::from_secs(180);
/// Longest wait, after which the limits are checked.
pub(super) const TICK: Duration = Duration::from_millis(250);
