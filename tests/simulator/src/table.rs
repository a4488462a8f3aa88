//! The simulated Streams table, with the conditional writes of the DynamoDB adapter, and the
//! queries of Sessions and Connections.

use relay::lease_table::Renewal;
use serde_json::{Value, json};
use session::{Desired, Language, Settings, StreamArn, StreamItem};

use crate::fault_rates::FaultRates;

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

    pub(crate) fn take(
        &mut self,
        seen: &StreamItem,
        owner: &str,
        expires_at: u64,
    ) -> Option<StreamItem> {
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

    pub(crate) fn renew(&mut self, write: &Write) -> Option<StreamItem> {
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
        version_3(&write.checkpoint)
    }

    pub(crate) fn release(&mut self, write: &Write, ended: bool) -> Option<()> {
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

    pub(crate) fn announce(&mut self, epoch: u64, successor: String) -> Option<()> {
        let item = self.item.as_mut()?;
        if item.epoch != epoch || item.owner.is_none() {
            return None;
        }
        item.successor = Some(successor);
        Some(())
    }

    pub(crate) fn request_run(
        &mut self,
        stream: Option<StreamArn>,
        settings: Option<Settings>,
    ) -> StreamItem {
        let item = self.item.get_or_insert_default();
        item.stream_arn = item.stream_arn.take().or(stream);
        item.settings = item.settings.take().or(settings);
        item.clone()
    }
}

/// A renewal in flight: it arrives even if its sender is killed.
pub(crate) struct Write {
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

/// Returns a checkpoint as version 3 writes it: with fingerprints as a list of texts, and complete
/// fragments as objects.
fn version_3(checkpoint: &str) -> String {
    let mut document: Value = serde_json::from_str(checkpoint).unwrap();
    document["version"] = 3.into();
    let contents = media::Content::list_from_text(document["contents"].as_str().unwrap()).unwrap();
    document["contents"] = contents.iter().map(media::Content::to_text).collect();
    let fragments = document["fragments"].as_array_mut().unwrap();
    for fragment in fragments {
        let words: Vec<_> = fragment.as_str().unwrap().splitn(4, ' ').collect();
        let [end, duration_ms, content, anchor] = words[..] else { panic!("{fragment}") };
        let number = |text: &str| text.parse::<u64>().unwrap();
        *fragment = json!({
            "end": number(end), "durationMs": number(duration_ms), "anchor": anchor,
            "content": (content != "-").then_some(content),
        });
    }
    document.to_string()
}
