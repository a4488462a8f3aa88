//! The session of a viewer: the peer that sends it the media of the channel's master. The viewer's
//! own audio is received and discarded.

use std::time::Instant;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::signaling::{Client, ServiceSide};

use super::master_frame::MasterFrame;
use super::network::Network;
use super::peer_link::{LinkEnd, LinkError, PeerLink, Wake};
use super::session_limits::{LONGEST, TICK, WITHOUT_MASTER};

/// Why a viewer's session ended.
#[derive(Debug, thiserror::Error)]
enum EndReason {
    #[error("another session of the viewer replaced it, or the cloud is shut down")]
    Stopped,
    #[error("no master for three minutes")]
    Alone,
    #[error("an hour has passed")]
    Longest,
    #[error(transparent)]
    Link(#[from] LinkEnd),
}

/// What a waiting session continues with.
enum Next {
    Frame(Result<MasterFrame, RecvError>),
    Wake(Wake),
}

/// A session that is not connected yet, or that runs.
pub(super) struct ViewerSession {
    clock: Clock,
    client_id: String,
    link: PeerLink,
    master: broadcast::Receiver<MasterFrame>,
    started: Instant,
    /// When the latest frame of the master was received, or the session started.
    last_frame: Instant,
}

impl ViewerSession {
    /// Creates a session that sends the frames of `master` to its client through `network`.
    ///
    /// # Errors
    /// [`LinkError`].
    pub(super) fn new(
        clock: Clock,
        client_id: &str,
        network: Network,
        signaling: ServiceSide,
        master: broadcast::Receiver<MasterFrame>,
    ) -> Result<Self, LinkError> {
        let (started, client_id) = (Instant::now(), client_id.to_owned());
        let client = Client::Viewer(client_id.clone());
        let link = PeerLink::new(&client, network, signaling, started)?;
        Ok(Self { clock, client_id, link, master, started, last_frame: started })
    }

    /// Runs the session to its end.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let Err(end) = self.serve(&stop).await;
        tracing::info!(viewer = self.client_id, %end, "storage session of a viewer ended");
        self.link.close().await;
    }

    async fn serve(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<std::convert::Infallible, EndReason> {
        loop {
            while self.link.next().await?.is_some() {}
            self.check_limits()?;
            let next = tokio::select! {
                () = stop.cancelled() => return Err(EndReason::Stopped),
                frame = self.master.recv() => Next::Frame(frame),
                wake = self.link.wait(Instant::now() + TICK) => Next::Wake(wake),
            };
            match next {
                Next::Frame(Ok(frame)) => {
                    self.last_frame = Instant::now();
                    self.link.forward(&frame)?;
                }
                // The viewer was too slow, and misses the frames that were replaced.
                Next::Frame(Err(RecvError::Lagged(_))) => {}
                Next::Frame(Err(RecvError::Closed)) => return Err(EndReason::Stopped),
                Next::Wake(wake) => self.link.wake(wake).await?,
            }
        }
    }

    fn check_limits(&self) -> Result<(), EndReason> {
        if self.started.elapsed() >= self.clock.real(LONGEST) {
            return Err(EndReason::Longest);
        }
        match self.last_frame.elapsed() >= self.clock.request_timeout(WITHOUT_MASTER) {
            true => Err(EndReason::Alone),
            false => Ok(()),
        }
    }
}
