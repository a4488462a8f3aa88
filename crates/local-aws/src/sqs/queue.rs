//! One queue: messages that are waiting, delayed, or in flight until deleted or visible again.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use super::message::{Attributes, NewMessage, Sent, attributes_md5, md5};
use crate::aws_error::AwsError;
use sam_template::Queue;

/// The most messages in a queue. SQS has no limit.
const MAX_MESSAGES: usize = 100_000;

#[derive(Debug, Clone)]
pub(super) struct Message {
    id: String,
    body: String,
    attributes: Attributes,
    trace: Option<String>,
    sent: i64,
    visible: i64,
    first_received: Option<i64>,
    receives: u32,
}

/// A message as a receiver gets it.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) id: String,
    pub(super) receipt: String,
    pub(super) body: String,
    pub(super) attributes: Attributes,
    pub(super) trace: Option<String>,
    pub(super) sent: i64,
    pub(super) first_received: i64,
    pub(super) receives: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) visible: usize,
    pub(super) in_flight: usize,
    pub(super) delayed: usize,
}

/// A queue and its messages, oldest first.
#[derive(Debug)]
pub(super) struct QueueState {
    pub(super) config: Queue,
    pub(super) created: i64,
    messages: VecDeque<Message>,
}

impl QueueState {
    pub(super) fn new(config: Queue, now: i64) -> Self {
        Self { config, created: now, messages: VecDeque::new() }
    }

    pub(super) fn send(&mut self, new: NewMessage, now: i64) -> Result<Sent, AwsError> {
        self.forget(now);
        if self.messages.len() >= MAX_MESSAGES {
            let message = format!("local-cloud keeps {MAX_MESSAGES} messages in a queue");
            return Err(AwsError::new(http::StatusCode::FORBIDDEN, "OverLimit", message));
        }
        let id = Uuid::new_v4().to_string();
        let sent = Sent {
            id: id.clone(),
            body_md5: md5(&new.body),
            attributes_md5: attributes_md5(&new.attributes),
        };
        self.messages.push_back(Message {
            id,
            body: new.body,
            attributes: new.attributes,
            trace: new.trace,
            sent: now,
            visible: now + millis(new.delay.unwrap_or(self.config.delay)),
            first_received: None,
            receives: 0,
        });
        Ok(sent)
    }

    /// Adds a message that another queue's redrive policy moves here.
    pub(super) fn accept(&mut self, message: Message, now: i64) {
        if self.messages.len() < MAX_MESSAGES {
            let fresh = Message { visible: now, receives: 0, first_received: None, ..message };
            self.messages.push_back(fresh);
        }
    }

    /// Hides and returns up to `most` visible messages; and messages that were received too often,
    /// with the ARN of the queue that the redrive policy names for them.
    pub(super) fn receive(
        &mut self,
        most: usize,
        visibility: Option<Duration>,
        now: i64,
    ) -> (Vec<Received>, Vec<(String, Message)>) {
        self.forget(now);
        let dead = self.give_up(now);
        let hidden = now + millis(visibility.unwrap_or(self.config.visibility_timeout));
        let visible = self.messages.iter_mut().filter(|message| message.visible <= now);
        let received = visible.take(most).map(|message| {
            message.visible = hidden;
            message.receives += 1;
            Received {
                id: message.id.clone(),
                receipt: format!("{}.{}", message.id, message.receives),
                body: message.body.clone(),
                attributes: message.attributes.clone(),
                trace: message.trace.clone(),
                sent: message.sent,
                first_received: *message.first_received.get_or_insert(now),
                receives: message.receives,
            }
        });
        (received.collect(), dead)
    }

    /// Deletes the message of a receipt. A message that is already deleted is not an error.
    pub(super) fn delete(&mut self, receipt: &str) -> Result<(), AwsError> {
        let (id, _) = parts(receipt)?;
        self.messages.retain(|message| message.id != id);
        Ok(())
    }

    /// Sets the visibility timeout of a message in flight from now on; zero makes it visible.
    pub(super) fn change_visibility(
        &mut self,
        receipt: &str,
        visibility: Duration,
        now: i64,
    ) -> Result<(), AwsError> {
        let (id, receives) = parts(receipt)?;
        let mut messages = self.messages.iter_mut();
        let found = messages.find(|it| it.id == id && it.receives == receives && it.visible > now);
        let Some(message) = found else {
            let reason = "The message referred to isn't in flight.";
            return Err(AwsError::bad_request("MessageNotInflight", reason));
        };
        message.visible = now + millis(visibility);
        Ok(())
    }

    pub(super) fn purge(&mut self) {
        self.messages.clear();
    }

    pub(super) fn counts(&mut self, now: i64) -> Counts {
        self.forget(now);
        let mut counts = Counts { visible: 0, in_flight: 0, delayed: 0 };
        for message in &self.messages {
            match message {
                message if message.visible <= now => counts.visible += 1,
                message if message.receives > 0 => counts.in_flight += 1,
                _ => counts.delayed += 1,
            }
        }
        counts
    }

