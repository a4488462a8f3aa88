//! The media of a channel's master on its way to the channel's viewers.

use std::sync::Arc;
use std::time::Instant;

use str0m::media::{MediaData, MediaKind, MediaTime};
use tokio::sync::broadcast;

/// Frames that a viewer's session may be behind; then it skips the oldest.
const QUEUE: usize = 64;

/// An Opus packet or a picture that a master sent.
#[derive(Debug, Clone)]
pub(super) struct MasterFrame {
    pub(super) kind: MediaKind,
    /// Its RTP time.
    pub(super) time: MediaTime,
    /// When it was received.
    pub(super) received: Instant,
    pub(super) data: Arc<[u8]>,
}

/// Sends frames to the viewers that are there.
#[derive(Debug, Clone)]
pub(super) struct MasterFrames(broadcast::Sender<MasterFrame>);

impl Default for MasterFrames {
    fn default() -> Self {
        Self(broadcast::Sender::new(QUEUE))
    }
}

impl MasterFrames {
    /// Sends a frame to the viewers.
    pub(super) fn send(&self, kind: MediaKind, media: &MediaData) {
        if self.0.receiver_count() > 0 {
            let (time, received) = (media.time, media.network_time);
            let data = Arc::clone(&media.data);
            let _ = self.0.send(MasterFrame { kind, time, received, data });
        }
    }

    /// Returns the frames from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<MasterFrame> {
        self.0.subscribe()
    }
}
