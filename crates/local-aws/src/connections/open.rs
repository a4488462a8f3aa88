//! The open and closed connections of a WebSocket API. The messages of a closed one stay readable.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clock::rfc3339;

/// The most connections that are recorded, closed ones included.
pub(crate) const MOST: usize = 10_000;
/// The most messages that are recorded of one connection; the oldest are dropped first.
const MESSAGES: usize = 100;

/// One connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Unix ms of the cloud's clock, as all times here.
    pub(crate) connected_at: i64,
    pub(crate) last_active_at: i64,
    gone_at: Option<i64>,
    messages: Vec<Message>,
}

#[derive(Debug, Clone)]
struct Message {
    at: i64,
    text: String,
}

/// All connections, by id.
#[derive(Debug, Default)]
pub(crate) struct Open {
    connections: BTreeMap<String, Connection>,
}

impl Open {
    /// Opens a connection, or reopens a closed one. Returns `None` when there are too many.
    pub(crate) fn open(&mut self, id: &str, now: i64) -> Option<()> {
        if self.connections.len() >= MOST && !self.connections.contains_key(id) {
            return None;
        }
        let new = || Connection {
            connected_at: now,
            last_active_at: now,
            gone_at: None,
            messages: Vec::new(),
        };
        let connection = self.connections.entry(id.to_owned()).or_insert_with(new);
        if connection.gone_at.is_some() {
            *connection = new();
        }
        Some(())
    }

    /// Returns an open connection.
    pub(crate) fn get(&self, id: &str) -> Option<&Connection> {
        self.connections.get(id).filter(|connection| connection.gone_at.is_none())
    }

    fn get_mut(&mut self, id: &str) -> Option<&mut Connection> {
        self.connections.get_mut(id).filter(|connection| connection.gone_at.is_none())
    }

    /// Sends over a connection; returns `None` if it is not open.
    pub(crate) fn send(&mut self, id: &str, message: &[u8], now: i64) -> Option<()> {
        let connection = self.get_mut(id)?;
        connection.last_active_at = now;
        if connection.messages.len() == MESSAGES {
            connection.messages.remove(0);
        }
        let text = String::from_utf8_lossy(message).into_owned();
        connection.messages.push(Message { at: now, text });
        Some(())
    }

    /// Closes a connection; returns `None` if it is not open.
    pub(crate) fn close(&mut self, id: &str, now: i64) -> Option<()> {
        self.get_mut(id)?.gone_at = Some(now);
        Some(())
    }

    pub(crate) fn count(&self) -> usize {
        self.connections.values().filter(|connection| connection.gone_at.is_none()).count()
    }

    pub(crate) fn count_gone(&self) -> usize {
        self.connections.len() - self.count()
    }

    /// Returns a connection, open or closed, as `/_local/connections` shows it.
    pub(crate) fn shown(&self, id: &str) -> Option<Value> {
        let connection = self.connections.get(id)?;
        let messages = connection.messages.iter();
        let messages = messages.map(|it| json!({ "at": rfc3339(it.at), "text": it.text }));
        Some(json!({
            "connectionId": id,
            "connectedAt": rfc3339(connection.connected_at),
            "goneAt": connection.gone_at.map(rfc3339),
            "messages": messages.collect::<Vec<_>>(),
        }))
    }

    /// Returns all connections.
    pub(crate) fn all(&self) -> Vec<Value> {
        self.connections.keys().filter_map(|id| self.shown(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_open_until_it_is_closed_and_its_messages_stay() {
        let mut open = Open::default();
        assert_eq!(open.send("a", b"x", 1), None);
        open.open("a", 1).unwrap();
        open.send("a", b"one", 2).unwrap();
        open.open("a", 3).unwrap();
        open.send("a", b"two", 4).unwrap();
        open.close("a", 5).unwrap();
        assert_eq!((open.send("a", b"three", 6), open.close("a", 6)), (None, None));
        let shown = open.shown("a").unwrap();
        let texts: Vec<_> =
            shown["messages"].as_array().unwrap().iter().map(|it| it["text"].clone()).collect();
        assert_eq!(texts, ["one", "two"]);
        assert_eq!(shown["goneAt"], "1970-01-01T00:00:00.005Z");
        // Another connection with the same id starts without messages.
        open.open("a", 7).unwrap();
        assert_eq!(open.shown("a").unwrap()["messages"], json!([]));
        assert_eq!((open.count(), open.count_gone()), (1, 0));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut open = Open::default();
        for number in 0..MOST {
            open.open(&number.to_string(), 1).unwrap();
        }
        assert_eq!(open.open("one more", 1), None);
        assert!(open.open("7", 2).is_some());
        for number in 0..=MESSAGES {
            open.send("7", number.to_string().as_bytes(), 3).unwrap();
        }
        let shown = open.shown("7").unwrap();
        assert_eq!(shown["messages"].as_array().unwrap().len(), MESSAGES);
        assert_eq!(shown["messages"][0]["text"], "1");
    }
}