    /// Returns when the oldest message was sent, in ms since the Unix epoch.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.messages.iter().map(|message| message.sent).min()
    }

    /// Returns when the next hidden message becomes visible, in ms since the Unix epoch.
    pub(super) fn next_visible(&self) -> Option<i64> {
        self.messages.iter().map(|message| message.visible).min()
    }

    fn forget(&mut self, now: i64) {
        let oldest = now - millis(self.config.retention);
        self.messages.retain(|message| message.sent > oldest);
    }

    fn give_up(&mut self, now: i64) -> Vec<(String, Message)> {
        let Some(policy) = &self.config.redrive_policy else { return Vec::new() };
        let most = &policy["maxReceiveCount"];
        let most = most.as_u64().or_else(|| most.as_str()?.parse().ok()).unwrap_or(u64::MAX);
        let Some(target) = policy["deadLetterTargetArn"].as_str() else { return Vec::new() };
        let spent =
            |message: &Message| message.visible <= now && u64::from(message.receives) >= most;
        let dead = self.messages.iter().filter(|message| spent(message)).cloned();
        let dead: Vec<_> = dead.map(|message| (target.to_owned(), message)).collect();
        self.messages.retain(|message| !spent(message));
        dead
    }
}

/// Returns a duration in milliseconds, bounded so that a sum with a time does not overflow.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn parts(receipt: &str) -> Result<(&str, u32), AwsError> {
    let parsed = receipt.rsplit_once('.').and_then(|(id, n)| Some((id, n.parse().ok()?)));
    parsed.filter(|(id, _)| Uuid::try_parse(id).is_ok()).ok_or_else(|| {
        let reason = "The input receipt handle is invalid.";
        AwsError::new(http::StatusCode::NOT_FOUND, "ReceiptHandleIsInvalid", reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn queue(redrive_policy: Option<serde_json::Value>) -> QueueState {
        let config = Queue {
            logical_id: "Q".to_owned(),
            name: "q".to_owned(),
            arn: "arn:aws:sqs:us-east-1:1:q".to_owned(),
            url: "http://127.0.0.1/1/q".to_owned(),
            visibility_timeout: Duration::from_secs(30),
            retention: Duration::from_secs(3600),
            receive_wait: Duration::ZERO,
            delay: Duration::ZERO,
            redrive_policy,
            policies: Vec::new(),
        };
        QueueState::new(config, 0)
    }

    fn message(body: &str, delay: Option<Duration>) -> NewMessage {
        let attributes = Attributes::new();
        NewMessage { body: body.to_owned(), attributes, delay, trace: None }
    }

    #[test]
    fn a_message_is_hidden_comes_back_and_is_deleted() {
        let mut queue = queue(None);
        queue.send(message("a", None), 0).unwrap();
        let (first, _) = queue.receive(10, None, 1);
        assert_eq!((first.len(), first[0].body.as_str(), first[0].receives), (1, "a", 1));
        assert_eq!(queue.counts(1), Counts { visible: 0, in_flight: 1, delayed: 0 });
        assert!(queue.receive(10, None, 30_000).0.is_empty());
        let (again, _) = queue.receive(10, None, 30_001);
        assert_eq!((again[0].receives, again[0].first_received), (2, 1));
        assert_eq!(
            queue.change_visibility(&first[0].receipt, Duration::ZERO, 30_002).unwrap_err().code,
            "MessageNotInflight"
        );
        queue.change_visibility(&again[0].receipt, Duration::ZERO, 30_002).unwrap();
        assert_eq!(queue.counts(30_002).visible, 1);
        queue.delete(&again[0].receipt).unwrap();
        queue.delete(&again[0].receipt).unwrap();
        assert_eq!(queue.counts(30_003), Counts { visible: 0, in_flight: 0, delayed: 0 });
        assert_eq!(queue.delete("nonsense").unwrap_err().code, "ReceiptHandleIsInvalid");
    }

    #[test]
    fn a_delayed_message_waits_and_an_old_one_is_forgotten() {
        let mut queue = queue(None);
        queue.send(message("a", Some(Duration::from_secs(10))), 0).unwrap();
        assert_eq!(queue.counts(0).delayed, 1);
        assert_eq!(queue.next_visible(), Some(10_000));
        assert!(queue.receive(1, None, 9_999).0.is_empty());
        assert_eq!(queue.receive(1, Some(Duration::ZERO), 10_000).0.len(), 1);
        assert_eq!(queue.counts(3_600_000).visible, 0);
    }

    #[test]
    fn a_message_received_too_often_is_handed_to_the_next_queue() {
        let target = "arn:aws:sqs:us-east-1:1:dead";
        let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": 2});
        let mut queue = queue(Some(policy));
        queue.send(message("a", None), 0).unwrap();
        for now in [0, 30_000] {
            assert_eq!(queue.receive(1, None, now).0.len(), 1);
        }
        let (received, dead) = queue.receive(1, None, 60_000);
        assert!(received.is_empty());
        assert_eq!((dead[0].0.as_str(), dead[0].1.body.as_str()), (target, "a"));
    }
}
