//! The open WebSockets of every channel, and the delivery of messages to them.
//!
//! A socket is open as long as its [`Socket`] is here: removing it ends the channels to its task,
//! which then closes the connection. Time is passed in.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::aws_error::AwsError;
use crate::clock::rfc3339;
use crate::rate_limit::RateLimit;

use super::errors;
use super::message::Message;
use super::service_side::{Client, FromClient, ServiceSide, ToClient};
use super::waiting::{Waiting, WaitingMessages};

/// Viewers of a channel (quota).
const MAX_VIEWERS: usize = 10;
/// Connects a second of a channel, as master and as viewer (quota).
const CONNECTS_PER_SECOND: usize = 3;
/// Messages that a connection and the service hold for each other: what a client may send in some
/// eight seconds, at 30 a second.
const QUEUE: usize = 256;

/// Something for a socket's task to send.
#[derive(Debug)]
pub(super) enum Push {
    /// A message of another client.
    Event(String),
    /// GO_AWAY, after which the connection has a minute.
    GoAway,
    /// RECONNECT_ICE_SERVER.
    ReconnectIceServer,
}

/// The sockets of all channels, by channel ARN.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    channels: BTreeMap<String, ChannelSockets>,
    opened: u64,
}

#[derive(Debug, Default)]
struct ChannelSockets {
    open: HashMap<Client, Socket>,
    waiting: WaitingMessages,
    masters: RateLimit<CONNECTS_PER_SECOND>,
    viewers: RateLimit<CONNECTS_PER_SECOND>,
}

#[derive(Debug)]
struct Socket {
    number: u64,
    opened_ms: i64,
    pushes: Sender<Push>,
    to_client: Sender<ToClient>,
    /// The storage session that is the client's peer.
    storage_session: Option<Sender<FromClient>>,
}

/// A socket that was opened: the task's ends of its channels.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) number: u64,
    pub(super) pushes: Receiver<Push>,
    pub(super) from_service: Receiver<ToClient>,
}

