//! The life cycle of a stream or channel: CREATING, ACTIVE, DELETING, deleted, on the scaled
//! clock. No task runs for it: the status is computed when it is read.

use uuid::Uuid;

use crate::aws_error::AwsError;
use crate::clock::real_now_ms;

use super::errors;

/// The default time from a create call to ACTIVE and from a delete call to deletion, in
/// milliseconds of the scaled clock. AWS publishes no figure; about a second is usual, and callers
/// must poll anyway.
pub const CHANGE_MS: u32 = 1000;

/// The API's `Status` enum, without UPDATING: updates are complete when the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Creating,
    Active,
    Deleting,
}

impl Status {
    /// Returns the name on the wire.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
        }
    }
}

/// When a resource was created, when it is deleted, and its version.
#[derive(Debug, Clone)]
pub(super) struct Lifecycle {
    /// Creation by the real clock, in milliseconds since the epoch: part of the ARN.
    pub(super) created_ms: i64,
    /// End of CREATING, by the cloud's clock.
    active_ms: i64,
    gone_ms: Option<i64>,
    /// From a call to its effect.
    change_ms: u32,
    /// Changes with every update; callers make updates conditional on it.
    pub(super) version: String,
}

impl Lifecycle {
    /// Creates the life cycle of a resource that is created now; `now_ms` is the cloud's time.
    pub(super) fn new(now_ms: i64, change_ms: u32) -> Self {
        Self {
            created_ms: real_now_ms(),
            active_ms: now_ms + i64::from(change_ms),
            gone_ms: None,
            change_ms,
            version: fresh_version(),
        }
    }

    /// Returns the status at `now_ms`.
    pub(super) fn status(&self, now_ms: i64) -> Status {
        if self.gone_ms.is_some() {
            Status::Deleting
        } else if now_ms < self.active_ms {
            Status::Creating
        } else {
            Status::Active
        }
    }

    /// Returns whether its deletion is complete.
    pub(super) fn is_gone(&self, now_ms: i64) -> bool {
        self.gone_ms.is_some_and(|gone| now_ms >= gone)
    }

    /// Rejects a call on a resource that is not ACTIVE.
    pub(super) fn require_active(&self, now_ms: i64, resource: &str) -> Result<(), AwsError> {
        match self.status(now_ms) {
            Status::Active => Ok(()),
            other => Err(errors::in_use(format!("{resource} is {}, not ACTIVE", other.word()))),
        }
    }

    /// Rejects a call with another version. A call without a version is not checked.
    pub(super) fn require_version(
        &self,
        version: Option<&str>,
        resource: &str,
    ) -> Result<(), AwsError> {
        match version {
            Some(version) if version != self.version => Err(errors::version_mismatch(resource)),
            _ => Ok(()),
        }
    }

    /// Records an update: the version changes.
    pub(super) fn touch(&mut self) {
        self.version = fresh_version();
    }

    /// Starts the deletion.
    pub(super) fn delete(&mut self, now_ms: i64) {
        self.gone_ms = Some(now_ms + i64::from(self.change_ms));
        self.touch();
    }
}

/// Returns twenty letters and digits, as AWS's versions have.
fn fresh_version() -> String {
    Uuid::new_v4().simple().to_string().chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_made_lives_and_goes() {
        let mut life = Lifecycle::new(5000, CHANGE_MS);
        assert_eq!(life.status(5999), Status::Creating);
        assert_eq!(life.require_active(5999, "it").unwrap_err().code, "ResourceInUseException");
        assert_eq!(life.status(6000), Status::Active);
        let version = life.version.clone();
        life.delete(7000);
        assert_eq!(life.status(7000), Status::Deleting);
        assert!(!life.is_gone(7999) && life.is_gone(8000));
        assert_eq!(
            life.require_version(Some(&version), "it").unwrap_err().code,
            "VersionMismatchException"
        );
    }
}
