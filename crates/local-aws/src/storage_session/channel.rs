//! A channel that was joined: its sessions, and what they share.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::calls::{self, Calls};
use super::master_frame::MasterFrames;
use super::network::DatagramCounters;
use super::session::Session;
use super::viewers::Viewers;

/// A channel for which a storage session was joined.
#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) calls: Calls<{ calls::MAX_PER_CHANNEL }>,
    pub(super) master: Option<MasterSession>,
    pub(super) viewers: Viewers,
    pub(super) frames: MasterFrames,
    pub(super) datagrams: Arc<DatagramCounters>,
    /// Cancelled when the channel is deleted.
    pub(super) deleted: CancellationToken,
}

/// The newest session of a channel's master.
#[derive(Debug)]
pub(super) struct MasterSession {
    stop: CancellationToken,
    pub(super) ended: JoinHandle<()>,
}

impl Channel {
    /// Starts a session after the end of the master's session before, so that its last fragment is
    /// stored first and its connection to the stream is free.
    pub(super) fn replace_master(&mut self, session: Session, stop: CancellationToken) {
        let previous = self.master.take();
        if let Some(previous) = &previous {
            previous.stop.cancel();
        }
        let token = stop.clone();
        let ended = tokio::spawn(async move {
            if let Some(previous) = previous {
                let _ = previous.ended.await;
            }
            session.run(token).await;
        });
        self.master = Some(MasterSession { stop, ended });
    }

    /// Returns whether the channel is deleted and its sessions have ended.
    pub(super) fn is_gone(&self) -> bool {
        self.deleted.is_cancelled() && !self.has_master() && self.viewers.running() == 0
    }

    fn has_master(&self) -> bool {
        self.master.as_ref().is_some_and(|master| !master.ended.is_finished())
    }

    /// Returns the channel as `/_local/state` shows it.
    pub(super) fn state(&self, channel_arn: &str) -> Value {
        json!({
            "channel": channel_arn,
            "master": self.has_master(),
            "viewers": self.viewers.running(),
            "datagrams": self.datagrams.counts(),
        })
    }
}
