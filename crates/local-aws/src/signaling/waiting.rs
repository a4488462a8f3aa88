//! The messages of a channel for clients that are not connected. Time is passed in.

use std::collections::VecDeque;

use super::message::Kind;
use super::service_side::Client;

/// Messages that a channel keeps. AWS publishes no figure.
const MAX_WAITING: usize = 100;

/// A message that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) recipient: Client,
    pub(super) sender: Client,
    pub(super) kind: Kind,
    /// The event that delivers it.
    pub(super) event: String,
    /// When it is discarded.
    pub(super) until_ms: i64,
}

impl Waiting {
    fn replaces(&self, old: &Self) -> bool {
        let is_same = self.kind == old.kind && self.sender == old.sender;
        is_same && self.recipient == old.recipient && self.kind != Kind::Candidate
    }
}

/// The messages that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct WaitingMessages(VecDeque<Waiting>);

impl WaitingMessages {
    /// Keeps a message. A newer offer or answer replaces the one that waits; if there are too many
    /// messages, the oldest is discarded.
    pub(super) fn keep(&mut self, new: Waiting, now_ms: i64) {
        self.0.retain(|old| old.until_ms > now_ms && !new.replaces(old));
        if self.0.len() >= MAX_WAITING {
            self.0.pop_front();
        }
        self.0.push_back(new);
    }

    /// Removes the messages for a client and returns their events.
    pub(super) fn take(&mut self, client: &Client, now_ms: i64) -> Vec<String> {
        let (taken, kept): (VecDeque<_>, _) =
            self.0.drain(..).partition(|waiting| waiting.recipient == *client);
        self.0 = kept;
        let current = taken.into_iter().filter(|waiting| waiting.until_ms > now_ms);
        current.map(|waiting| waiting.event).collect()
    }

    /// Returns whether no message waits.
    pub(super) fn is_empty(&self, now_ms: i64) -> bool {
        self.0.iter().all(|waiting| waiting.until_ms <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(kind: Kind, sender: &str, event: usize, until_ms: i64) -> Waiting {
        let (recipient, sender) = (Client::Master, Client::Viewer(sender.to_owned()));
        Waiting { recipient, sender, kind, event: event.to_string(), until_ms }
    }

    #[test]
    fn a_newer_offer_replaces_the_one_of_the_same_sender() {
        let mut messages = WaitingMessages::default();
        let sent = [("a", Kind::Offer), ("b", Kind::Offer), ("a", Kind::Candidate)];
        for (nth, (sender, kind)) in sent.into_iter().chain(sent).enumerate() {
            messages.keep(waiting(kind, sender, nth, 60), 0);
        }
        assert!(messages.take(&Client::Viewer("a".to_owned()), 0).is_empty());
        assert_eq!(messages.take(&Client::Master, 0), ["2", "3", "4", "5"]);
        assert!(messages.is_empty(0));
    }

    #[test]
    fn messages_expire_and_are_bounded() {
        let mut messages = WaitingMessages::default();
        for nth in 0..=MAX_WAITING {
            messages.keep(waiting(Kind::Candidate, "a", nth, 60), 0);
        }
        assert!(!messages.is_empty(59) && messages.is_empty(60));
        messages.keep(waiting(Kind::Candidate, "a", 1, 120), 59);
        let taken = messages.take(&Client::Master, 59);
        assert_eq!((taken.len(), taken[0].as_str()), (MAX_WAITING, "2"));
        messages.keep(waiting(Kind::Candidate, "a", 1, 120), 60);
        assert!(messages.take(&Client::Master, 120).is_empty());
    }
}
