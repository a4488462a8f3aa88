//! Who may deliver a session: one item per session in the Streams table.
//!
//! One conditional write per renewal renews the lease, stores the checkpoint and brings back what is
//! wanted of the holder. Each taking adds 1 to `epoch`; the processor refuses an older one. Three
//! rules make two deliverers impossible, or harmless:
//!
//! - the holder counts its right from when it *sent* the last renewal that succeeded, on its
//!   monotonic clock, and delivers nothing past [`Config::lease_guard`](crate::Config::lease_guard);
//! - a taker waits for the lease's end + [`Config::take_margin`](crate::Config::take_margin), which
//!   covers clocks that differ by as much, unless the owner is empty;
//! - every write of a holder carries a growing `revision`, so that one delayed in the network can
//!   not put an older checkpoint over a newer one.

use std::future::Future;

use session::{PortError, SessionId, Settings, StreamArn, StreamItem};
use tokio::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::RelayError;
use crate::ports::{Ports, millis};
use crate::retry::persist;

/// The conditional writes on the Streams table. Every one answers `Ok(None)` when its condition
/// failed; the error is for everything else.
pub trait LeaseTable: Send + Sync {
    /// The item, read consistently.
    ///
    /// # Errors
    /// The table did not answer or refused.
    fn load(
        &self,
        session: &SessionId,
    ) -> impl Future<Output = Result<Option<StreamItem>, PortError>> + Send;

    /// Takes the lease: sets owner, `epoch + 1` and expiry and removes the successor, if owner,
    /// epoch and expiry are still as in `seen`. Returns the item as it now stands.
    ///
    /// # Errors
    /// The table did not answer or refused.
    fn take(
        &self,
        session: &SessionId,
        seen: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> impl Future<Output = Result<Option<StreamItem>, PortError>> + Send;

    /// Renews the lease and stores the checkpoint, if owner and epoch are ours and the stored
    /// revision is older. A write that had arrived before (same owner, epoch, and revision) counts
    /// as done. Returns the item as it now stands.
    ///
    /// # Errors
    /// The table did not answer or refused.
    fn renew(
        &self,
        session: &SessionId,
        renewal: Renewal<'_>,
    ) -> impl Future<Output = Result<Option<StreamItem>, PortError>> + Send;

    /// Stores the checkpoint, clears owner and, with `ended`, sets the status, in one write, if
    /// owner and epoch are ours.
    ///
    /// # Errors
    /// The table did not answer or refused.
    fn release(
        &self,
        session: &SessionId,
        renewal: Renewal<'_>,
        ended: bool,
    ) -> impl Future<Output = Result<Option<()>, PortError>> + Send;

    /// Writes that `successor` reads along, if the epoch is still `epoch`.
    ///
    /// # Errors
    /// The table did not answer or refused.
    fn announce(
        &self,
        session: &SessionId,
        epoch: u64,
        successor: &str,
    ) -> impl Future<Output = Result<Option<()>, PortError>> + Send;

    /// Makes the item if there is none, and fills in stream and settings where absent. A stop
    /// that was asked for stays. Returns the item as it now stands.
    ///
    /// # Errors
    /// The table did not answer or refused.
    fn request_run(
        &self,
        session: &SessionId,
        stream: Option<&StreamArn>,
        settings: Option<&Settings>,
    ) -> impl Future<Output = Result<StreamItem, PortError>> + Send;

    /// Sets desired to STOP and `stop_at` where none is set, making the item if there is none.
    /// Returns the item as it now stands.
    ///
    /// # Errors
    /// The table did not answer or refused.
    fn request_stop(
        &self,
        session: &SessionId,
        stop_at: u64,
    ) -> impl Future<Output = Result<StreamItem, PortError>> + Send;
}

/// One write of the holder.
#[derive(Debug, Clone, Copy)]
pub struct Renewal<'a> {
    /// The holder.
    pub owner: &'a str,
    /// Its epoch.
    pub epoch: u64,
    /// Grows with each write of this holder.
    pub revision: u64,
    /// Wall clock, ms.
    pub expires_at: u64,
    /// What is accepted so far.
    pub checkpoint: &'a Checkpoint,
    /// Wall clock, ms, of the last fragment that arrived.
    pub last_activity_at: Option<u64>,
    /// Longest fragment seen, ms.
    pub fragment_millis: u64,
}

