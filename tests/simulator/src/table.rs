//! The simulated Streams table, with the conditional writes of the DynamoDB adapter, and the
//! queries of Sessions and Connections.

use std::future::pending;

use relay::lease_table::{LeaseTable, Renewal};
use relay::ports::Sessions;
use session::{Desired, Language, PortError, SessionId, Settings, StreamArn, StreamItem};

use crate::fault_rates::{CallOutcome, FaultRates};
use crate::host::{SimHost, throttled};
use crate::state::State;

/// The session's items in all tables.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The Streams item.
    pub item: Option<StreamItem>,
    /// Revision of the holder's last write.
    pub revision: u64,
    /// When the session ended, ms.
    pub ended_at: Option<u64>,
    /// The listeners' languages.
    pub languages: Vec<Language>,
    /// Whether every other holder of the lease is the previous build, which writes the previous
    /// version of the checkpoint.
    pub builds_differ: bool,
    /// Failure rates of calls.
    pub fault_rates: FaultRates,
}

impl Table {
    pub(crate) fn request_stop(&mut self, stop_at: u64) -> StreamItem {
        let item = self.item.get_or_insert_default();
        item.desired = Desired::Stop;
        item.stop_at.get_or_insert(stop_at);
        item.clone()
    }

    fn take(&mut self, seen: &StreamItem, owner: &str, expires_at: u64) -> Option<StreamItem> {
        let item = self.item.as_mut()?;
        if item.owner.as_deref() == Some(owner) && item.epoch == seen.epoch + 1 {
            // A retry after a lost answer: the lease is already this owner's.
            return Some(item.clone());
        }
        let same = (&item.owner, item.epoch, item.lease_expires_at)
            == (&seen.owner, seen.epoch, seen.lease_expires_at);
        if !same || item.ended {
            return None;
        }
        item.owner = Some(owner.to_owned());
        item.epoch += 1;
        item.lease_expires_at = expires_at;
        item.successor = None;
        self.revision = 0;
        Some(item.clone())
    }

    fn renew(&mut self, write: &Write) -> Option<StreamItem> {
        let checkpoint = self.written(write);
        let item = self.item.as_mut()?;
        if item.owner.as_deref() != Some(&write.owner) || item.epoch != write.epoch {
            return None;
        }
        if self.revision < write.revision {
            item.lease_expires_at = write.expires_at;
            item.checkpoint = Some(checkpoint);
            self.revision = write.revision;
            item.last_activity_at = write.last_activity_at.or(item.last_activity_at);
        }
        Some(item.clone())
    }

    /// Returns the checkpoint as the holder's build writes it.
    fn written(&self, write: &Write) -> String {
        if !self.builds_differ || write.epoch.is_multiple_of(2) {
            return write.checkpoint.clone();
        }
        let mut document: serde_json::Value = serde_json::from_str(&write.checkpoint).unwrap();
        let members = document.as_object_mut().unwrap();
        for later in ["acknowledged", "finished", "breaker", "releasedAtMs"] {
            members.remove(later).expect("a member of this version");
        }
        members.insert("version".to_owned(), (relay::checkpoint::VERSION - 1).into());
        document.to_string()
    }

    fn release(&mut self, write: &Write, ended: bool) -> Option<()> {
        let checkpoint = self.written(write);
        let item = self.item.as_mut()?;
        if item.owner.is_none() && item.epoch == write.epoch {
            return Some(());
        }
        if item.owner.as_deref() != Some(&write.owner) || item.epoch != write.epoch {
            return None;
        }
        item.checkpoint = Some(checkpoint);
        item.owner = None;
        item.ended |= ended;
        Some(())
    }

    fn announce(&mut self, epoch: u64, successor: String) -> Option<()> {
        let item = self.item.as_mut()?;
        if item.epoch != epoch || item.owner.is_none() {
            return None;
        }
        item.successor = Some(successor);
        Some(())
    }

    fn request_run(&mut self, stream: Option<StreamArn>, settings: Option<Settings>) -> StreamItem {
        let item = self.item.get_or_insert_default();
        item.stream_arn = item.stream_arn.take().or(stream);
        item.settings = item.settings.take().or(settings);
        item.clone()
    }
}

/// A renewal in flight: it arrives even if its sender is killed.
struct Write {
    owner: String,
    epoch: u64,
    revision: u64,
    expires_at: u64,
    checkpoint: String,
    last_activity_at: Option<u64>,
}

impl From<Renewal<'_>> for Write {
    fn from(renewal: Renewal<'_>) -> Self {
        Self {
            owner: renewal.owner.to_owned(),
            epoch: renewal.epoch,
            revision: renewal.revision,
            expires_at: renewal.expires_at,
            checkpoint: renewal.checkpoint.to_json(),
            last_activity_at: renewal.last_activity_at,
        }
    }
}

impl SimHost {
    async fn store<T: Send + 'static>(
        &self,
        effect: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let outcome = self.world.outcome(|state| state.table.fault_rates);
        if outcome == CallOutcome::Refused {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            return Err(throttled());
        }
        let output = self.call(5, effect).await;
        match outcome {
            CallOutcome::AnswerLost => Err(throttled()),
            CallOutcome::Unanswered => pending().await,
            CallOutcome::Answered | CallOutcome::Refused => Ok(output),
        }
    }
}

impl LeaseTable for SimHost {
    async fn load(&self, _: &SessionId) -> Result<Option<StreamItem>, PortError> {
        self.store(|state| state.table.item.clone()).await
    }

    async fn take(
        &self,
        _: &SessionId,
        seen: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> Result<Option<StreamItem>, PortError> {
        let (seen, owner) = (seen.clone(), owner.to_owned());
        self.store(move |state| state.table.take(&seen, &owner, expires_at)).await
    }

    async fn renew(
        &self,
        _: &SessionId,
        renewal: Renewal<'_>,
    ) -> Result<Option<StreamItem>, PortError> {
        let write = Write::from(renewal);
        self.store(move |state| state.table.renew(&write)).await
    }

    async fn release(
        &self,
        _: &SessionId,
        renewal: Renewal<'_>,
        ended: bool,
    ) -> Result<Option<()>, PortError> {
        let write = Write::from(renewal);
        self.store(move |state| state.table.release(&write, ended)).await
    }

    async fn announce(
        &self,
        _: &SessionId,
        epoch: u64,
        successor: &str,
    ) -> Result<Option<()>, PortError> {
        let successor = successor.to_owned();
        self.store(move |state| state.table.announce(epoch, successor)).await
    }

    async fn request_run(
        &self,
        _: &SessionId,
        stream: Option<&StreamArn>,
        settings: Option<&Settings>,
    ) -> Result<StreamItem, PortError> {
        let (stream, settings) = (stream.cloned(), settings.cloned());
        self.store(|state| state.table.request_run(stream, settings)).await
    }

    async fn request_stop(&self, _: &SessionId, stop_at: u64) -> Result<StreamItem, PortError> {
        self.store(move |state| state.table.request_stop(stop_at)).await
    }
}

impl Sessions for SimHost {
    async fn is_over(&self, _: &SessionId) -> Result<bool, PortError> {
        self.store(|state| state.table.ended_at.is_some()).await
    }

    async fn listener_languages(&self, _: &SessionId) -> Result<Vec<Language>, PortError> {
        self.store(|state| state.table.languages.clone()).await
    }
}
