//! The network between a session and its client: a UDP socket of 127.0.0.1, and the faults that
//! lose datagrams.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tokio::net::UdpSocket;

use crate::faults::Faults;

use super::peer;

/// The datagrams of all sessions of a channel.
#[derive(Debug, Default)]
pub(super) struct DatagramCounters {
    audio_received: AtomicU64,
    audio_lost: AtomicU64,
    received_in_outages: AtomicU64,
    sent_in_outages: AtomicU64,
}

/// The datagrams of a channel's sessions so far, as `/_local/state` shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatagramCounts {
    /// Audio datagrams that arrived while the network was up; a fault dropped some of them.
    pub(crate) audio_received: u64,
    /// Those of them that a fault `loss` dropped.
    pub(crate) audio_lost: u64,
    /// Datagrams, of any kind, that a fault `outage` kept from the service.
    pub(crate) received_in_outages: u64,
    /// Datagrams that a fault `outage` kept from the client.
    pub(crate) sent_in_outages: u64,
}

impl DatagramCounters {
    pub(super) fn counts(&self) -> DatagramCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        DatagramCounts {
            audio_received: read(&self.audio_received),
            audio_lost: read(&self.audio_lost),
            received_in_outages: read(&self.received_in_outages),
            sent_in_outages: read(&self.sent_in_outages),
        }
    }
}

/// The network of one session.
#[derive(Debug)]
pub(super) struct Network {
    socket: UdpSocket,
    faults: Faults,
    channel_arn: String,
    datagrams: Arc<DatagramCounters>,
}

impl Network {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The system has no free port.
    pub(super) async fn bind(
        faults: Faults,
        channel_arn: &str,
        datagrams: Arc<DatagramCounters>,
    ) -> std::io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { socket, faults, channel_arn: channel_arn.to_owned(), datagrams })
    }

    /// Returns the ARN of the client's channel.
    pub(super) fn channel_arn(&self) -> &str {
        &self.channel_arn
    }

    /// Returns the address of the socket.
    ///
    /// # Errors
    /// The operating system returns an error.
    pub(super) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Receives the next datagram that is not lost. Can be cancelled without a loss.
    ///
    /// # Errors
    /// The socket reports an error, which may concern an earlier datagram.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> std::io::Result<(usize, SocketAddr)> {
        loop {
            let (len, source) = self.socket.recv_from(buffer).await?;
            if !self.loses(buffer.get(..len).unwrap_or_default()) {
                return Ok((len, source));
            }
        }
    }

    /// Sends a datagram, unless it is lost.
    pub(super) async fn send(&self, to: SocketAddr, datagram: &[u8]) {
        if self.faults.is_cut_off(&self.channel_arn) {
            self.datagrams.sent_in_outages.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let _ = self.socket.send_to(datagram, to).await;
    }

    /// Returns whether a received datagram is lost, and counts it.
    fn loses(&self, datagram: &[u8]) -> bool {
        if self.faults.is_cut_off(&self.channel_arn) {
            self.datagrams.received_in_outages.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        if !peer::is_audio(datagram) {
            return false;
        }
        let before = self.datagrams.audio_received.fetch_add(1, Ordering::Relaxed);
        let is_lost = is_lost(before, self.faults.lost_percent(&self.channel_arn));
        self.datagrams.audio_lost.fetch_add(u64::from(is_lost), Ordering::Relaxed);
        is_lost
    }
}

/// Returns whether the datagram after `before` others is one of `percent` in 100, which are at
/// equal distances.
fn is_lost(before: u64, percent: u64) -> bool {
    let lost_of = |count: u64| count * percent / 100;
    lost_of(before + 1) > lost_of(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_lost_at_equal_distances() {
        let lost = |percent: u64| -> Vec<u64> {
            (0..100).filter(|before| is_lost(*before, percent)).collect()
        };
        assert_eq!(lost(5), [19, 39, 59, 79, 99]);
        assert!(lost(0).is_empty());
        assert_eq!(lost(100).len(), 100);
        for percent in [1, 3, 7, 33, 50, 99] {
            let lost = lost(percent);
            assert_eq!(lost.len() as u64, percent);
            let steps: Vec<u64> = lost.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let (least, most) = (steps.iter().min(), steps.iter().max());
            assert!(
                steps.is_empty() || most.unwrap() - least.unwrap() <= 1,
                "{percent}: {steps:?}"
            );
        }
    }
}