/// A lease that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The holder's name, unique per invocation.
    pub owner: String,
    /// The epoch it holds.
    pub epoch: u64,
    /// When the take was sent: the right to deliver counts from here.
    pub since: Instant,
    /// The item after the take.
    pub item: StreamItem,
}

/// What came of asking for the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taking {
    /// It is ours.
    Held(Box<Held>),
    /// Someone alive has it.
    Running {
        /// Their epoch.
        epoch: u64,
    },
    /// Everything is delivered; there is nothing to take.
    Ended {
        /// The last epoch.
        epoch: u64,
    },
}

/// What a taker does about a holder that is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Leave at once: an event that came twice, or a stop that the holder will see.
    Leave,
    /// Wait: a successor. It was told this epoch hands on; another epoch means someone else did.
    Await {
        /// The epoch that hands on.
        epoch: u64,
    },
}

/// Where a session stands, for a run of it.
///
/// # Errors
/// [`RelayError::Checkpoint`]: this build cannot go on from there.
pub(crate) fn checkpoint(
    session: &SessionId,
    item: &StreamItem,
    config: &Config,
) -> Result<Checkpoint, RelayError> {
    Checkpoint::of(item, config)
        .map_err(|source| RelayError::Checkpoint { session_id: session.clone(), source })
}

/// Takes the lease as soon as the rules allow, or says why not.
///
/// A holder counts as alive when its lease moves while we watch; a lease that stands still is
/// waited out. So a duplicate event is back within about two renewals, and the retry of a killed
/// run takes over by itself.
///
/// # Errors
/// [`RelayError::Store`] when the table refuses for good or stays away; [`RelayError::Checkpoint`] when the lease could
/// be taken and this build cannot go on from where the session stands. It is not taken then.
pub async fn acquire<P: Ports>(
    ports: &P,
    config: &Config,
    session: &SessionId,
    owner: &str,
    patience: Patience,
    mut seen_item: impl FnMut(&StreamItem),
) -> Result<Taking, RelayError> {
    let clock = ports.clock();
    let mut first: Option<(u64, u64)> = None;
    loop {
        let load = || ports.leases().load(session);
        let Some(item) = persist(ports, config, session, load).await? else {
            // Nobody asked for this session to run, or its item was cleaned away.
            return Ok(Taking::Ended { epoch: 0 });
        };
        let epoch = item.epoch;
        if item.ended {
            return Ok(Taking::Ended { epoch });
        }
        let free = item.owner.is_none();
        let lapsed = clock.now_ms() >= item.lease_expires_at + millis(config.take_margin);
        match patience {
            Patience::Leave => {
                let now = (epoch, item.lease_expires_at);
                if !free && first.is_some_and(|before| before != now) {
                    return Ok(Taking::Running { epoch });
                }
                first = first.or(Some(now));
            }
            Patience::Await { epoch: expected } if epoch != expected && !free && !lapsed => {
                return Ok(Taking::Running { epoch });
            }
            Patience::Await { .. } => {}
        }
        seen_item(&item);
        if free || lapsed {
            // A lease that this build could do nothing with is left to one that can.
            checkpoint(session, &item, config)?;
            let since = clock.instant();
            let expires_at = clock.now_ms() + millis(config.lease);
            let take = || ports.leases().take(session, &item, owner, expires_at);
            if let Some(item) = persist(ports, config, session, take).await? {
                let held = Held { owner: owner.to_owned(), epoch: item.epoch, since, item };
                return Ok(Taking::Held(Box::new(held)));
            }
            // Someone was faster; look again at what they made of it.
            continue;
        }
        clock.sleep(config.take_poll).await;
    }
}
