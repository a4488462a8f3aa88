//! The Streams table, with the conditional writes of the adapter that speaks to DynamoDB, and what
//! is asked of Sessions and Connections.

use std::future::pending;

use relay::lease::{LeaseTable, Renewal};
use relay::ports::Sessions;
use session::{Desired, Language, PortError, SessionId, Settings, StreamArn, StreamItem};

use crate::odds::{Luck, Odds};
use crate::side::{Side, throttled};
use crate::state::State;

/// The session's items.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The Streams item.
    pub item: Option<StreamItem>,
    /// The holder's last write.
    pub revision: u64,
    /// When the session ended, ms.
    pub over_at: Option<u64>,
    /// The listeners' languages.
    pub languages: Vec<Language>,
    /// Every other holder of the lease is of the build before, and writes what that one knew.
    pub builds_differ: bool,
    /// How calls go.
    pub odds: Odds,
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
            // A take whose answer was lost finds itself.
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

    /// The checkpoint as the holder's build writes it.
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

/// A renewal on its way: it arrives whatever becomes of its sender.
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

impl Side {
    async fn store<T: Send + 'static>(
        &self,
        effect: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let luck = self.world.luck(|state| state.table.odds);
        if luck == Luck::Refused {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            return Err(throttled());
        }
        let output = self.call(5, effect).await;
        match luck {
            Luck::Lost => Err(throttled()),
            Luck::Silent => pending().await,
            Luck::Good | Luck::Refused => Ok(output),
        }
    }
}

impl LeaseTable for Side {
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

impl Sessions for Side {
    async fn is_over(&self, _: &SessionId) -> Result<bool, PortError> {
        self.store(|state| state.table.over_at.is_some()).await
    }

    async fn listener_languages(&self, _: &SessionId) -> Result<Vec<Language>, PortError> {
        self.store(|state| state.table.languages.clone()).await
    }
}