impl Sockets {
    /// Opens a socket in place of the one that the same client has. Messages that wait for the
    /// client are its first.
    ///
    /// # Errors
    /// Too many connects in a second, or too many viewers.
    pub(super) fn open(
        &mut self,
        arn: &str,
        client: &Client,
        now_ms: i64,
    ) -> Result<Opened, AwsError> {
        self.channels.retain(|_, channel| !channel.is_unused(now_ms));
        let channel = self.channels.entry(arn.to_owned()).or_default();
        channel.admit(client, now_ms)?;
        self.opened += 1;
        let ((pushes, pushed), (to_client, from_service)) =
            (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
        let number = self.opened;
        let socket = Socket { number, opened_ms: now_ms, pushes, to_client, storage_session: None };
        for event in channel.waiting.take(client, now_ms) {
            socket.push(Push::Event(event));
        }
        channel.open.insert(client.clone(), socket);
        Ok(Opened { number, pushes: pushed, from_service })
    }

    /// Closes a socket, if it is still the client's.
    pub(super) fn close(&mut self, arn: &str, client: &Client, number: u64) {
        let Some(channel) = self.channels.get_mut(arn) else { return };
        if channel.open.get(client).is_some_and(|socket| socket.number == number) {
            channel.open.remove(client);
        }
    }

    /// Sends a client's message to another client, or keeps it for `ttl_ms`.
    pub(super) fn deliver(
        &mut self,
        arn: &str,
        sender: &Client,
        recipient: Client,
        message: &Message,
        now_ms: i64,
        ttl_ms: i64,
    ) {
        let Some(channel) = self.channels.get_mut(arn) else { return };
        let event = message.event(match sender {
            Client::Master => None,
            Client::Viewer(id) => Some(id),
        });
        match channel.open.get(&recipient) {
            Some(socket) => socket.push(Push::Event(event)),
            None => {
                let (sender, kind, until_ms) = (sender.clone(), message.kind, now_ms + ttl_ms);
                let waiting = Waiting { recipient, sender, kind, event, until_ms };
                channel.waiting.keep(waiting, now_ms);
            }
        }
    }

    /// Takes the service's end of a client's connection. `None`: it has no open connection.
    pub(super) fn service_side(&mut self, arn: &str, client: &Client) -> Option<ServiceSide> {
        let socket = self.channels.get_mut(arn)?.open.get_mut(client)?;
        let (to_session, from_client) = mpsc::channel(QUEUE);
        socket.storage_session = Some(to_session);
        Some(ServiceSide { to_client: socket.to_client.clone(), from_client })
    }

    /// Returns the sender to the storage session that has taken a client's connection.
    pub(super) fn storage_session(
        &self,
        arn: &str,
        client: &Client,
    ) -> Option<&Sender<FromClient>> {
        let socket = self.channels.get(arn)?.open.get(client)?;
        socket.storage_session.as_ref().filter(|session| !session.is_closed())
    }

    /// Pushes to the sockets of the channel called `name` of which the client passes `wanted`.
    /// Returns their number.
    pub(super) fn push(
        &self,
        name: &str,
        wanted: impl Fn(&Client) -> bool,
        push: impl Fn() -> Push,
    ) -> usize {
        let open = self.channels.iter().filter(|(arn, _)| name_in(arn) == name);
        let sockets = open.flat_map(|(_, channel)| &channel.open);
        sockets.filter(|(client, _)| wanted(client)).map(|(_, socket)| socket.push(push())).count()
    }

    /// Closes the sockets of the channel called `name` of which the client passes `wanted`. Returns
    /// their number.
    pub(super) fn close_clients(&mut self, name: &str, wanted: impl Fn(&Client) -> bool) -> usize {
        let channels = self.channels.iter_mut().filter(|(arn, _)| name_in(arn) == name);
        channels
            .map(|(_, channel)| {
                let before = channel.open.len();
                channel.open.retain(|client, _| !wanted(client));
                before - channel.open.len()
            })
            .sum()
    }

    /// Returns the channels with open sockets, as `/_local/signaling` shows them.
    pub(super) fn state(&self) -> Value {
        let state = |(arn, channel): (&String, &ChannelSockets)| {
            let master = channel.open.get(&Client::Master).map(Socket::state);
            let mut viewers: Vec<(&String, Value)> = Vec::new();
            for (client, socket) in &channel.open {
                if let Client::Viewer(id) = client {
                    viewers.push((id, socket.state()));
                }
            }
            viewers.sort_by_key(|(id, _)| *id);
            let viewers: BTreeMap<_, _> = viewers.into_iter().collect();
            json!({ "name": name_in(arn), "arn": arn, "master": master, "viewers": viewers })
        };
        let open = self.channels.iter().filter(|(_, channel)| !channel.open.is_empty());
        open.map(state).collect()
    }
}

impl ChannelSockets {
    fn admit(&mut self, client: &Client, now_ms: i64) -> Result<(), AwsError> {
        let limit = match client {
            Client::Master => &mut self.masters,
            Client::Viewer(_) => &mut self.viewers,
        };
        if !limit.admit(now_ms) {
            let reason = format!("More than {CONNECTS_PER_SECOND} connects a second");
            return Err(errors::too_many(reason));
        }
        let viewers = self.open.keys().filter(|client| **client != Client::Master).count();
        let is_new_viewer = *client != Client::Master && !self.open.contains_key(client);
        if is_new_viewer && viewers >= MAX_VIEWERS {
            let reason = format!("The channel has {MAX_VIEWERS} viewers, as many as it may have");
            return Err(errors::too_many(reason));
        }
        Ok(())
    }

    fn is_unused(&mut self, now_ms: i64) -> bool {
        let is_empty = self.open.is_empty() && self.waiting.is_empty(now_ms);
        is_empty && self.masters.is_idle(now_ms) && self.viewers.is_idle(now_ms)
    }
}

impl Socket {
    /// A client that does not read its messages loses those that its queue has no room for.
    fn push(&self, push: Push) {
        if let Err(error) = self.pushes.try_send(push) {
            tracing::warn!("a signaling message is lost: {error}");
        }
    }

    fn state(&self) -> Value {
        let session = self.storage_session.as_ref();
        let has_session = session.is_some_and(|session| !session.is_closed());
        json!({ "openedAt": rfc3339(self.opened_ms), "storageSession": has_session })
    }
}

/// Returns the channel's name in its ARN.
fn name_in(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or_default()
}
