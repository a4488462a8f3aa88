//! The service's end of a client's signaling connection. A storage session is the peer of a client
//! through it, as a viewer is the peer of a master in a channel without storage.

use tokio::sync::mpsc;

/// A client of a signaling channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// The channel's master.
    Master,
    /// A viewer, with its client id.
    Viewer(String),
}

/// The service's end of one client's connection.
#[derive(Debug)]
pub(crate) struct ServiceSide {
    /// Sends messages to the client. Sending fails once its connection has closed.
    pub(crate) to_client: mpsc::Sender<ToClient>,
    /// Receives the client's messages. Returns `None` once its connection has closed, or another
    /// storage session has taken the connection.
    pub(crate) from_client: mpsc::Receiver<FromClient>,
}

/// A message of the service to the client. It has no `senderClientId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToClient {
    /// SDP_OFFER, with the SDP text.
    Offer(String),
    /// ICE_CANDIDATE, with the candidate line (`candidate:…`); it has no `sdpMid`.
    Candidate(String),
    /// STATUS_RESPONSE to a message with a correlation id.
    Status {
        /// The id of the client's message.
        correlation_id: String,
        /// For example `InvalidArgumentException`.
        error_type: &'static str,
        /// For example 400.
        status_code: u16,
        /// Why the message was refused.
        description: String,
    },
}

/// A message of the client without a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FromClient {
    /// SDP_ANSWER.
    Answer {
        /// The SDP text.
        sdp: String,
        /// The id for a STATUS_RESPONSE, if the client sent one.
        correlation_id: Option<String>,
    },
    /// ICE_CANDIDATE, with the candidate line.
    Candidate(String),
}
