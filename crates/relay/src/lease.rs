//! The lease: which run may deliver a session. There is one item per session in the Streams table.
//!
//! A renewal is one conditional write that extends the lease, stores the checkpoint and returns the
//! session's desired state. Each acquisition adds 1 to `epoch`; the processor rejects older epochs.
//! Three rules prevent two runs from delivering, or make it harmless:
//!
//! - The holder's right to deliver starts when it *sent* the last successful renewal, on its
//!   monotonic clock, and ends after [`Config::lease_guard`](crate::Config::lease_guard).
//! - Unless the owner is empty, a run takes the lease only after its expiry +
//!   [`Config::take_margin`](crate::Config::take_margin), which covers a clock skew of that size.
//! - Every write of a holder carries an increasing `revision`, so that a delayed write cannot
//!   replace a newer checkpoint with an older one.

use session::ports::{Clock, millis};
use session::{SessionId, StreamItem};
use tokio::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::error::RelayError;
use crate::lease_table::LeaseTable;
use crate::ports::{Ports, Relay};
use crate::retry::retry;

/// A lease held by this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The holder's name, unique per invocation.
    pub owner: String,
    /// The epoch of the lease.
    pub epoch: u64,
    /// When the acquisition was sent: the right to deliver starts here.
    pub since: Instant,
    /// The item after the acquisition.
    pub item: StreamItem,
}

/// The result of trying to acquire the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcquireOutcome {
    /// This run holds the lease.
    Acquired(Box<Lease>),
    /// Another active run holds the lease.
    Active {
        /// Its epoch.
        epoch: u64,
    },
    /// Everything is delivered; the session has no lease to take.
    Ended {
        /// The last epoch.
        epoch: u64,
    },
}

/// How to treat an active holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitPolicy {
    /// Return immediately: for a duplicate event, or for a stop that the holder will read.
    ReturnIfActive,
    /// Wait: for a successor. It was invoked by the holder of this epoch; another epoch means that
    /// another run has taken over.
    WaitForRelease {
        /// The epoch that hands off.
        epoch: u64,
    },
}

/// Returns the checkpoint from which a run of this session resumes.
///
/// # Errors
/// Returns [`RelayError::Checkpoint`] if this build cannot resume from it.
pub(crate) fn checkpoint_of(
    session: &SessionId,
    item: &StreamItem,
    config: &Config,
) -> Result<Checkpoint, RelayError> {
    Checkpoint::of(item, config)
        .map_err(|source| RelayError::Checkpoint { session_id: session.clone(), source })
}

/// Takes the lease as soon as the rules allow, or returns why it cannot be taken.
///
/// A holder counts as active if its lease changes between two polls; a lease that does not change
/// is waited out. A duplicate event therefore returns within the interval of the renewals (a third
/// of the lease) and a poll, and the retry of a killed run takes over.
///
/// # Errors
/// Returns [`RelayError::Store`] if the table rejects the call or stays unavailable, and
/// [`RelayError::Checkpoint`] if the lease could be taken but this build cannot resume from the
/// checkpoint. The lease is not taken in that case.
pub async fn acquire<P: Ports>(
    relay: &Relay<'_, P>,
    session: &SessionId,
    owner: &str,
    wait: WaitPolicy,
    mut on_item: impl FnMut(&StreamItem),
) -> Result<AcquireOutcome, RelayError> {
    let (clock, config) = (relay.ctx, relay.config);
    let mut first_seen: Option<(u64, u64)> = None;
    loop {
        let load = || relay.leases.load(session);
        let Some(item) = retry(relay, session, load).await? else {
            // No run was requested for this session, or its item was deleted.
            return Ok(AcquireOutcome::Ended { epoch: 0 });
        };
        let epoch = item.epoch;
        if item.ended {
            return Ok(AcquireOutcome::Ended { epoch });
        }
        let free = item.owner.is_none();
        let expired = clock.now_ms() >= item.lease_expires_at + millis(config.take_margin);
        match wait {
            WaitPolicy::ReturnIfActive => {
                let current = (epoch, item.lease_expires_at);
                if !free && first_seen.is_some_and(|before| before != current) {
                    return Ok(AcquireOutcome::Active { epoch });
                }
                first_seen = first_seen.or(Some(current));
            }
            WaitPolicy::WaitForRelease { epoch: expected }
                if epoch != expected && !free && !expired =>
            {
                return Ok(AcquireOutcome::Active { epoch });
            }
            WaitPolicy::WaitForRelease { .. } => {}
        }
        on_item(&item);
        if free || expired {
            // If this build cannot read the checkpoint, leave the lease to one that can.
            checkpoint_of(session, &item, config)?;
            let since = clock.instant();
            let expires_at = clock.now_ms() + millis(config.lease);
            let take = || relay.leases.take(session, &item, owner, expires_at);
            if let Some(item) = retry(relay, session, take).await? {
                let lease = Lease { owner: owner.to_owned(), epoch: item.epoch, since, item };
                return Ok(AcquireOutcome::Acquired(Box::new(lease)));
            }
            // Another run changed the item first; read it again.
            continue;
        }
        // Only a successor takes over from a holder that waits for it.
        let successor = matches!(wait, WaitPolicy::WaitForRelease { .. });
        clock.sleep(if successor { config.take_poll } else { config.observe }).await;
    }
}
