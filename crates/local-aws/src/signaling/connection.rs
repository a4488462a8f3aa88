//! One WebSocket of a client, from the upgrade to its end.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, close_code};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::rate_limit::RateLimit;

use super::message::{self, Kind, Message, Refused};
use super::service_side::{Client, ToClient};
use super::sockets::{Opened, Push};
use super::{Signaling, errors};

/// A connection lasts at most an hour (quota).
const MAX_AGE: Duration = Duration::from_secs(3600);
/// A connection ends after ten minutes without a frame in either direction (quota). A ping counts.
const MAX_IDLE: Duration = Duration::from_secs(600);
/// From GO_AWAY to the end of the connection (quota).
const GRACE: Duration = Duration::from_secs(60);
/// Offers a second, and answers a second, of a connection (quota).
const SDP_PER_SECOND: usize = 5;
/// ICE candidates a second of a connection (quota).
const CANDIDATES_PER_SECOND: usize = 20;
/// How long a client may take to accept a message or the close, in real time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The registration of a socket. Dropping it closes the socket.
#[derive(Debug)]
struct Registration {
    signaling: Arc<Signaling>,
    arn: String,
    client: Client,
    number: u64,
}

impl Registration {
    /// Waits until messages can pass between the client and the service.
    async fn reachable(&self) {
        self.signaling.faults.reachable(&self.arn).await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.signaling.sockets().close(&self.arn, &self.client, self.number);
    }
}

/// A registered connection.
#[derive(Debug)]
pub(super) struct Connection {
    registration: Registration,
    pushes: Receiver<Push>,
    from_service: Receiver<ToClient>,
    /// Cancelled when the channel is deleted.
    deleted: CancellationToken,
    offers: RateLimit<SDP_PER_SECOND>,
    answers: RateLimit<SDP_PER_SECOND>,
    candidates: RateLimit<CANDIDATES_PER_SECOND>,
}

impl Connection {
    pub(super) fn new(
        signaling: Arc<Signaling>,
        arn: String,
        client: Client,
        opened: Opened,
        deleted: CancellationToken,
    ) -> Self {
        let Opened { number, pushes, from_service } = opened;
        Self {
            registration: Registration { signaling, arn, client, number },
            pushes,
            from_service,
            deleted,
            offers: RateLimit::default(),
            answers: RateLimit::default(),
            candidates: RateLimit::default(),
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(mut self, mut socket: WebSocket) {
        let clock = self.registration.signaling.clock.clone();
        let opened = Instant::now();
        let mut end = opened + clock.real(MAX_AGE);
        let mut idle_end = opened + clock.request_timeout(MAX_IDLE);
        let mut warned = false;
        loop {
            let event = tokio::select! {
                frame = socket.recv() => match frame {
                    Some(Ok(Frame::Text(text))) => {
                        self.registration.reachable().await;
                        self.accept(&text)
                    }
                    Some(Ok(Frame::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => None,
                },
                push = self.pushes.recv() => match push {
                    Some(Push::Event(event)) => Some(event),
                    Some(Push::ReconnectIceServer) => {
                        Some(message::bare_event("RECONNECT_ICE_SERVER"))
                    }
                    Some(Push::GoAway) => {
                        warned = true;
                        end = end.min(Instant::now() + clock.real(GRACE));
                        Some(message::bare_event("GO_AWAY"))
                    }
                    None => break,
                },
                Some(message) = self.from_service.recv() => Some(message::service_event(&message)),
                () = sleep_until(end - clock.real(GRACE)), if !warned => {
                    warned = true;
                    Some(message::bare_event("GO_AWAY"))
                }
                () = sleep_until(end.min(idle_end)) => break,
                () = self.deleted.cancelled() => break,
            };
            idle_end = Instant::now() + clock.request_timeout(MAX_IDLE);
            if let Some(event) = event {
                self.registration.reachable().await;
                let sent = timeout(WRITE_TIMEOUT, socket.send(Frame::Text(event.into()))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
        }
        let Registration { signaling, arn, .. } = &self.registration;
        let (faults, arn) = (signaling.faults.clone(), arn.clone());
        drop(self);
        faults.reachable(&arn).await;
        close(socket).await;
    }

    /// Accepts a client's message. Returns the STATUS_RESPONSE to one that is refused and has a
    /// correlation id.
    fn accept(&mut self, text: &str) -> Option<String> {
        let Registration { signaling, arn, client, .. } = &self.registration;
        let accepted = Message::read(text).and_then(|message| {
            let now_ms = signaling.clock.now_ms();
            let (is_admitted, most) = match message.kind {
                Kind::Offer => (self.offers.admit(now_ms), SDP_PER_SECOND),
                Kind::Answer => (self.answers.admit(now_ms), SDP_PER_SECOND),
                Kind::Candidate => (self.candidates.admit(now_ms), CANDIDATES_PER_SECOND),
            };
            let name = message.kind.wire_name();
            let relayed = if is_admitted {
                signaling.relay(arn, client, &message)
            } else {
                Err(errors::too_many(format!("More than {most} {name} a second")))
            };
            relayed.map_err(|error| Refused { correlation_id: message.correlation_id, error })
        });
        let Refused { correlation_id, error } = accepted.err()?;
        tracing::debug!("{arn}: a message of {client:?} is refused: {error}");
        Some(message::refusal(&correlation_id?, &error))
    }
}

/// Closes a connection as AWS does, and waits until the client has answered the close.
async fn close(mut socket: WebSocket) {
    let frame = CloseFrame { code: close_code::AWAY, reason: "Going away".into() };
    let closed = async {
        if socket.send(Frame::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // A client that does not answer is dropped.
    let _ = timeout(WRITE_TIMEOUT, closed).await;
}
